"""Whole commands at a full disk: one sentence, and everything as it was before.

What takes long, the registration itself, is done once; what is written isn't played.
"""

import contextlib
import functools
import tempfile

import numpy as np
import pytest
from every_output import writers
from random_models import spline, write_random_model
from register_desk import ALL
from small_disks import PAGE, largest_file, mounted, room_for

from dlir_tf.cli import main

pytest.importorskip("resource", reason="Windows has no limits for a process")

OLD = b"OLD AND GOOD"

REGISTER = (
    *ALL,
    *("--transform", "out/0GenericAffine.mat", "--inverse", "out/back.npz"),
    *("--jacobian", "out/determinant.mhd", "--report", "out/report.json"),
)
INPUTS = {
    "images": ("moving.nii.gz", "labels.nii.gz", "frames.nrrd"),
    "points": ("--points", "points.csv", "--points", "points.mrk.json"),
}


@pytest.fixture(params=["any file", "all files"])
def small_disk(request, tmp_path):
    """Gives the folder `out`, what leaves so much room there, and how much to leave.

    The room is for every single file or, on a disk of its own, for all files together.
    """
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    if request.param == "any file":
        yield out, largest_file, around
    else:
        with mounted(out, megabytes=8):
            yield out, functools.partial(room_for, out), pages


