"""`dlir-tf transform` carries images; SimpleITK is the judge."""

import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import grid_of, itk_map, random_image
from transform_desk import (
    MOVE,
    REFERENCE,
    Desk,
    T,
    assert_equal_but_ties,
    refused,
    transform,
)

from dlir_tf.images import (
    Image,
    read_displacement,
    read_frames,
    read_image,
    write_displacement,
    write_frames,
    write_image,
)
from dlir_tf.transforms import DenseField, Transform
from dlir_tf.transforms.files.dispatch import write_transform


def test_an_image_is_carried_as_itk_does_it(desk, capsys):
    arguments = ("moving.nii.gz", *T, *REFERENCE, "--output", "out/moved.nii.gz")
    out, err = transform(capsys, *arguments)
    assert out == ["out/moved.nii.gz"]
    assert err == []
    assert desk.written() == ["moved.nii.gz"]
    moved = read_image("out/moved.nii.gz")
    assert moved.array.dtype == np.int16
    np.testing.assert_allclose(moved.affine, desk.fixed.affine, atol=1e-4)
    expected = desk.judge(desk.moving)
    assert np.ptp(expected) > 50
    assert np.mean(expected > 0) > 0.3
    assert_equal_but_ties(moved.array, expected, 0.51)


@pytest.mark.parametrize(
    "name", ["t.h5", "t.tfm", "t_0GenericAffine.mat", "t.nii.gz"], ids=str
)
def test_transforms_of_other_programs_do_the_same(desk, capsys, name):
    ours = desk.parameters.ours()
    write_transform(Path(name), ours, reference=desk.fixed)
    wanted = ("--transform", name, *REFERENCE, "--output", "out/moved.nii.gz")
    transform(capsys, "moving.nii.gz", *wanted)
    moved = read_image("out/moved.nii.gz").array
    assert_equal_but_ties(moved, desk.judge(desk.moving), 0.51, share=0.02)


def test_labels_are_known_by_themselves_and_never_mixed(desk, capsys):
    arguments = ("labels.nii.gz", *T, *REFERENCE, "--output", "out/moved.nii.gz")
    _, (line,) = transform(capsys, *arguments)
    assert line.startswith("labels.nii.gz: holds labels")
    moved = read_image("out/moved.nii.gz").array
    assert moved.dtype == np.uint16
    assert set(np.unique(moved)) == {0, 3, 517}
    expected = desk.judge(desk.labels, sitk.sitkNearestNeighbor)
    assert_equal_but_ties(moved, expected)


def test_labels_are_called_what_they_were_called(desk, capsys):
    labels = nib.load("labels.nii.gz")
    labels.header.set_intent("label", name="atlas")
    nib.save(labels, "named.nii.gz")
    transform(capsys, "named.nii.gz", *T, *REFERENCE, "--output", "out/moved.nii.gz")
    assert nib.load("out/moved.nii.gz").header.get_intent() == ("label", (), "atlas")


def test_labels_get_smooth_borders_if_that_is_wanted(desk, capsys):
    wanted = ("--interpolation", "label", "--output", "out/moved.nii.gz")
    _, err = transform(capsys, "labels.nii.gz", *T, *REFERENCE, *wanted)
    assert err == []
    moved = read_image("out/moved.nii.gz").array
    assert moved.dtype == np.uint16
    assert set(np.unique(moved)) == {0, 3, 517}
    ours = desk.parameters.ours()
    expected = ours.resample(desk.labels, desk.fixed, interpolation="label").array
    assert_equal_but_ties(moved, expected)
    nearest = desk.judge(desk.labels, sitk.sitkNearestNeighbor)
    assert 0.01 < np.mean(moved != nearest) < 0.3


def test_labels_are_mixed_if_that_is_wanted(desk3, capsys):
    wanted = ("--interpolation", "linear", "--output", "out/moved.nii.gz")
    _, err = transform(capsys, "labels.nii.gz", *T, *REFERENCE, *wanted)
    assert err == []
    moved = read_image("out/moved.nii.gz").array
    assert_equal_but_ties(moved, desk3.judge(desk3.labels), 0.51)
    assert len(np.unique(moved)) > 20


def test_cubic_interpolation_is_that_of_itk(desk3, capsys):
    wanted = ("--interpolation", "cubic", "--output", "out/moved.nii.gz")
    transform(capsys, "moving.nii.gz", *T, *REFERENCE, *wanted)
    moved = read_image("out/moved.nii.gz").array
    assert_equal_but_ties(moved, desk3.judge(desk3.moving, sitk.sitkBSpline), 0.51)
    linear = desk3.judge(desk3.moving)
    assert np.abs(moved - linear).max() > 2


def test_nearest_and_fill_value_are_obeyed(desk3, capsys):
    wanted = ("--interpolation", "nearest", "--fill-value", "-1024")
    arguments = ("moving.nii.gz", *T, *REFERENCE, *wanted, "--output", "out/m.mha")
    transform(capsys, *arguments)
    moved = read_image("out/m.mha").array
    expected = desk3.judge(desk3.moving, sitk.sitkNearestNeighbor, -1024)
    assert np.any(expected == -1024)
    assert_equal_but_ties(moved, expected)


