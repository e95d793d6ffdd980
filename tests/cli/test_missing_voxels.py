"""Voxels without a value (NaN) count as masked, and come back as NaN."""

import json
from pathlib import Path

import numpy as np
import pytest

from dlir_tf.cli import main
from dlir_tf.images import Image, read_image, write_image
from dlir_tf.transforms import Affine, Transform, read_transform, write_transform

PRESET = """
ndim: {ndim}
spacing: null
intensity: {{clip_percentiles: [0.5, 99.5]}}
similarity: {{kind: ncc}}
stages:
- {{transform: bspline, downsample: 1, control_point_spacing: 8}}
refinement: {{steps: 60, learning_rate: 0.05}}
"""
SHIFT = 2.0
REGISTER = (
    *("register", "fixed.nii.gz", "moving.nii.gz", "--preset", "preset.yaml"),
    *("--output", "out/moved.nii.gz", "--report", "out/report.json"),
    *("--figure", "out/figure.png", "--transform", "out/t.npz"),
)


def blobs(points):
    rng = np.random.default_rng(3)
    value = np.zeros(points.shape[:-1])
    for centre in rng.uniform(-18, 18, (14, points.shape[-1])):
        value += np.exp(-((points - centre) ** 2).sum(-1) / 40)
    return 100 + 400 * value


@pytest.fixture(params=[2, 3])
def pair(request, tmp_path, monkeypatch):
    """Moved by 2 mm along the first axis; around a ball, nothing was measured."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    ndim = request.param
    shape = (38, 34, 26)[:ndim]
    affine = np.diag([*(1.3, 1.4, 1.6)[:ndim], 1.0])
    affine[:-1, -1] = -affine[:-1, :-1] @ (np.array(shape) - 1) / 2
    grid = Image(np.zeros(shape), affine).grid
    points = grid.points()
    for name, shift in (("fixed", 0.0), ("moving", SHIFT)):
        here = points - shift * np.eye(ndim)[0]
        outside = np.linalg.norm(here, axis=-1) > 17
        array = np.where(outside, np.nan, blobs(here)).astype(np.float32)
        write_image(f"{name}.nii.gz", Image(array, affine))
    (tmp_path / "preset.yaml").write_text(PRESET.format(ndim=ndim))
    return grid


def test_a_pair_is_registered_and_its_holes_come_back(pair, capsys):
    main(list(REGISTER))
    assert "what comes from outside it is nan" in capsys.readouterr().err
    points = pair.points().reshape(-1, pair.ndim)
    inner = points[np.linalg.norm(points, axis=-1) < 12]
    found = read_transform("out/t.npz").map_points(inner) - inner
    truth = SHIFT * np.eye(pair.ndim)[0]
    assert np.linalg.norm(found - truth, axis=1).mean() < 0.5
    moved, fixed = (read_image(f"{n}.nii.gz").array for n in ("out/moved", "fixed"))
    assert np.isnan(moved).mean() > 0.2
    both = np.isfinite(moved) & np.isfinite(fixed)
    assert both.sum() > 0.85 * np.isfinite(fixed).sum()
    assert np.abs(moved - fixed)[both].mean() < 8
    report = json.loads(Path("out/report.json").read_text())
    assert report["similarity_after"] > 0.98


@pytest.mark.parametrize("value", ["nan", "-3"])
def test_a_fill_value_is_for_what_lies_outside_of_the_image(pair, capsys, value):
    shift = np.eye(pair.ndim + 1)
    shift[0, -1] = 20.0
    write_transform("t.tfm", Transform((Affine(shift),)))
    given = ("moving.nii.gz", "--transform", "t.tfm", "--fill-value", value)
    main(["transform", *given, "--output", "out/moved.nii.gz"])
    moved = read_image("out/moved.nii.gz").array
    np.testing.assert_equal(moved[-1].ravel()[0], float(value))
    assert np.isnan(moved).any()
    assert np.isfinite(moved[moved > 0]).any()


def test_evaluation_takes_such_images(pair, capsys):
    Path("pairs.csv").write_text("fixed,moving\nfixed.nii.gz,moving.nii.gz\n")
    given = ("--pairs", "pairs.csv", "--preset", "preset.yaml")
    main(["evaluate", *given, "--output", "out/e.csv"])
    assert "nan" not in Path("out/e.csv").read_text().lower()


def test_labels_with_holes_are_carried_by_nearest_neighbour(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    array = np.kron([[0, 2, 5], [7, 2, 9]], np.ones((6, 7))).astype(np.float32)
    array[:, :3] = np.nan
    write_image("labels.nii.gz", Image(array, np.eye(3)))
    shift = np.array([[1, 0, 1.6], [0, 1, -2.3], [0, 0, 1]])
    write_transform("t.npz", Transform((Affine(shift),)))
    given = ("--transform", "t.npz", "--output", "moved.nii.gz")
    main(["transform", "labels.nii.gz", *given])
    moved = read_image("moved.nii.gz").array
    expected = np.full(array.shape, np.nan, np.float32)
    expected[:-2, 2:] = array[2:, :-2]
    np.testing.assert_array_equal(moved, expected)
