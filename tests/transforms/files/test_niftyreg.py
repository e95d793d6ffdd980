"""NiftyReg's fields: by its definition, x' = field(x), in RAS+ mm."""

import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest
from itk_judge import random_frame, random_image, random_parameters, reference_within
from scipy import ndimage

from dlir_tf.errors import InputError
from dlir_tf.images import Grid, write_image
from dlir_tf.transforms import (
    BSpline,
    DenseField,
    Transform,
    read_transform,
    write_transform,
)

KINDS = {"niftyreg": 0, "niftyreg-disp": 1}
SHAPE = {2: (23, 31), 3: (17, 14, 19)}
FINE = {2: (0.25, 0.2), 3: (0.3, 0.4, 0.5)}


def resampled(path, ndim, moving):
    """What reg_resample does: the moving image at the points of the field."""
    image = nib.load(path)
    vectors = image.get_fdata().reshape(*image.shape[:ndim], ndim)
    if image.header["intent_p1"] == 1:
        voxels = np.moveaxis(np.indices(image.shape[:ndim]), 0, -1)
        to_world = image.affine[:ndim]
        vectors = vectors + voxels @ to_world[:, :ndim].T + to_world[:, 3]
    back = np.linalg.inv(moving.affine)
    voxels = vectors @ back[:-1, :-1].T + back[:-1, -1]
    return ndimage.map_coordinates(moving.array, np.moveaxis(voxels, -1, 0), order=1)


@pytest.mark.parametrize("form", KINDS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_written_fields_by_their_definition(rng, tmp_path, ndim, form):
    parameters = random_parameters(rng, ndim, 1, size={2: 0.3, 3: 0.06}[ndim])
    fixed = reference_within(rng, parameters.grid, FINE[ndim], SHAPE[ndim])
    transform = parameters.ours()
    path = tmp_path / "field.nii.gz"
    error = write_transform(path, transform, reference=fixed, form=form)

    header = nib.load(path).header
    assert header.get_data_shape() == (*(*SHAPE[ndim], 1, 1)[:4], ndim)
    assert header["intent_code"] == 1007
    assert header["intent_name"] == b"NREG_TRANS"
    assert header["intent_p1"] == KINDS[form]

    there = transform.map_points(fixed.grid.points().reshape(-1, ndim))
    shape, spacing = (25, 21, 23)[:ndim], (0.7, 0.9, 0.8)[:ndim]
    frame = random_frame(rng, spacing, there.mean(axis=0), shape)
    moving = random_image(rng, shape, frame)
    moved = transform.resample(moving, fixed).array
    assert np.ptp(moved) > 20
    np.testing.assert_allclose(resampled(path, ndim, moving), moved, atol=5e-3)

    last = np.asarray(fixed.shape) - 1
    points = fixed.grid.to_world(last * rng.uniform(size=(300, ndim)))
    again = read_transform(path).map_points(points)
    apart = np.linalg.norm(again - transform.map_points(points), axis=1).max()
    assert 0 < apart < 1.5 * error < 0.1

    if shutil.which("reg_resample"):
        judged = by_niftyreg(tmp_path, fixed, moving, path)
        np.testing.assert_allclose(judged, moved, atol=5e-3)


def by_niftyreg(folder, fixed, moving, field):
    """NiftyReg itself; release 1.5.70rc1 was 0.0003 of 49 grey values off at most."""
    files = {name: folder / f"{name}.nii" for name in ("ref", "flo", "res")}
    write_image(files["ref"], fixed.with_array(np.ones(fixed.shape, np.float32)))
    write_image(files["flo"], moving)
    words = [str(word) for name, path in files.items() for word in (f"-{name}", path)]
    command = ["reg_resample", *words, "-trans", str(field), "-inter", "1"]
    subprocess.run(command, check=True, capture_output=True)
    return np.squeeze(nib.load(files["res"]).get_fdata())


def test_a_slice_is_a_plane_to_niftyreg(rng, tmp_path):
    thin = Grid((5, 6, 1), np.eye(4))
    field = DenseField(np.zeros((*thin.shape, 3), np.float32), thin.affine)
    with pytest.raises(InputError, match="one slice for a 2-d one"):
        write_transform(tmp_path / "t.nii", Transform((field,)), form="niftyreg")
    assert list(tmp_path.iterdir()) == []


def oblique(rng, left_handed):
    affine = random_frame(rng, (1.0, 1.3, 2.5), [10, -20, 30], (9, 11, 7))
    if (np.linalg.det(affine) < 0) != left_handed:
        affine = affine @ np.diag([-1.0, 1, 1, 1])
    return Grid((9, 11, 7), affine)


def niftyreg_field(path, vectors, affine, kind, extension=b""):
    image = nib.Nifti1Image(vectors[:, :, :, None].astype(np.float32), affine)
    image.header.set_intent(1007, name="NREG_TRANS")
    image.header["intent_p1"] = kind
    if extension:
        image.header.extensions.append(nib.nifti1.Nifti1Extension(0, extension))
    nib.save(image, path)


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_fields_of_niftyreg_by_their_kind(rng, tmp_path, kind):
    """Positions, displacements, and positions of a spline's control points."""
    fixed = oblique(rng, left_handed=kind == 1)
    shift = 0.3 * rng.normal(size=(*fixed.shape, 3))
    stored = shift if kind == 1 else fixed.points() + shift
    niftyreg_field(tmp_path / "c.nii", stored, fixed.affine, kind)
    whole = BSpline(shift, fixed.affine) if kind == 2 else None
    truth = Transform((whole or DenseField(shift, fixed.affine),))
    found = read_transform(tmp_path / "c.nii")
    assert type(found.components[0]) is type(truth.components[0])
    voxels = 1 + rng.uniform(size=(100, 3)) * (np.array(fixed.shape) - 3)
    points = fixed.to_world(voxels)
    np.testing.assert_allclose(
        found.map_points(points), truth.map_points(points), atol=1e-4
    )
    if kind == 2:  # a spline of positions reproduces the world, so it is of shifts
        moved = nib.load(tmp_path / "c.nii").get_fdata()[:, :, :, 0]
        by_definition = BSpline(moved, fixed.affine).map_points(points) - points
        np.testing.assert_allclose(found.map_points(points), by_definition, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "extension", "message"),
    [
        (3, b"", r"velocities, as positions \(3\); make .* \(reg_transform"),
        (4, b"", r"velocities, as displacements \(4\)"),
        (5, b"", r"velocities, by a spline \(5\)"),
        (6, b"", r"a linear spline \(6\)"),
        (9, b"", r"unknown kind \(9\)"),
        pytest.param(2, bytes(72), r"one with matrices \(2\)", id="matrices"),
    ],
)
def test_other_kinds_of_niftyreg_are_refused(rng, tmp_path, kind, extension, message):
    fixed = oblique(rng, left_handed=True)
    niftyreg_field(tmp_path / "v.nii", fixed.points(), fixed.affine, kind, extension)
    with pytest.raises(InputError, match=message):
        read_transform(tmp_path / "v.nii")


def test_a_spline_of_niftyreg_needs_four_control_points(rng, tmp_path):
    small = Grid((4, 3, 5), np.eye(4))
    niftyreg_field(tmp_path / "s.nii", small.points(), small.affine, 2)
    with pytest.raises(InputError, match="at least 4 control points"):
        read_transform(tmp_path / "s.nii")
