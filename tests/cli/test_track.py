"""`dlir-tf track`: what comes into its folder, and what it refuses."""

import csv
import errno
import json

import numpy as np
import pytest

from dlir_tf.cli import main
from dlir_tf.errors import WriteError
from dlir_tf.images import Image, read_frames, write_frames, write_image
from dlir_tf.images.grid import in_space
from dlir_tf.phantoms import heartbeat
from dlir_tf.series import results, way
from dlir_tf.transforms import read_transform

PRESET = """
ndim: 2
spacing: [3.0, 3.0]
stages:
- {transform: bspline, downsample: 1, control_point_spacing: 8, bending_energy: 1.0}
refinement: {steps: 12, learning_rate: 0.15}
"""
BY_PRESET = ("--preset", "preset.yaml", "--output", "out")


def in_3d(image):
    """A slice as scanners store it."""
    return Image(image.array[..., None], in_space(image.affine))


@pytest.fixture
def beat(tmp_path, monkeypatch):
    """A folder with a cine of four frames, labels and landmarks of the second."""
    monkeypatch.chdir(tmp_path)
    found = heartbeat(3, 4, shape=(44, 41), spacing=(3.0, 3.1), ndim=2)
    frames = [in_3d(frame) for frame in found.frames]
    write_frames("cine.nii.gz", frames, time_step=50.0, time_unit="msec")
    for number, frame in enumerate(frames):
        write_image(f"frame{number}.nii.gz", frame)
    for number in (0, 1):
        write_image(f"labels{number}.nii.gz", in_3d(found.labels[number]))
    point = found.scanner.to_world(np.array([[24.0, 3.0, 0.0]]))[0]
    text = f"x,y,z,name\n{point[0]},{point[1]},0,wall\n"
    (tmp_path / "points.csv").write_text(text)
    (tmp_path / "preset.yaml").write_text(PRESET)
    return found


def run(*words):
    """Runs the command; returns its exit code."""
    try:
        main(["track", *map(str, words)])
    except SystemExit as stop:
        return stop.code
    return 0


def rows(path):
    """Of a CSV file."""
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_everything_is_written_and_fits_together(beat, tmp_path, capsys):
    code = run(
        *("cine.nii.gz", "--periodic", *BY_PRESET, "--labels", "labels1.nii.gz"),
        *("--points", "points.csv", "--labels-frame", "1", "--strain", "2"),
    )
    assert not code
    out = tmp_path / "out"
    shown = set(capsys.readouterr().out.split())
    assert {"out/corrected.nii.gz", "out/volumes.png", "out/strain.csv"} <= shown
    assert not (out / "unfinished").exists()
    corrected, labels = (
        read_frames(out / f"{name}.nii.gz") for name in ("corrected", "labels")
    )
    for series in (corrected, labels):
        assert len(series) == 4
        assert series[0].shape == (44, 41, 1)
        assert (series.time_step, series.time_unit) == (50.0, "msec")
    assert np.array_equal(labels[1].array[..., 0], beat.labels[1].array)
    cavity = [
        float(row["volume_ml"])
        for row in rows(out / "volumes.csv")
        if row["label"] == "3"
    ]
    assert np.argmin(cavity) == 2
    fraction = next(r for r in rows(out / "ejection.csv") if r["label"] == "3")
    expected = (max(cavity) - cavity[2]) / max(cavity)
    assert float(fraction["fraction"]) == pytest.approx(expected, abs=1e-3)
    strain = rows(out / "strain.csv")
    assert float(strain[1]["radial"]) == 0
    assert float(strain[2]["circumferential"]) < 0
    assert [row["start"] for row in rows(out / "frames.csv")] == ["", *["rest"] * 3]
    assert json.loads((out / "series.json").read_text())["reference"] == 0
    check_points_and_transforms(out)


def check_points_and_transforms(out):
    """The files of the frames say the same of a landmark."""
    places = rows(out / "displacements.csv")
    assert [row["frame"] for row in places] == ["0", "1", "2", "3"]
    assert float(places[1]["distance"]) == 0
    point = np.array([[float(places[0][axis]) for axis in "xyz"]])
    for number in (1, 2, 3):
        transform = read_transform(out / "transforms" / f"frame_{number}.npz")
        inverse = read_transform(out / "inverses" / f"frame_{number}.npz")
        moved = transform.map_points(point)
        told = [float(places[number][axis]) for axis in "xyz"]
        assert np.allclose(moved, told, atol=1e-3)
        assert np.allclose(inverse.map_points(moved), point, atol=1e-3)
        (row,) = rows(out / "points" / f"frame_{number}.csv")
        assert row["name"] == "wall"
        assert float(row["x"]) == pytest.approx(told[0], abs=1e-3)


def test_frames_in_files_are_a_series(beat, tmp_path, capsys):
    """Names of segments can't go with labels in time, which is said."""
    files = [f"frame{n}.nii.gz" for n in range(4)]
    named = {"Segment0_Name": "wall", "Segment0_LabelValue": "2"}
    labels = read_frames("labels1.nii.gz")
    write_frames("labels.seg.nrrd", labels, segments=named)
    to_mean = ("--reference", "mean", "--format", ".h5")
    given = ("--labels", "labels.seg.nrrd", "--labels-frame", "1")
    assert not run(*files, *BY_PRESET, *to_mean, *given)
    assert "so results have their numbers alone: 2 is wall" in capsys.readouterr().err
    assert len(read_frames(tmp_path / "out" / "corrected.nii.gz")) == 4
    assert (tmp_path / "out" / "inverses" / "frame_3.h5").exists()
    assert (
        json.loads((tmp_path / "out" / "series.json").read_text())["reference"]
        == "mean"
    )


