"""Labels are told from grey values by how their voxels agree, whatever their type."""

import warnings

import nibabel as nib
import numpy as np
import pytest
import scipy.ndimage as ndi

from dlir_tf.errors import InputError
from dlir_tf.images import (
    Image,
    is_label_image,
    read_frames,
    read_image,
    read_labels,
)


def _image(array):
    return Image(array, np.eye(array.ndim + 1))


def _blobs(num_labels, shape, sigma=3.0, seed=0):
    """Compact regions with arbitrary labels, on a background of zeros."""
    rng = np.random.default_rng(seed)
    fields = [ndi.gaussian_filter(rng.normal(size=shape), sigma) for _ in range(6)]
    regions = np.argmax(fields, axis=0)
    parts, count = ndi.label(np.isin(regions, (1, 3, 5)))
    names = np.append(0, rng.permutation(np.arange(1, 2036))[:count] % num_labels + 1)
    return names[parts]


def _scan(shape, levels=4000, sigma=1.5, seed=0):
    """A smooth body with noise in air."""
    rng = np.random.default_rng(seed)
    body = ndi.gaussian_filter(rng.random(shape), sigma)
    body = (body - body.min()) / np.ptp(body)
    body[: shape[0] // 3] = 0
    return np.clip(np.rint(levels * (body + 0.01 * rng.normal(size=shape))), 0, levels)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
@pytest.mark.parametrize("shape", [(40, 33, 12), (90, 70)], ids=["3d", "2d"])
@pytest.mark.parametrize("num_labels", [1, 3, 200])
def test_regions_are_labels(dtype, shape, num_labels):
    assert is_label_image(_image(_blobs(num_labels, shape).astype(dtype)))


@pytest.mark.parametrize("shape", [(40, 33, 12), (90, 70)], ids=["3d", "2d"])
@pytest.mark.parametrize(
    ("levels", "dtype"),
    [(4000, np.int16), (4000, np.float32), (255, np.uint8), (60, np.uint8)],
)
def test_scans_are_not(shape, levels, dtype):
    assert not is_label_image(_image(_scan(shape, levels).astype(dtype)))


def _stretched(path, array):
    """Stores floats as int16 as nibabel does it: stretched over the whole range."""
    image = nib.Nifti1Image(array.astype(np.float64), np.diag([2.0, 2.0, 3.0, 1.0]))
    image.set_data_dtype(np.int16)
    nib.save(image, path)
    assert nib.load(path).dataobj.slope not in (1.0, None)
    return path


@pytest.mark.parametrize("num_labels", [3, 40, 1000])
def test_labels_that_a_slope_has_stretched_are_the_labels(tmp_path, num_labels):
    labels = _blobs(num_labels, (40, 33, 12))
    path = _stretched(tmp_path / "stretched.nii.gz", labels)
    seen = nib.load(path).get_fdata()
    assert 0 < np.abs(seen - labels).max() < 0.01
    assert is_label_image(read_image(path), path)
    read = read_labels(path)
    assert read.array.dtype == np.int32
    np.testing.assert_array_equal(read.array, labels)


def test_a_scan_that_a_slope_has_stretched_is_no_label_image(tmp_path):
    path = _stretched(tmp_path / "scan.nii.gz", _scan((40, 33, 12)) / 7)
    assert not is_label_image(read_image(path), path)
    with pytest.raises(InputError, match="labels must be integers, but"):
        read_labels(path)


def test_thin_and_sparse_labels():
    ball = np.linalg.norm(np.indices((40, 40, 40)) - 20, axis=0)
    octants = (np.indices(ball.shape) > 20).T @ [1, 2, 4] + 1001
    shell = np.where(np.abs(ball - 15) < 0.6, octants, 0)  # cortex: a voxel thick
    assert is_label_image(_image(shell))
    seeds = np.zeros((30, 30), np.uint16)
    seeds[::5, ::5] = np.arange(36).reshape(6, 6)
    assert is_label_image(_image(seeds))
    assert is_label_image(_image(np.where(ball < 25, 255, 0)))
    assert is_label_image(_image(np.zeros((3, 4), np.uint8)))


def test_one_label_may_fill_most_of_the_image():
    labels = np.ones((30, 31, 9), np.uint8)
    labels[10:20, 5:25] = 2
    labels[12:15, 5:25] = 3
    assert is_label_image(_image(labels))


def test_grey_values_in_a_constant_frame():
    """The surroundings of a scan agree, though they aren't zero."""
    for padding in (24, 255):
        scan = np.full((60, 60, 12), padding, np.uint8)
        scan[15:45, 15:45] = _scan((30, 30, 12), 200)
        assert not is_label_image(_image(scan))


def test_a_smooth_picture_of_few_levels_is_not():
    wave = np.sin(np.arange(400) / 60)
    smooth = np.rint(50 + 25 * (wave[:, None] + wave[None, ::-1]))
    assert not is_label_image(_image(smooth.astype(np.uint8)))


def test_vertebrae_in_a_row_are():
    """Neighbours differ by one, though there are few of them."""
    labels = np.zeros((12, 12, 120), np.uint8)
    labels[3:9, 2:10] = np.arange(120) // 5 + 1
    assert is_label_image(_image(labels))


def test_fractions_and_negative_values_are_not():
    labels = _blobs(3, (30, 31, 9))
    last = labels == labels.max()
    assert is_label_image(_image(labels))
    assert not is_label_image(_image(np.where(last, 0.5, labels)))
    assert not is_label_image(_image(np.where(last, -1000, labels)))


def test_what_header_and_name_say(tmp_path):
    noise = np.random.default_rng(0).integers(0, 9, (8, 9, 10)).astype(np.uint8)
    assert not is_label_image(_image(noise), "a.nii.gz")
    for name in ("a.seg.nrrd", "a.label.nii.gz", "a-label.nrrd", "A_Labels.nii"):
        assert is_label_image(_image(noise), name)
        assert not is_label_image(_image(noise + 0.5), name)
    for name in ("segment.nrrd", "label.nii", "unlabel.nii.gz", "a.seg/b.nii"):
        assert not is_label_image(_image(noise), name)
    image = nib.Nifti1Image(noise, np.eye(4))
    image.header.set_intent("label")
    nib.save(image, tmp_path / "a.nii")
    assert is_label_image(read_image(tmp_path / "a.nii"))


def test_large_images_are_looked_at_in_part():
    shape = (240, 230, 200)
    labels = np.kron(_blobs(150, (60, 46, 40), 2.0), np.ones((4, 5, 5), np.int64))
    assert labels.shape == shape
    assert is_label_image(_image(labels.astype(np.int16)))
    noise = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    assert not is_label_image(_image(noise))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("acdc/patient0[1-9]1/*_frame??.nii.gz", False),
        ("acdc/patient0[1-9]1/*_gt.nii.gz", True),
        ("brain/100[01]_SS.nii.gz", False),
        ("brain/100[01]_glm.nii.gz", True),
        ("brain2d/subject0[1-4].nii.gz", False),
        ("brain2d/subject0[1-4]_labels.nii.gz", True),
        ("liver/*.nii.gz", False),
        ("prostate/*_images/case00000[0-4].nii.gz", False),
        ("prostate/*_labels/case00000[0-4].nii.gz", True),
    ],
)
def test_real_images_and_labels(shared_data, pattern, expected):
    paths = sorted(shared_data.glob(pattern))
    assert len(paths) >= 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {str(p): is_label_image(read_frames(p)[0]) for p in paths}
    assert found == dict.fromkeys(found, expected)


def test_voxels_without_a_value_are_no_labels(tmp_path):
    """NaN around labels, as SPM writes it, doesn't make grey values of them."""
    labels = _blobs(5, (40, 33, 12)).astype(np.float32)
    labels[:4] = np.nan
    assert is_label_image(_image(labels))
    scan = _scan((40, 33, 12)) / 7
    scan[:4] = np.nan
    assert not is_label_image(_image(scan))
    nib.save(nib.Nifti1Image(labels, np.diag([2.0, 2.0, 3.0, 1.0])), tmp_path / "a.nii")
    read = read_labels(tmp_path / "a.nii")
    np.testing.assert_array_equal(read.array, np.nan_to_num(labels))
    assert read.array.dtype == np.int32
