"""Fields that look alike and mean different things: one map, stated in each way."""

import re

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from dlir_tf.errors import InputError
from dlir_tf.images import read_displacement
from dlir_tf.transforms import Inverse, read_transform

SHAPE = (9, 11, 7)
SIGNS = np.array([-1, -1, 1])
POINTS = np.array([[3.0, -4.0, 2.0], [-2.0, 5.0, -3.0], [0.0, 0.0, 0.0]])


def _grid():
    affine = np.eye(4)
    affine[:3, :3] = [[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]] @ np.diag([2, 2.5, 3])
    affine[:3, 3] = -affine[:3, :3] @ (np.array(SHAPE) - 1) / 2
    return affine


def _centres():
    voxels = np.moveaxis(np.indices(SHAPE), 0, -1)
    return voxels @ _grid()[:3, :3].T + _grid()[:3, 3]


def _ddf():
    """Gentle, and different along each axis, so that no turn of it passes for it."""
    x, y, z = np.moveaxis(_centres(), -1, 0)
    return np.stack([3 + 0.05 * y, -1 + 0.03 * z, 2 - 0.04 * x], axis=-1)


def _nifti(path, vectors, code, name=""):
    image = nib.Nifti1Image(vectors[:, :, :, None].astype(np.float32), _grid())
    image.header.set_intent(1007, name=name)
    image.header["intent_code"] = code
    nib.save(image, path)
    return path


def _nrrd(path, *lines):
    field = sitk.GetImageFromArray(
        (_ddf() * SIGNS).transpose(2, 1, 0, 3).astype(np.float32), isVector=True
    )
    spacing = np.linalg.norm(_grid()[:3, :3], axis=0)
    field.SetSpacing(spacing.tolist())
    field.SetDirection((SIGNS[:, None] * _grid()[:3, :3] / spacing).ravel().tolist())
    field.SetOrigin((SIGNS * _grid()[:3, 3]).tolist())
    sitk.WriteImage(field, str(path))
    header, voxels = path.read_bytes().split(b"\n\n", 1)
    text = header.decode()
    for line in lines:
        name = line.split(":")[0]
        replaced = re.sub(rf"(?m)^{name}: .*$", line, text)
        text = f"{text}\n{line}" if replaced == text else replaced
    path.write_bytes(text.encode() + b"\n\n" + voxels)
    return path


def _itk_map(path, points):
    field = sitk.DisplacementFieldTransform(
        sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
    )
    return [SIGNS * field.TransformPoint((SIGNS * point).tolist()) for point in points]


@pytest.mark.parametrize(
    ("code", "name", "stored"),
    [
        (1007, "", lambda: _ddf() * SIGNS),
        (0, "", lambda: _ddf() * SIGNS),
        (1006, "", _ddf),
        (1007, "Mapping", lambda: _ddf() + _centres()),
        (1006, "Mapping", lambda: _ddf() + _centres()),
    ],
)
def test_each_intent_is_obeyed(tmp_path, code, name, stored):
    path = _nifti(tmp_path / "u.nii", stored(), code, name)
    ddf, grid, maps_back = read_displacement(path)
    assert not maps_back
    np.testing.assert_allclose(ddf, _ddf(), atol=1e-5)
    np.testing.assert_allclose(grid.affine, _grid(), atol=1e-5)
    moved = read_transform(path).map_points(POINTS)
    if code and not name:  # ITK takes the others for something else
        np.testing.assert_allclose(moved, _itk_map(path, POINTS), atol=1e-4)
    x, y, z = POINTS.T
    truth = POINTS + np.stack([3 + 0.05 * y, -1 + 0.03 * z, 2 - 0.04 * x], axis=1)
    np.testing.assert_allclose(moved, truth, atol=1e-4)


@pytest.mark.parametrize(
    ("code", "name", "found"),
    [
        (2006, "", r"2006 \(a displacement field of FSL\)"),
        (2007, "", r"2007 \(cubic spline coefficients of FSL\)"),
        (2008, "", r"2008 \(cosine"),
        (2009, "", r"2009 \(quadratic"),
        (1005, "", "1005"),
        (1006, "NREG_TRANS", "'NREG_TRANS'"),
        (1007, "warp of mine", "'warp of mine'"),
        (1006, "mapping", "'mapping'"),
        (0, "Mapping", "'Mapping'"),
    ],
)
def test_what_is_stated_and_unknown_is_refused_by_name(tmp_path, code, name, found):
    path = _nifti(tmp_path / "u.nii", _ddf(), code, name)
    with pytest.raises(InputError, match=rf"u\.nii: the intent .*{found}.*ITK's form"):
        read_transform(path)


def test_a_field_of_slicer_that_maps_back_is_inverted(tmp_path):
    there = read_transform(_nrrd(tmp_path / "r.nrrd"))
    stated = read_transform(
        _nrrd(tmp_path / "s.nrrd", "displacement field type:=resampling")
    )
    path = _nrrd(tmp_path / "m.nrrd", "displacement field type:=modeling")
    back = read_transform(path)
    moved = there.map_points(POINTS)
    np.testing.assert_allclose(moved, _itk_map(tmp_path / "r.nrrd", POINTS), atol=1e-4)
    np.testing.assert_array_equal(stated.map_points(POINTS), moved)
    assert isinstance(back.components[0], Inverse)
    np.testing.assert_allclose(back.map_points(moved), POINTS, atol=1e-4)
    assert read_displacement(path)[2]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("displacement field type:=sampling", "'sampling'"),
        ("space: right-anterior-superior", "space .*right-anterior-superior"),
        pytest.param(
            "space: scanner-xyz",
            "space .*scanner-xyz",
            marks=pytest.mark.filterwarnings("ignore:.*took it for left:UserWarning"),
        ),
        ("measurement frame: (0,1,0) (1,0,0) (0,0,1)", "measurement frame"),
        ("kinds: point domain domain domain", "but is point"),
        ("kinds: covariant-vector domain domain domain", "covariant-vector"),
    ],
)
def test_a_nrrd_field_that_says_otherwise_is_refused(tmp_path, line, found):
    path = _nrrd(tmp_path / "u.nrrd", line)
    with pytest.raises(InputError, match=rf"u\.nrrd: .*{found}"):
        read_displacement(path)


def test_an_upright_measurement_frame_is_accepted(tmp_path):
    path = _nrrd(tmp_path / "u.nrrd", "measurement frame: (1,0,0) (0,1,0) (0,0,1)")
    np.testing.assert_allclose(read_displacement(path)[0], _ddf(), atol=1e-5)