def around(sizes):
    """Just enough for every file, and just not."""
    near = {size + more for size in sizes if size for more in (-1, 0)}
    return sorted({0, 1, *near, *(size // 2 for size in sizes)})


def pages(sizes):
    """From none to enough for all files."""
    total = sum(-(-size // PAGE) for size in sizes)
    return [PAGE * n for n in range(total + 1)]


def some(sizes, most):
    """The first, the last, and evenly spaced ones in between."""
    places = np.linspace(0, len(sizes) - 1, min(most, len(sizes)))
    return [sizes[place] for place in np.rint(places).astype(int)]


def contents(folder):
    """Everything in a folder, hidden files and folders as well."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if path.name != "filler"
    }


def run(arguments, capsys):
    """The exit code, and what was printed."""
    capsys.readouterr()
    code = 0
    try:
        main(list(arguments))
    except SystemExit as error:
        code = error.code
    return code, capsys.readouterr()


def at_every_size(arguments, small_disk, capsys, *, old=True, most=20):
    """Checks a command at disks of all sizes; returns the names of what it writes.

    Args:
        arguments: Of the command, which writes into `out`.
        small_disk: The fixture.
        capsys: The fixture.
        old: Whether there are old files already, or else not even their folder.
        most: How many sizes are tried at most.
    """
    out, limited, sizes = small_disk
    others = contents(out)
    assert run(arguments, capsys)[0] == 0
    whole = {name: data for name, data in contents(out).items() if name not in others}
    lengths = lengths_of(whole)
    failures = 0
    for size in some(sizes(lengths.values()), most):
        start_again(out, whole, old)
        before = contents(out)
        with limited(size):
            code, printed = run(arguments, capsys)
        if code == 0:
            assert lengths_of(contents(out)) == lengths_of(others) | lengths, size
            continue
        failures += 1
        assert contents(out) == before, size
        check_said(code, printed, out)
    assert failures
    return set(whole)


def lengths_of(files):
    """Of everything but fingerprints, which TensorFlow writes in 98 or 99 bytes."""
    return {
        name: len(data or b"")
        for name, data in files.items()
        if not name.endswith("fingerprint.pb")
    }


def start_again(out, whole, old):
    """Puts old files where new ones were written, or nothing."""
    for name in sorted(whole, reverse=True):
        if old:
            (out / name).write_bytes(OLD)
        elif (out / name).is_dir():
            (out / name).rmdir()
        else:
            (out / name).unlink(missing_ok=True)


def check_said(code, printed, place):
    """Asserts exit code 1 and one sentence, which names the place and what to do."""
    assert code == 1
    assert printed.out == ""
    (line,) = [s for s in printed.err.splitlines() if s.startswith("Error: ")]
    assert line.replace(f"{place.parent}/", "").startswith(f"Error: {place.name}")
    assert "the disk is full; make room and try again" in line
    assert "Traceback" not in printed.err
    assert "unfinished" not in printed.err


def once(function):
    """The function, which gives its first result for ever."""
    results = []

    def give(*arguments, **options):
        if not results:
            results.append(function(*arguments, **options))
        return results[0]

    return give


def do_once(monkeypatch, module, *names):
    for name in names:
        monkeypatch.setattr(module, name, once(getattr(module, name)))


@pytest.mark.usefixtures("here")
def test_register(small_disk, capsys, monkeypatch):
    from dlir_tf.cli.work import register

    do_once(monkeypatch, register, "load_quietly", "register")
    names = at_every_size(REGISTER, small_disk, capsys, most=12)
    beside = {"determinant.zraw", "1Warp.nii.gz"}
    assert len(names) == 10
    assert beside < names


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("folder", ["out", "out/new"])
def test_transform(desk3, small_disk, capsys, kind, folder):
    for name in ("frames.nrrd", "points.csv", "points.mrk.json"):
        writers()[name](desk3.folder / name)
    images = ("--reference", "fixed.nii.gz") if kind == "images" else ()
    arguments = ("transform", *INPUTS[kind], "--transform", "t.npz", *images)
    old, to = folder == "out", ("--output", folder)
    names = at_every_size((*arguments, *to), small_disk, capsys, old=old)
    wanted = {n for n in INPUTS[kind] if "." in n}
    assert names == (wanted if old else {"new", *(f"new/{n}" for n in wanted)})


def test_evaluate(here, small_disk, capsys, monkeypatch):
    from dlir_tf.cli.work import evaluate

    do_once(monkeypatch, evaluate, "load_quietly", "evaluate_each")
    (here / "pairs.csv").write_text("fixed,moving\nfixed.nii.gz,moving.nii.gz\n")
    arguments = ("evaluate", "--pairs", "pairs.csv", "--model", "model")
    arguments += ("--output", "out/numbers.csv")
    assert at_every_size(arguments, small_disk, capsys) == {"numbers.csv"}


@pytest.fixture
def exportable(tmp_path, monkeypatch):
    """A working directory with a small model, which is loaded and traced once."""
    from dlir_tf.export import savedmodel
    from dlir_tf.export.tflite import file
    from dlir_tf.models import folder

    config = {"ndim": 2, "spacing": [1.5, 2.0], "stages": [spline([4, 2])]}
    rng = np.random.default_rng(5)
    write_random_model(tmp_path / "model", config, rng, 0.3, provenance={"seed": 5})
    do_once(monkeypatch, folder, "load_model")
    do_once(monkeypatch, savedmodel, "build_signatures")
    do_once(monkeypatch, file, "convert")
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("exportable")
def test_export_of_a_savedmodel(small_disk, capsys, monkeypatch):
    import tensorflow as tf

    from dlir_tf.export import savedmodel

    do_once(monkeypatch, savedmodel, "check_parity")
    do_once(monkeypatch, tf.saved_model, "load")
    arguments = ("export", "--format", "savedmodel", "--output", "out/all")
    others = small_disk[1] is not largest_file
    if others:  # so the folders above stay
        main([*arguments])
        arguments = (*arguments, "--version", "2")
    names = at_every_size(arguments, small_disk, capsys, old=False, most=5)
    version = "all/dlir/2" if others else "all/dlir/1"
    assert {f"{version}/saved_model.pb", f"{version}/model_card.md"} < names
    assert min(names) == (version if others else "all")


@pytest.mark.slow
@pytest.mark.usefixtures("exportable")
def test_export_of_a_tflite_file(small_disk, capsys, monkeypatch):
    from dlir_tf.export.tflite import file

    do_once(monkeypatch, file, "check_tflite_parity")
    options = ("--format", "tflite", "--shape", "32,28")
    arguments = ("export", *options, "--output", "out/model.tflite")
    names = at_every_size(arguments, small_disk, capsys, old=False)
    assert names == {"model.tflite"}


@pytest.mark.slow
@pytest.mark.usefixtures("exportable")
def test_export_with_little_room_for_temporary_files(tmp_path, capsys, monkeypatch):
    options = ("--format", "tflite", "--shape", "32,28")
    arguments = ("export", *options, "--output", "model.tflite")
    before = contents(tmp_path)
    disk = tmp_path / "temporary"
    disk.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    with mounted(disk):
        # Not enough for the graph that is converted; then, once that is done, for what
        # the fresh process is given, and for what it gives.
        for size in (0, 20 * PAGE, None, PAGE, 8 * PAGE, 12 * PAGE):
            with contextlib.nullcontext() if size is None else room_for(disk, size):
                code, printed = run(arguments, capsys)
            if size is None:
                assert code == 0
                (tmp_path / "model.tflite").unlink()
                continue
            check_said(code, printed, disk)
            assert list(disk.glob("dlir-tf-*")) == []
    disk.rmdir()
    assert contents(tmp_path) == before
