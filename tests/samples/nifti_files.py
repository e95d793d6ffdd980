"""Small images, and files of them whose headers hold what a test wants."""

import nibabel as nib
import numpy as np
import SimpleITK as sitk

SHAPE = (5, 7, 4)


def oblique(spacing=(1.5, 0.8, 4.0)):
    """An oblique affine with one flipped axis."""
    a, b = 0.4, -0.3
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag([1, -1, 1]) @ np.diag(spacing)
    affine[:3, 3] = [-31.0, 12.5, 70.0]
    return affine


AFFINE_2D = np.array([[0.0, -0.8, 11.0], [1.5, 0.0, -7.0], [0.0, 0.0, 1.0]])


def voxels_of(shape=SHAPE, dtype=np.int16, seed=0):
    return np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)


def save(path, array, affine=None, **fields):
    """A file by nibabel, with header fields set behind its back."""
    image = nib.Nifti1Image(array, oblique() if affine is None else affine)
    slope, inter = fields.pop("slope", None), fields.pop("inter", None)
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    header = image.header.copy()
    header["vox_offset"] = 352
    for name, value in fields.items():
        header[name] = value
    if slope is not None:
        header["scl_slope"], header["scl_inter"] = slope, inter
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    return path


def itk_affine(path):
    """ITK's idea of a file's voxel-to-world matrix, turned to RAS."""
    image = sitk.ReadImage(str(path))
    ndim = image.GetDimension()
    affine = np.eye(ndim + 1)
    direction = np.reshape(image.GetDirection(), (ndim, ndim))
    affine[:-1, :-1] = direction * image.GetSpacing()
    affine[:-1, -1] = image.GetOrigin()
    affine[:2] *= -1
    return affine


def unit_affine(tmp_path):
    """Like ACDC: directions and origin in the affine, the spacing in pixdim."""
    affine = oblique((1, 1, 1))
    pixdim = [1, 1.5, 0.8, 4, 1, 1, 1, 1]
    return save(tmp_path / "a.nii", voxels_of(), affine, pixdim=pixdim, qform_code=0)