def test_several_inputs_go_into_a_folder_by_their_names(desk3, capsys):
    write_image("more.mhd", desk3.moving)
    inputs = ("moving.nii.gz", "labels.nii.gz", "more.mhd")
    out, err = transform(capsys, *inputs, *T, *REFERENCE, "--output", "out/new")
    assert out == [f"out/new/{name}" for name in inputs]
    assert [line for line in err if "holds labels" not in line] == []
    assert desk3.written() == [
        "labels.nii.gz",
        "more.mhd",
        "more.zraw",
        "moving.nii.gz",
        "new",
    ]
    for name in inputs:
        single = ("--output", f"out/{name}")
        transform(capsys, name, *T, *REFERENCE, *single)
        alone, together = read_image(f"out/{name}"), read_image(f"out/new/{name}")
        assert alone.array.dtype == together.array.dtype
        # One displacement for all is in single precision.
        assert_equal_but_ties(together.array, alone.array)
        assert np.any(alone.array)


def test_a_series_is_carried_frame_by_frame(desk, capsys, rng):
    affine, shape = desk.moving.affine, desk.moving.shape
    images = [random_image(rng, shape, affine, np.float32) for _ in range(3)]
    if desk.ndim == 2:  # NIfTI has time on the fourth axis alone
        images = images[:2]
    write_frames("cine.nii.gz", images, time_step=35.0, time_unit="msec")
    arguments = ("cine.nii.gz", *T, *REFERENCE, "--output", "out/cine.nii.gz")
    _, err = transform(capsys, *arguments)
    assert err == [f"cine.nii.gz: {len(images)} of {len(images)} frames"]
    moved = read_frames("out/cine.nii.gz")
    assert (moved.time_step, moved.time_unit) == (35.0, "msec")
    assert len(moved) == len(images)
    for frame, image in zip(moved, images, strict=True):
        array = frame.array.reshape(desk.fixed.shape)
        assert_equal_but_ties(array, desk.judge(image), 1e-2)


def test_the_inverse_takes_images_of_the_fixed_world_to_the_moving_one(desk, capsys):
    """Ramps tell which point of the fixed world each voxel was taken from."""
    places = grid_of(desk.fixed)
    for axis in range(desk.ndim):
        ramp = desk.fixed.with_array(places[..., axis].astype(np.float32))
        write_image(f"ramp{axis}.nii.gz", ramp)
    ramps = [f"ramp{axis}.nii.gz" for axis in range(desk.ndim)]
    wanted = ("--inverse", "--reference", "moving.nii.gz", "--fill-value", "nan")
    _, err = transform(capsys, *ramps, *T, *wanted, "--output", "out")
    assert len(err) == 1
    assert "the inverse holds to" in err[0]
    moved = [np.asarray(nib.load(f"out/{name}").dataobj) for name in ramps]
    points = np.stack(moved, axis=-1).reshape(-1, desk.ndim)
    inside = np.isfinite(points).all(axis=-1)
    assert inside.mean() > 0.2
    # Close to the border, ramps are continued by constants.
    voxels = points - desk.fixed.affine[:-1, -1]
    voxels = voxels @ np.linalg.inv(desk.fixed.affine[:-1, :-1]).T
    low, high = 0.01, np.array(desk.fixed.shape) - 1.01
    inside[inside] = np.all((voxels > low) & (voxels < high), axis=-1)[inside]
    assert inside.mean() > 0.1
    back = itk_map(desk.parameters.itk(), points[inside].astype(np.float64))
    expected = grid_of(desk.moving).reshape(-1, desk.ndim)[inside]
    np.testing.assert_allclose(back, expected, atol=1e-3)


