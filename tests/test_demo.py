"""The demo's folder: a new one, and how to get one."""

import errno
import subprocess
from pathlib import Path

import pytest

from dlir_tf.cli import main
from dlir_tf.demo import run_demo
from dlir_tf.errors import InputError, WriteError

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("used", "used: is in use already; remove it or"),
        ("file", "file: is a file; choose another"),
        ("file/demo", "file is a file; choose another"),
        ("link", "link: is a link that leads nowhere"),
        ("link/demo", "link is a link that leads nowhere"),
    ],
)
def test_a_folder_in_use_is_refused_before_any_work(
    tmp_path, monkeypatch, capsys, name, told
):
    """As after a demo, finished or interrupted half way."""
    (tmp_path / "used" / "images").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=told):
        run_demo(tmp_path / name, say=pytest.fail)
    monkeypatch.setattr("dlir_tf.cli.work.demo.load_keras", pytest.fail)
    with pytest.raises(SystemExit):
        main(["demo", "--output", str(tmp_path / name)])
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
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