def test_coloured_frames_are_followed_by_the_channel_of_a_config(
    beat, tmp_path, capsys
):
    """The first channel stands still, the second one moves; or as --channel says."""
    for number, frame in enumerate(beat.frames):
        arrays = beat.frames[0].array, frame.array
        channels = np.stack([a.astype(np.uint16) for a in arrays], axis=-1)
        image = Image(channels[..., 0], frame.affine, None, channels)
        write_image(tmp_path / f"{number}.mha", image)
    files = [f"{n}.mha" for n in range(4)]
    (tmp_path / "preset.yaml").write_text(PRESET + "channel: 2\n")
    assert not run(*files, *BY_PRESET)
    said = capsys.readouterr().err
    assert "in colours" in said
    assert "made for" not in said
    others = ("--output", "other", "--channel", 1)
    assert not run(*files, *BY_PRESET[:2], *others)
    assert "made for channel 2, but a frame, which has 2" in capsys.readouterr().err
    moved = [
        max(float(row["largest_displacement"]) for row in rows(folder / "frames.csv"))
        for folder in (tmp_path / "out", tmp_path / "other")
    ]
    assert moved[0] > 3
    assert moved[1] == 0.0


def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(
    beat, tmp_path, monkeypatch, capsys
):
    registered, whole = [], way.FrameRegistrar.register

    def interrupted(self, frame, *others):
        if len(registered) == 2:
            raise KeyboardInterrupt
        registered.append(frame)
        return whole(self, frame, *others)

    command = ("cine.nii.gz", "--preset", "preset.yaml", "--output")
    assert not run(*command, "straight")
    monkeypatch.setattr(way.FrameRegistrar, "register", interrupted)
    assert run(*command, "out") == 130
    assert (tmp_path / "out" / "unfinished").is_dir()
    assert run("cine.nii.gz", *BY_PRESET, "--stiffness", "2") == 1
    assert "with other options" in capsys.readouterr().err
    registered.clear()
    assert not run(*command, "out")
    assert len(registered) == 1  # the one that was missing
    for name in ("frames.csv", "transforms/frame_2.npz", "corrected.nii.gz"):
        both = (tmp_path / folder / name for folder in ("straight", "out"))
        assert len({path.read_bytes() for path in both}) == 1, name


def test_what_was_found_outlasts_a_disk_that_is_full(
    beat, tmp_path, monkeypatch, capsys
):
    def full(writers):
        (tmp_path / "out" / "frames.csv").write_text("half")
        raise WriteError("out/frames.csv", OSError(errno.ENOSPC, "No space left"))

    with monkeypatch.context() as patch:
        patch.setattr(results, "write_together", full)
        assert run("cine.nii.gz", *BY_PRESET) == 1
    assert "the disk is full" in capsys.readouterr().err
    monkeypatch.delattr(way.FrameRegistrar, "register")
    assert not run("cine.nii.gz", *BY_PRESET)
    assert len(rows(tmp_path / "out" / "frames.csv")) == 4
    assert not (tmp_path / "out" / "unfinished").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("frame0.nii.gz",), "frame0.nii.gz: must have at least two frames"),
        (("cine.nii.gz", "frame0.nii.gz"), "cine.nii.gz: has 4 frames of its own"),
        (("frame0.nii.gz", "short.nii.gz"), "short.nii.gz: all frames must lie on one"),
        (("frame0.nii.gz", "aside.nii.gz"), "aside.nii.gz: all frames must lie on one"),
        (("cine.nii.gz", "--reference", "4"), "must be a frame from 0 to 3 or mean"),
        (("cine.nii.gz", "--reference", "x"), "must be a frame from 0 to 3 or mean"),
        (("cine.nii.gz", "--labels", "short.nii.gz"), "short.nii.gz: labels must have"),
        (("cine.nii.gz", "--labels", "no.nii.gz"), "no such file: no.nii.gz"),
        (("cine.nii.gz", "--smooth", "1"), "cine.nii.gz: smooth: must be a period"),
        (("cine.nii.gz", "--labels-frame", "1"), "of which none is given"),
        (("cine.nii.gz", "--strain", "2"), "needs the myocardium in --labels"),
        (
            ("cine.nii.gz", "--labels", "labels0.nii.gz", "--strain", "9"),
            "labels0.nii.gz: strain: there must be a label 9",
        ),
        (
            ("cine.nii.gz", "--labels", "labels0.nii.gz", "--labels-frame", "7"),
            "--labels-frame: must be a frame from 0 to 3",
        ),
        (
            ("cine.nii.gz", "--points", "points.csv", "--reference", "mean"),
            "--labels-frame: must say which frame",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(beat, words, told, tmp_path, capsys):
    first = in_3d(beat.frames[0])
    write_image("short.nii.gz", Image(first.array[:40], first.affine))
    moved = first.affine + np.eye(4, k=3) * 2.0
    write_image("aside.nii.gz", Image(first.array, moved))
    assert run(*words, *BY_PRESET) == 1
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert told in line
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_stays_as_it_is(beat, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "series.json").write_text("{}")
    assert run("cine.nii.gz", *BY_PRESET) == 1
    assert (
        "but there is series.json; choose another --output" in capsys.readouterr().err
    )
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["series.json"]