def test_an_inverse_that_fails_is_warned_of(desk3, capsys):
    """Where a field that isn't zero ends, nothing is mapped into the gap."""
    half = (desk3.fixed.shape[0] // 2, *desk3.fixed.shape[1:])
    direction = desk3.fixed.affine[:3, 0] / desk3.fixed.spacing[0]
    gap = np.broadcast_to(-6.0 * direction, (*half, 3))
    write_transform(Path("t.npz"), Transform((DenseField(gap, desk3.fixed.affine),)))
    wanted = ("--inverse", "--output", "out/moved.nii.gz")
    _, err = transform(capsys, "fixed.nii.gz", *T, *REFERENCE, *wanted)
    (line,) = [line for line in err if line.startswith("Warning: ")]
    assert "the inverse is off by up to" in line
    assert desk3.written() == ["moved.nii.gz"]


def test_without_reference_a_result_lies_on_its_own_grid(desk3, capsys, rng):
    affine = desk3.fixed.affine
    write_image("other.nii.gz", random_image(rng, (9, 11, 7), affine))
    arguments = ("other.nii.gz", *T, "--output", "out/moved.nii.gz")
    _, (line,) = transform(capsys, *arguments)
    assert "no reference is given, so the result has its own grid" in line
    moved = read_image("out/moved.nii.gz")
    assert moved.shape == (9, 11, 7)
    np.testing.assert_allclose(moved.affine, affine, atol=1e-4)


def test_without_reference_a_displacement_field_says_the_grid(desk3, capsys):
    field = desk3.parameters.ours().displacement(desk3.fixed)
    write_displacement("field.nii.gz", field, desk3.fixed.grid)
    field, grid, _ = read_displacement("field.nii.gz")
    write_transform(Path("t.npz"), Transform((DenseField(field, grid.affine),)))
    arguments = ("moving.nii.gz", *T, "--output", "out/moved.nii.gz")
    _, (line,) = transform(capsys, *arguments)
    assert "results lie on the displacement's grid" in line
    moved = read_image("out/moved.nii.gz")
    assert_equal_but_ties(moved.array, desk3.judge(desk3.moving), 0.51)


def test_a_2d_image_in_one_slice_stays_one(tmp_path, monkeypatch, rng, capsys):
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path, rng, 2)
    for name, image in (("moving", desk.moving), ("fixed", desk.fixed)):
        affine = np.eye(4)
        affine[np.ix_([0, 1, 3], [0, 1, 3])] = image.affine
        affine[2, 2:] = 8, 40
        write_image(f"{name}.nii.gz", Image(image.array[..., None], affine))
    arguments = ("moving.nii.gz", *T, *REFERENCE, "--output", "out/moved.nii.gz")
    transform(capsys, *arguments)
    moved = read_image("out/moved.nii.gz")
    np.testing.assert_allclose(moved.affine, affine, atol=1e-4)
    assert_equal_but_ties(moved.array[..., 0], desk.judge(desk.moving), 0.51)


def test_a_small_overlap_is_found(desk3, capsys):
    """One voxel of the moving image within a grid that a sample passes over."""
    there = desk3.parameters.ours().map_points(grid_of(desk3.fixed)[4:5, 7, 2])
    affine = np.diag([1e-2, 1e-2, 1e-2, 1.0])
    affine[:3, 3] = there[0] - 1e-2
    write_image("dot.nii", Image(np.arange(27.0).reshape(3, 3, 3), affine))
    large = desk3.fixed.affine.copy()
    large[:3, 3] -= large[:3, :3] @ [40, 50, 60]
    array = np.zeros((90, 101, 103), np.uint8)
    array[0] = 1
    write_image("large.nii", Image(array, large))
    arguments = ("dot.nii", *T, "--reference", "large.nii", "--output", "out/m.nii")
    transform(capsys, *arguments)
    (place,) = np.argwhere(np.asarray(nib.load("out/m.nii").dataobj))
    assert tuple(place) == (44, 57, 62)


def test_tensorflow_is_not_needed(desk3):
    code = (
        "import sys; from dlir_tf.cli import main; main(sys.argv[1:]); "
        "sys.exit(bool({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
    )
    arguments = [*MOVE, "out/moved.nii.gz"]
    done = subprocess.run(
        [sys.executable, "-c", code, "transform", *arguments], check=False
    )
    assert done.returncode == 0
    assert desk3.written() == ["moved.nii.gz"]


def test_the_orientation_source_is_forced_for_all_files(desk3, capsys):
    """The sform is of another image's world; without the option, the qform counts."""
    shift = 5 * np.eye(4, k=3)
    for name in ("moving", "fixed"):
        image = nib.load(f"{name}.nii.gz")
        image.set_qform(image.affine, 1)
        image.set_sform(image.affine + shift, 2)
        nib.save(image, f"{name}.nii.gz")
    command = ("moving.nii.gz", *T, *REFERENCE, "--output", "out/moved.nii.gz")
    place = desk3.fixed.affine
    told = ["Warning: fixed.nii.gz: sform", "Warning: moving.nii.gz: sform"]
    for options, affine, expected in (
        ((), place, told),
        (("--orientation-source", "qform"), place, []),
        (("--orientation-source", "sform"), place + shift, []),
    ):
        _, err = transform(capsys, *command, *options)
        assert [line.partition(" and qform disagree")[0] for line in err] == expected
        moved = read_image("out/moved.nii.gz")
        np.testing.assert_allclose(moved.affine, affine, atol=1e-3)


def test_voxels_elsewhere_are_read_if_that_is_allowed(desk3, capsys):
    """And only then: the next command asks again."""
    write_image("a.mhd", read_image("moving.nii.gz"))
    for folder in ("elsewhere", "here"):
        Path(folder).mkdir()
    Path("a.zraw").rename("elsewhere/a.zraw")
    header = Path("a.mhd").read_text().replace("a.zraw", "../elsewhere/a.zraw")
    Path("here/a.mhd").write_text(header)
    given = ("here/a.mhd", *T, *REFERENCE, "--output")
    cure = "if you trust the header, say --allow-elsewhere"
    assert cure in refused(capsys, desk3, *given, "out/a.nii.gz")
    transform(capsys, *given, "out/a.nii.gz", "--allow-elsewhere")
    np.testing.assert_allclose(read_image("out/a.nii.gz").affine, desk3.fixed.affine)
    with pytest.raises(SystemExit):
        transform(capsys, *given, "out/b.nii.gz")
