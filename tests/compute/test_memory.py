"""What is free, against what the system says and what a limit leaves."""

import subprocess
import sys

import pytest

from dlir_tf.compute import memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says it")


def test_what_is_free_is_no_more_than_the_machine_has():
    with open("/proc/meminfo") as file:
        rows = dict(line.split(":") for line in file)
    total = 1024 * int(rows["MemTotal"].split()[0])
    free = memory.free_memory()
    assert free is not None
    assert 0 <= free < total


def test_a_limit_on_the_process_counts():
    program = (
        "import resource; from dlir_tf.compute.memory import free_memory; "
        "resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9)); print(free_memory())"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert 0 <= int(run.stdout) < 10**9


@pytest.mark.parametrize(
    ("limit", "used", "left"),
    [("5000", "2000", 3000), ("max", "2000", None), ("1", "2000", -1999)],
)
def test_a_limit_on_the_container_counts(monkeypatch, tmp_path, limit, used, left):
    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text(used + "\n")
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    assert memory._of_container() == left
    if left is not None:
        assert memory.free_memory() == max(left, 0)


def test_a_system_that_says_nothing_is_believed(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_PROC", tmp_path)
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    assert memory.free_memory() is None
