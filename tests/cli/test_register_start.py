"""`dlir-tf register --initial-transform`: goes on from what is there already."""

import numpy as np
import pytest
from register_desk import PAIR, map_by_itk, outputs, points_of, refused

from dlir_tf.cli import main
from dlir_tf.images import Image, read_image, write_image
from dlir_tf.transforms import (
    Affine,
    Transform,
    read_chain,
    read_transform,
    write_transform,
)

PRESET = """
ndim: {ndim}
spacing: null
initial_alignment: header
intensity: {{clip_percentiles: null, clip_values: [0, 1]}}
stages:
- {{transform: bspline, downsample: 1, control_point_spacing: 8}}
refinement: {{steps: 40, learning_rate: 0.05}}
"""
FAR = (70.0, -40.0, 30.0)


def blobs(points):
    """A picture by its world points, which no shift leaves alike."""
    value = np.zeros(points.shape[:-1])
    rng = np.random.default_rng(1)
    for centre in rng.uniform(-15, 15, (9, points.shape[-1])):
        value += np.exp(-((points - centre) ** 2).sum(-1) / 30)
    return (value / 3).clip(0, 1).astype(np.float32)


@pytest.fixture(params=[2, 3])
def pair(request, tmp_path, monkeypatch):
    """The moving image lies far away, turned by 90° and 2 mm off that."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    ndim = request.param
    shape = (36, 32, 28)[:ndim]
    affine = np.diag([*(1.3, 1.4, 1.5)[:ndim], 1.0])
    affine[:-1, -1] = -affine[:-1, :-1] @ (np.array(shape) - 1) / 2
    fixed = Image(np.zeros(shape, np.float32), affine)
    write_image("fixed.nii.gz", fixed.with_array(blobs(fixed.grid.points())))
    turn = np.eye(ndim + 1)
    turn[:2, :2] = [[0, -1], [1, 0]]
    turn[:-1, -1] = FAR[:ndim]
    there = fixed.grid.mapped(turn)
    seen = there.points() @ np.linalg.inv(turn)[:-1, :-1].T
    seen += np.linalg.inv(turn)[:-1, -1] + 2.0
    write_image("moving.nii.gz", Image(blobs(seen), there.affine))
    # In two steps, of which the second one is given as its inverse.
    shift, rest = np.eye(ndim + 1), turn.copy()
    shift[:-1, -1] = 5.0
    rest[:-1, -1] -= turn[:-1, :-1] @ shift[:-1, -1]
    write_transform("a.tfm", Transform((Affine(shift),)))
    write_transform("b.tfm", Transform((Affine(np.linalg.inv(rest).round(9)),)))
    (tmp_path / "preset.yaml").write_text(PRESET.format(ndim=ndim))
    return fixed, turn


START = ("--initial-transform", "a.tfm", "--initial-transform", "[b.tfm,1]")
COMMAND = (
    *("register", "fixed.nii.gz", "moving.nii.gz", "--preset", "preset.yaml"),
    *("--output", "out/moved.nii.gz"),
)


def inner(fixed):
    """Points well inside of the image."""
    last = np.array(fixed.shape) - 1
    voxels = last * np.random.default_rng(0).uniform(0.3, 0.7, (50, fixed.ndim))
    return fixed.grid.to_world(voxels)


def test_what_is_written_includes_the_start(pair, capsys):
    fixed, turn = pair
    written = ("--transform", "out/t.tfm", "--inverse", "out/i.npz")
    main([*COMMAND, *START, *written])
    points = inner(fixed)
    truth = Transform((Affine(turn),)).map_points(points - 2.0)
    found = map_by_itk_file("out/t.tfm", points)
    start = read_chain(["a.tfm", "[b.tfm,1]"]).map_points(points)
    off, before = (np.linalg.norm(x - truth, axis=1).mean() for x in (found, start))
    assert off < 0.4 * before
    back = read_transform("out/i.npz").map_points(found)
    np.testing.assert_allclose(back, points, atol=1e-3)
    moved = read_image("out/moved.nii.gz")
    assert np.corrcoef(moved.array.ravel(), blobs(fixed.grid.points()).ravel())[
        0, 1
    ] > (0.95)


def map_by_itk_file(name, points):
    import SimpleITK as sitk

    return map_by_itk(sitk.ReadTransform(name), points)


def test_without_initial_the_two_are_a_chain(pair, capsys):
    fixed, _ = pair
    whole = ("--transform", "out/whole.npz")
    main([*COMMAND, *START, *whole])
    rest = ("--transform", "out/rest.npz", "--inverse", "out/back.npz")
    main([*COMMAND, *START, *rest, "--without-initial"])
    points = inner(fixed)
    expected = read_transform("out/whole.npz").map_points(points)
    chain = read_chain(["out/rest.npz", "a.tfm", "[b.tfm,1]"])
    np.testing.assert_allclose(chain.map_points(points), expected, atol=1e-6)
    own = read_transform("out/rest.npz").map_points(points)
    assert 0.5 < np.abs(own - points).max() < 6
    back = read_transform("out/back.npz").map_points(own)
    np.testing.assert_allclose(back, points, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--initial-transform", "no.tfm"), "no such file: no.tfm"),
        (("--initial-transform", "[t.tfm]"), "must be given as [FILE,1]"),
        (
            ("--initial-transform", "t.tfm", "--initial-alignment", "mass"),
            "--initial-transform and --initial-alignment exclude each other",
        ),
        (("--initial-transform", "flat.tfm"), "must be 3-d"),
        (("--initial-transform", "far.tfm"), "its inverse may be what is meant"),
        (("--without-initial",), "is for --initial-transform, which isn't given"),
        (
            ("--initial-transform", "t.tfm", "--without-initial"),
            "is about the files of --transform and --inverse",
        ),
        (
            ("--initial-transform", "t.tfm", "--transform", "t.tfm"),
            "t.tfm: is an input or another output already",
        ),
    ],
)
def test_what_does_not_go_together_is_one_sentence(here, capsys, options, message):
    far = np.eye(4)
    far[0, 3] = 9000
    for name, matrix in (("t", np.eye(4)), ("flat", np.eye(3)), ("far", far)):
        write_transform(f"{name}.tfm", Transform((Affine(matrix),)))
    assert message in refused(capsys, here, *PAIR, *options)
    assert outputs(here) == []


def test_a_model_goes_on_from_it_too(here, capsys):
    """The moved image is the same as if the moving one had lain there."""
    shift = np.eye(4)
    shift[:3, 3] = 40, -30, 20
    write_transform("t.tfm", Transform((Affine(shift),)))
    main([*PAIR, "--transform", "out/plain.npz"])
    plain = read_image("out/moved.nii.gz").array
    moving = read_image("moving.nii.gz")
    write_image("moving.nii.gz", Image(moving.array, shift @ moving.affine))
    main([*PAIR, "--initial-transform", "t.tfm", "--transform", "out/t.npz"])
    np.testing.assert_allclose(read_image("out/moved.nii.gz").array, plain, atol=1)
    points = points_of(read_image("fixed.nii.gz"))
    expected = read_transform("out/plain.npz").map_points(points) + shift[:3, 3]
    found = read_transform("out/t.npz").map_points(points)
    np.testing.assert_allclose(found, expected, atol=0.02)
