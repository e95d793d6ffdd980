"""The demo's folder: a new one, and how to get one."""

import errno
import subprocess
from pathlib import Path

import pytest

from dlir_tf.demo import run_demo
from dlir_tf.errors import InputError, WriteError

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("is_file", [False, True])
def test_a_folder_in_use_is_refused_before_any_work(tmp_path, is_file):
    """As after a demo, finished or interrupted half way."""
    output = tmp_path / "demo"
    if is_file:
        output.touch()
    else:
        (output / "images").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"demo: is in use already; remove it or"):
        run_demo(output, say=pytest.fail)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(
    "error",
    [WriteError("a", OSError(errno.ENOSPC, "No space left")), KeyboardInterrupt()],
    ids=["full", "interrupted"],
)
def test_a_demo_that_fails_leaves_nothing_and_can_be_run_again(
    tmp_path, monkeypatch, error, there
):
    def write_phantoms(folder, **_):
        (folder / "train.csv").write_text("fixed,moving\na,b\n")
        return folder / "train.csv", folder / "train.csv"

    def train(config, pairs, output, **_):
        output.mkdir()
        (output / "checkpoint.npz").touch()
        raise error

    monkeypatch.setattr("dlir_tf.demo.write_phantoms", write_phantoms)
    monkeypatch.setattr("dlir_tf.demo.read_manifest", lambda path: [])
    monkeypatch.setattr("dlir_tf.demo.train", train)
    output = tmp_path / "deep" / "demo"
    if there:
        output.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    for _ in range(2):
        with pytest.raises(type(error)):
            run_demo(output, say=lambda text: None)
        assert sorted(tmp_path.rglob("*")) == before


def test_what_came_into_its_folder_meanwhile_stays(tmp_path, monkeypatch):
    def write_phantoms(folder, **_):
        (folder.parent / "notes.txt").write_text("mine")
        raise KeyboardInterrupt

    monkeypatch.setattr("dlir_tf.demo.write_phantoms", write_phantoms)
    with pytest.raises(KeyboardInterrupt):
        run_demo(tmp_path / "demo", say=lambda text: None)
    left = [p.name for p in (tmp_path / "demo").iterdir()]
    assert left == ["notes.txt"]


def test_make_demo_lets_the_folder_be_chosen():
    make = ["make", "--dry-run", "demo"]
    for more, folder in (([], "demo"), (["DEMO=my hearts"], "my hearts")):
        printed = subprocess.run(
            [*make, *more], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        assert f'dlir-tf demo --output "{folder}"\n' in printed
