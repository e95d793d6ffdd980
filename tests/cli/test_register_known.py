"""`dlir-tf register` with landmarks and labels of both images, and its stiffness."""

from pathlib import Path

import numpy as np
import pytest
from register_desk import PAIR, millimetres_in, outputs, refused

from dlir_tf.cli import main
from dlir_tf.images import Image, write_image
from dlir_tf.transforms import read_transform

PRESET = """
ndim: {ndim}
spacing: null
intensity: {{clip_percentiles: null, clip_values: [0, 1]}}
stages:
- {{transform: affine, downsample: 1, feature_spacing: 4}}
- {{transform: bspline, downsample: 1, control_point_spacing: {cells},
   bending_energy: 1.0}}
refinement: {{steps: 120, learning_rate: 0.03}}
"""
PERIOD, SHIFT = 16.0, 15.0
COMMAND = (
    *("register", "fixed.nii.gz", "moving.nii.gz", "--preset", "preset.yaml"),
    *("--output", "out/moved.nii.gz", "--transform", "out/t.npz"),
)
POINTS = ("--fixed-points", "f.csv", "--moving-points", "m.csv")
LABELS = ("--fixed-labels", "fl.nii.gz", "--labels", "ml.nii.gz")


@pytest.fixture(params=[2, 3])
def pair(request, tmp_path, monkeypatch):
    """Balls in a row, moved by nearly the distance from one to the next."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    ndim = request.param
    size, spacing = (72, 40, 20)[:ndim], (1.5, 1.5, 3.0)[:ndim]
    affine = np.diag([*spacing, 1.0])
    places = np.moveaxis(np.indices(size), 0, -1) * np.array(spacing)
    beside = places[..., 1:] - (np.array(size[1:]) - 1) * spacing[1:] / 2
    for side, shift in (("f", 0.0), ("m", SHIFT)):
        number = np.floor((places[..., 0] - shift + PERIOD / 2) / PERIOD).astype(int)
        along = places[..., 0] - shift - PERIOD * number
        square = along**2 + (beside**2).sum(axis=-1)
        name = {"f": "fixed", "m": "moving"}[side]
        image = Image(np.exp(-square / 30).astype(np.float32), affine)
        write_image(f"{name}.nii.gz", image)
        labels = np.where((square < 25) & (number >= 1) & (number <= 4), number, 0)
        write_image(f"{side}l.nii.gz", Image(labels.astype(np.int16), affine))
    points = np.array([[32.0, 28, 27], [48.0, 33, 30], [64.0, 25, 33]])[:, :ndim]
    for name, shift in (("f.csv", 0), ("m.csv", SHIFT)):
        rows = points + shift * np.eye(ndim)[0]
        text = "\n".join(",".join(map(str, row)) for row in rows)
        (tmp_path / name).write_text(",".join("xyz"[:ndim]) + "\n" + text + "\n")
    cells = [8, 8, 4][:ndim]
    (tmp_path / "preset.yaml").write_text(PRESET.format(ndim=ndim, cells=cells))
    return points


def error(points):
    found = read_transform("out/t.npz").map_points(points) - points
    truth = SHIFT * np.eye(points.shape[1])[0]
    return np.linalg.norm(found - truth, axis=1).mean()


def test_points_and_labels_lead_out_of_a_wrong_valley(pair, capsys):
    main(list(COMMAND))
    assert error(pair) > 0.8 * PERIOD
    capsys.readouterr()
    main([*COMMAND, *POINTS])
    (line,) = [s for s in capsys.readouterr().err.splitlines() if "landmarks" in s]
    assert line.startswith("landmarks: ")
    off = error(pair)
    assert off < 1
    assert millimetres_in(line.partition(",")[0]) == pytest.approx(off, rel=0.1)
    moved = ("--moved-labels", "out/labels.nii.gz", "--report", "out/r.json")
    main([*COMMAND, *LABELS, "--labels-weight", "3", *moved])
    assert error(pair) < 1
    written = {path.name for path in Path("out").iterdir()}
    assert written == {"labels.nii.gz", "moved.nii.gz", "r.json", "t.npz"}


def test_weights_and_stiffness_count(pair, capsys):
    main([*COMMAND, *POINTS, "--points-weight", "1e-6"])
    assert error(pair) > 0.8 * PERIOD
    fields = []
    for stiffness in ("0", "1e6"):
        main([*COMMAND, *POINTS, "--refine", "40", "--stiffness", stiffness])
        line = pair[1] + np.linspace(-30, 30, 13)[:, None] * np.eye(pair.shape[1])[0]
        mapped = read_transform("out/t.npz").map_points(line)
        fields.append(np.abs(np.diff(mapped, 2, axis=0)).mean())
    assert fields[0] > 2 * fields[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fixed-points", "p.csv"), "--fixed-points and --moving-points belong"),
        (("--points-weight", "1"), "--points-weight: is for --fixed-points"),
        (("--labels-weight", "1"), "--labels-weight: is for --fixed-labels"),
        (("--fixed-labels", "labels.nii.gz"), "--fixed-labels and --labels belong"),
        (
            ("--fixed-points", "p.csv", "--moving-points", "p.csv"),
            "for its refinement, which isn't asked for; set refine (--refine)",
        ),
        (("--stiffness", "2"), "for its refinement, which isn't asked for"),
        (
            ("--fixed-points", "p.csv", "--moving-points", "q.csv", "--refine", "5"),
            "p.csv and q.csv: landmarks correspond line by line",
        ),
        (
            ("--fixed-points", "p.csv", "--moving-points", "flat.csv"),
            "flat.csv: landmarks of a 3-d image must have 3 coordinates",
        ),
        (
            (
                *("--fixed-points", "p.csv", "--moving-points", "p.csv"),
                *("--refine", "5", "--points-weight", "-1"),
            ),
            "points_weight: must be a number above 0",
        ),
        (("--stiffness", "-1", "--refine", "5"), "stiffness: must be a number from 0"),
        (("--fixed-points", "no.csv", "--moving-points", "p.csv"), "no.csv"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(here, capsys, options, message):
    (here / "p.csv").write_text("x,y,z\n-31,12,70\n-30,10,72\n")
    (here / "q.csv").write_text("x,y,z\n-31,12,70\n")
    (here / "flat.csv").write_text("x,y\n-31,12\n")
    assert message in refused(capsys, here, *PAIR, *options)
    assert outputs(here) == []
