"""Displacement fields that ITK wrote, read as ITK reads them."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from nifti_files import AFFINE_2D, oblique

from dlir_tf.errors import InputError
from dlir_tf.images import (
    Grid,
    flip_ras_lps,
    read_displacement,
    write_displacement,
)

SHAPE = (5, 7, 4)
PLANE = np.array([[0.0, -0.8, 11.0], [1.5, 0.0, -7.0], [0.0, 0.0, 1.0]])


def _oblique():
    a = 0.4
    affine = np.eye(4)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    affine[:3, :3] = turn @ np.diag([1.5, -0.8, 4.0])
    affine[:3, 3] = [-31.0, 12.5, 70.0]
    return affine


def _field(shape=SHAPE):
    return np.random.default_rng(2).normal(0, 5, (*shape, len(shape)))


CASES = pytest.mark.parametrize(
    ("ddf", "affine"),
    [(_field(), _oblique()), (_field((5, 7)), PLANE), (_field((5, 7, 1)), _oblique())],
    ids=["3d", "2d", "one slice"],
)


def _itk_field(ddf, affine, kind):
    """By SimpleITK's own methods; the vectors turned to LPS by hand."""
    ndim = ddf.shape[-1]
    signs = np.array([-1, -1, 1])[:ndim]
    axes = range(ndim)[::-1]
    vectors = np.ascontiguousarray((ddf * signs).transpose(*axes, ndim), kind)
    field = sitk.GetImageFromArray(vectors, isVector=True)
    spacing = np.linalg.norm(affine[:-1, :-1], axis=0)
    direction = np.diag(signs) @ affine[:-1, :-1] / spacing
    field.SetSpacing(spacing.tolist())
    field.SetDirection(direction.ravel().tolist())
    field.SetOrigin((affine[:-1, -1] * signs).tolist())
    return field


@CASES
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".mha", ".mhd", ".nrrd"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_itk_wrote_is_read(tmp_path, ddf, affine, suffix, kind):
    path = tmp_path / f"u{suffix}"
    sitk.WriteImage(_itk_field(ddf, affine, kind), str(path))
    back, grid, _ = read_displacement(path)
    assert back.dtype == np.float32
    assert back.shape == ddf.shape
    np.testing.assert_allclose(back, ddf, atol=1e-5)
    np.testing.assert_allclose(grid.affine, affine, atol=1e-5)


@pytest.mark.parametrize(
    ("ddf", "affine"),
    [(_field(), _oblique()), (_field((5, 7)), PLANE)],
    ids=["3d", "2d"],
)
def test_points_move_as_itk_moves_them(tmp_path, ddf, affine):
    path = tmp_path / "u.nii.gz"
    write_displacement(path, ddf, Grid(ddf.shape[:-1], affine))
    back, grid, _ = read_displacement(path)
    field = sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
    transform = sitk.DisplacementFieldTransform(field)
    ndim = ddf.shape[-1]
    for index in ((0,) * ndim, (2, 5, 1)[:ndim], (4, 6, 3)[:ndim]):
        point = grid.to_world(index)
        moved = np.array(transform.TransformPoint(flip_ras_lps(point).tolist()))
        np.testing.assert_allclose(flip_ras_lps(moved), point + back[index], atol=1e-4)


@CASES
def test_a_written_field_comes_back(tmp_path, ddf, affine):
    write_displacement(tmp_path / "u.nii.gz", ddf, Grid(ddf.shape[:-1], affine))
    back, grid, _ = read_displacement(tmp_path / "u.nii.gz")
    np.testing.assert_array_equal(back, ddf.astype(np.float32))
    np.testing.assert_allclose(grid.affine, affine, atol=1e-5)


def _save(path, ddf=None, affine=None, **fields):
    """A NIfTI field by nibabel, with header fields set behind its back."""
    ddf = _field().astype(np.float32)[:, :, :, None] if ddf is None else ddf
    image = nib.Nifti1Image(ddf, _oblique() if affine is None else affine)
    image.header.set_intent("vector")
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    header = nib.load(path).header.copy()
    header["vox_offset"] = 352
    for name, value in fields.items():
        header[name] = value
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    return path


def test_a_field_without_its_intent_is_accepted(tmp_path):
    ddf, *_ = read_displacement(_save(tmp_path / "u.nii", intent_code=0))
    np.testing.assert_allclose(ddf, _field() * [-1, -1, 1], atol=1e-5)


