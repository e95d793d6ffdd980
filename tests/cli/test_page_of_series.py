"""`dlir-tf track --page`, and `dlir-tf page` for a folder that `track` wrote."""

import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from dlir_tf.cli import main
from dlir_tf.images import Image, write_frames, write_image
from dlir_tf.images.grid import in_space
from dlir_tf.phantoms import heartbeat

PRESET = """
ndim: 2
spacing: [3.0, 3.0]
stages:
- {transform: bspline, downsample: 1, control_point_spacing: 8, bending_energy: 1.0}
refinement: {steps: 6, learning_rate: 0.15}
"""
NUM_FRAMES = 4


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A cine of a slice, tracked once, with a page."""
    folder = tmp_path_factory.mktemp("tracked")
    beat = heartbeat(3, NUM_FRAMES, shape=(44, 41), spacing=(3.0, 3.1), ndim=2)
    frames = [
        Image(frame.array[..., None], in_space(frame.affine)) for frame in beat.frames
    ]
    write_frames(folder / "cine.nii.gz", frames, time_step=50.0, time_unit="msec")
    labels = beat.labels[0]
    labels = Image(labels.array[..., None], in_space(labels.affine))
    write_image(folder / "labels.nii.gz", labels)
    (folder / "preset.yaml").write_text(PRESET)
    point = beat.scanner.to_world(np.array([[24.0, 3.0, 0.0]]))[0]
    (folder / "points.csv").write_text(f"x,y,z,name\n{point[0]},{point[1]},0,wall\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = "track cine.nii.gz --preset preset.yaml --output out "
        words += "--labels labels.nii.gz --points points.csv --strain 2 "
        words += "--page look.html"
        main(words.split())
    return SimpleNamespace(folder=folder, frames=frames)


@pytest.fixture
def here(done, tmp_path, monkeypatch):
    """A copy of all that, in which one can spoil something."""
    shutil.copytree(done.folder, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def refused(capsys, *words):
    """The one line that a refused command says."""
    with pytest.raises(SystemExit) as stop:
        main(["page", *words])
    assert stop.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_folder_becomes_the_page_that_the_run_made(here, capsys):
    main(["page", "out"])
    assert capsys.readouterr().out == "out/page.html\n"
    page = (here / "out" / "page.html").read_text(encoding="utf-8")
    assert page == (here / "look.html").read_text(encoding="utf-8")
    assert "cine.nii.gz</title>" in page
    data = json.loads(re.search(r'id="page-data">(.*?)</script>', page)[1])
    assert data["frames"]["count"] == NUM_FRAMES
    assert data["frames"]["seconds"] == pytest.approx(0.05)
    assert data["frames"]["first"] == 2  # half a beat later
    assert len(data["field"]["frames"]) == NUM_FRAMES
    assert data["field"]["largest"] > 1  # mm
    assert [one["name"] for one in data["curves"]] == [
        "volumes", "landmarks", "strain", "similarity",
    ]  # fmt: skip
    (landmark,) = data["landmarks"]
    assert np.linalg.norm(np.subtract(landmark["frames"][2], landmark["fixed"])) > 1


def test_both_can_be_moved_together_and_the_series_alone_is_named(here, capsys):
    (here / "there").mkdir()
    shutil.move("cine.nii.gz", "there/cine.nii.gz")
    line = refused(capsys, "out")
    assert "cine.nii.gz: isn't there any more" in line
    main(["page", "out", "--moving", "there/cine.nii.gz", "--title", "<A> heart"])
    assert "<h1>&lt;A&gt; heart</h1>" in (here / "out/page.html").read_text()
    shutil.move("out", "there/out")
    main(["page", "there/out", "--output", "p.html"])
    assert (here / "p.html").is_file()


@pytest.mark.parametrize(
    ("spoil", "words", "told"),
    [
        (None, ("out", "--report", "preset.yaml"), "--report: is for a pair"),
        (None, ("out", "--output", "p.txt"), "ends in .html"),
        (None, ("out", "--moving", "short.nii.gz"), "belongs to 4 frames"),
        (None, ("out", "--moving", "aside.nii.gz"), "or lies elsewhere"),
        ("out/transforms/frame_2.npz", ("out",), "has no transform of frame 2"),
        ("out/corrected.nii.gz", ("out",), "has no corrected series"),
        ("=out/frames.csv", ("out",), "frames.csv: is not what dlir-tf track wrote"),
        ("=out/series.json", ("out",), "series.json: is not what dlir-tf track wrote"),
        ("out/series.json", ("out",), "that was interrupted"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(
    done, here, capsys, spoil, words, told
):
    moved = [Image(one.array, one.affine + np.eye(4, k=3) * 2.0) for one in done.frames]
    write_frames("short.nii.gz", done.frames[:3])
    write_frames("aside.nii.gz", moved)
    if spoil and spoil.startswith("="):
        (here / spoil[1:]).write_text("frame,similarity_before\n0,none\n")
    elif spoil:
        (here / spoil).unlink()
        (here / "out" / "unfinished").mkdir()
    assert told in refused(capsys, *words)
    assert not (here / "out" / "page.html").exists()


def test_a_page_that_could_not_be_written_is_refused_before_the_work(here, capsys):
    with pytest.raises(SystemExit):
        main(["track", "cine.nii.gz", "--output", "new", "--page", "no/where.html"])
    assert "its folder doesn't exist" in capsys.readouterr().err
    assert not (here / "new").exists()