def _sheared():
    affine = _oblique()
    affine[0, 1] += 0.1
    return affine


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"intent_code": 1005}, "intent .* vector .*1005"),
        ({"xyzt_units": 1}, "must be in mm"),
        ({"pixdim": [1, 1.5, 0.8, 5, 1, 1, 1, 1], "qform_code": 0}, "has spacing.*5.0"),
        ({"affine": _sheared(), "qform_code": 0}, "not perpendicular"),
        (
            {"srow_x": [0, 0, 0, 1], "sform_code": 1, "qform_code": 0},
            "is not invertible",
        ),
        ({"srow_x": [np.nan, 0, 0, 1], "sform_code": 1, "qform_code": 0}, "invertible"),
        ({"quatern_b": 7.5, "qform_code": 1}, "quaternion"),
        ({"qoffset_y": 14.5, "qform_code": 1}, "sform and qform place it 2 mm apart"),
        ({"ddf": _field()}, r"\(5, 7, 4, 3\)"),
        ({"ddf": np.zeros((*SHAPE, 1, 2))}, r"\(5, 7, 4, 1, 2\)"),
        ({"ddf": np.zeros((*SHAPE, 2, 3))}, r"\(5, 7, 4, 2, 3\)"),
        ({"ddf": np.zeros((*SHAPE, 1, 4))}, r"\(5, 7, 4, 1, 4\)"),
        ({"ddf": np.zeros(SHAPE)}, r"\(5, 7, 4\)"),
        ({"ddf": np.zeros((*SHAPE, 1, 3), np.int16)}, "of int16"),
        ({"ddf": np.where(_field() > 6, np.nan, 1.0)[:, :, :, None]}, "NaN"),
    ],
    ids=str,
)
def test_what_is_not_a_field_on_a_grid_is_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=rf"u\.nii: .*{message}"):
        read_displacement(_save(tmp_path / "u.nii", **options))


def test_a_tilted_plane_is_refused(tmp_path):
    tilted = np.array([[1.2, 0, 0, 3], [0, 0, 1, 4], [0, 2, 0, 5], [0, 0, 0, 1.0]])
    ddf = np.ones((5, 7, 1, 1, 2), np.float32)
    with pytest.raises(InputError, match=r"u\.nii: a 2-d .* first plane"):
        read_displacement(_save(tmp_path / "u.nii", ddf, tilted))


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_itk_images_that_are_no_field_are_refused(tmp_path, suffix):
    path = tmp_path / f"u{suffix}"
    for array, is_vector in (
        (np.zeros((4, 7, 5, 2), np.float32), True),
        (np.zeros((7, 5, 3), np.float32), True),
        (np.zeros((4, 7, 5, 3), np.uint8), True),
        (np.zeros((7, 5, 3), np.float32), False),
        (np.zeros((3, 4, 7, 5), np.float32), False),
    ):
        sitk.WriteImage(sitk.GetImageFromArray(array, isVector=is_vector), str(path))
        with pytest.raises(InputError, match=rf"u\{suffix}.*one vector of ndim"):
            read_displacement(path)


def test_a_sheared_grid_is_not_written(tmp_path):
    field = _field()
    with pytest.raises(InputError, match=r"u\.nii: .*sheared"):
        write_displacement(
            tmp_path / "u.nii", field, Grid(field.shape[:-1], _sheared())
        )
    with pytest.raises(InputError, match=r"u\.mha: .*\.nii\.gz or \.nii"):
        write_displacement(
            tmp_path / "u.mha", field, Grid(field.shape[:-1], _oblique())
        )
    assert list(tmp_path.iterdir()) == []


def test_a_missing_and_a_damaged_field(tmp_path):
    with pytest.raises(InputError, match=r"no such file.*u\.nii"):
        read_displacement(tmp_path / "u.nii.gz")
    path = _save(tmp_path / "u.nii")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"u\.nii: can't be read"):
        read_displacement(path)


def _random_fields():
    rng = np.random.default_rng(2)
    volume, plane = rng.normal(0, 5, (*SHAPE, 3)), rng.normal(0, 5, (5, 7, 2))
    return [(volume, oblique()), (plane, AFFINE_2D)]


@pytest.mark.parametrize(("ddf", "affine"), _random_fields(), ids=["3d", "2d"])
def test_itk_moves_points_by_the_written_displacement(tmp_path, ddf, affine):
    before = ddf.copy()
    write_displacement(tmp_path / "u.nii.gz", ddf, Grid(ddf.shape[:-1], affine))
    np.testing.assert_array_equal(ddf, before)
    raw = nib.load(tmp_path / "u.nii.gz")
    ndim = ddf.shape[-1]
    assert raw.shape == (*ddf.shape[:-1], *[1] * (4 - ndim), ndim)
    assert raw.header.get_intent()[0] == "vector"
    assert raw.get_data_dtype() == np.float32
    field = sitk.ReadImage(str(tmp_path / "u.nii.gz"), sitk.sitkVectorFloat64)
    transform = sitk.DisplacementFieldTransform(field)
    for index in ((0,) * ndim, (2, 5, 1)[:ndim], (4, 6, 3)[:ndim]):
        point = (affine @ [*index, 1])[:-1]
        moved = flip_ras_lps(
            np.array(transform.TransformPoint(flip_ras_lps(point).tolist()))
        )
        np.testing.assert_allclose(moved, point + ddf[index], atol=1e-4)
