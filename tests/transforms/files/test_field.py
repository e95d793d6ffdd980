"""Displacement fields: SimpleITK reads what we write, and we read what it writes."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import (
    itk_map,
    points_within,
    random_frame,
    random_image,
    random_parameters,
    reference_within,
    sitk_image,
)

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.transforms import (
    Affine,
    DenseField,
    Transform,
    read_transform,
    write_transform,
)

SUFFIXES = [".nii.gz", ".nii", ".mha", ".nrrd"]
SHAPE = {2: (23, 31), 3: (17, 14, 19)}
# Within the lattice, and fine enough for the splines below.
FINE = {2: (0.25, 0.2), 3: (0.3, 0.4, 0.5)}


def smooth(rng, ndim):
    return random_parameters(rng, ndim, 1, size={2: 0.3, 3: 0.06}[ndim])


def field_transform(path):
    return sitk.DisplacementFieldTransform(
        sitk.ReadImage(str(path), sitk.sitkVectorFloat64)
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_itk_maps_points_through_the_file_alike(rng, tmp_path, suffix, ndim):
    """And the error that we state is the error that it makes."""
    parameters = smooth(rng, ndim)
    transform = parameters.ours()
    reference = reference_within(rng, parameters.grid, FINE[ndim], SHAPE[ndim])
    path = tmp_path / f"t{suffix}"
    error = write_transform(path, transform, reference=reference)
    points = points_within(rng, reference, 3000)
    mapped = transform.map_points(points)
    through_itk = itk_map(field_transform(path), points)
    apart = np.linalg.norm(through_itk - mapped, axis=1).max()
    assert 0 < 0.3 * apart < error < 0.05
    again = read_transform(path)
    assert [type(c) for c in again.components] == [DenseField]
    np.testing.assert_allclose(again.map_points(points), through_itk, atol=1e-4)
    assert np.linalg.norm(mapped - points, axis=1).min() > 3


@pytest.mark.parametrize("ndim", [2, 3])
def test_itk_resamples_with_the_file_to_the_same_image(rng, tmp_path, ndim):
    parameters = smooth(rng, ndim)
    transform = parameters.ours()
    reference = reference_within(rng, parameters.grid, FINE[ndim], SHAPE[ndim])
    path = tmp_path / "t.nii.gz"
    write_transform(path, transform, reference=reference)
    centre = transform.map_points(points_within(rng, reference)).mean(axis=0)
    frame = random_frame(rng, rng.uniform(0.2, 0.4, ndim), centre, SHAPE[ndim][::-1])
    moving = random_image(rng, SHAPE[ndim][::-1], frame)
    expected = sitk.Resample(
        sitk_image(moving),
        sitk_image(reference),
        field_transform(path),
        sitk.sitkLinear,
        -100.0,
    )
    array = sitk.GetArrayFromImage(expected).T
    moved = transform.resample(moving, reference, fill_value=-100).array
    inside = (array != -100) & (moved != -100)
    assert 0.1 < inside.mean() < 1
    assert np.mean(inside != (array != -100)) < 0.001
    np.testing.assert_allclose(
        moved[inside], array[inside], rtol=0, atol=1e-3 * np.ptp(moving.array)
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_grid_of_one_slice_is_a_grid(rng, tmp_path, suffix):
    """A 2-d image that is stored as a 3-d one."""
    parameters = smooth(rng, 3)
    transform = parameters.ours()
    reference = reference_within(rng, parameters.grid, FINE[3], (17, 14, 1))
    path = tmp_path / f"t{suffix}"
    error = write_transform(path, transform, reference=reference)
    points = points_within(rng, reference)
    mapped = transform.map_points(points)
    np.testing.assert_allclose(
        itk_map(field_transform(path), points), mapped, rtol=0, atol=2 * error
    )
    assert 0 < error < 0.05
    again = read_transform(path)
    np.testing.assert_allclose(again.map_points(points), mapped, rtol=0, atol=0.05)
    flat = Transform((DenseField(transform.displacement(reference), reference.affine),))
    assert write_transform(path, flat) < 1e-5
    np.testing.assert_allclose(
        itk_map(field_transform(path), points), flat.map_points(points), atol=1e-5
    )


def test_a_coarse_grid_makes_a_large_error_and_says_so(rng, tmp_path):
    parameters = random_parameters(rng, 3, 1, size=0.5)
    transform = parameters.ours()
    coarse = reference_within(rng, parameters.grid, (5.0, 4.0, 6.0), (5, 6, 4))
    error = write_transform(tmp_path / "t.nii", transform, reference=coarse)
    points = points_within(rng, coarse, 3000)
    through_itk = itk_map(field_transform(tmp_path / "t.nii"), points)
    apart = np.linalg.norm(through_itk - transform.map_points(points), axis=1).max()
    assert 0.4 < 0.8 * apart < error < 1.2 * apart


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_a_field_of_sitk_is_read_and_written_back_exactly(rng, tmp_path, ndim, suffix):
    shape = SHAPE[ndim]
    frame = random_frame(rng, rng.uniform(0.7, 3, ndim), 9.0 * np.arange(ndim), shape)
    vectors = sitk.GetImageFromArray(
        rng.normal(size=(*shape[::-1], ndim)).astype(np.float32), isVector=True
    )
    image = Image(np.zeros(shape), frame)
    vectors.CopyInformation(sitk_image(image))
    path, copy = tmp_path / f"sitk{suffix}", tmp_path / f"ours{suffix}"
    sitk.WriteImage(vectors, str(path))
    transform = read_transform(path)
    points = points_within(rng, image)
    np.testing.assert_allclose(
        transform.map_points(points), itk_map(field_transform(path), points), atol=2e-5
    )
    other = Image(np.zeros((4,) * ndim), np.eye(ndim + 1))
    for reference in (None, other):  # its own grid is the better one
        assert write_transform(copy, transform, reference=reference) < 1e-5
        again = read_transform(copy)
        np.testing.assert_array_equal(
            again.components[0].displacement, transform.components[0].displacement
        )
        np.testing.assert_allclose(
            again.components[0].affine, transform.components[0].affine, atol=1e-5
        )
    if suffix == ".nii":
        assert write_transform(copy, again) == 0.0


def test_the_form_of_the_file_is_the_one_that_itk_knows(rng, tmp_path):
    shift = Transform((Affine(np.eye(4) + 3 * np.eye(4, k=3)),))
    reference = Image(np.zeros((4, 5, 3)), np.diag([2.0, 3, 4, 1]))
    path = tmp_path / "t.nii.gz"
    assert write_transform(path, shift, reference=reference) < 1e-12
    image = nib.load(path)
    assert image.shape == (4, 5, 3, 1, 3)
    assert image.header["intent_code"] == 1007
    np.testing.assert_array_equal(image.dataobj[1, 2, 1, 0], [-3, 0, 0])


def sheared(spacing, shape):
    frame = np.diag([*spacing, 1.0])
    frame[0, 2] = 0.5 * spacing[2]
    return Image(np.zeros(shape), frame)


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
def test_a_sheared_grid_is_refused_and_another_one_helps(rng, tmp_path, suffix):
    parameters = smooth(rng, 3)
    tilted = sheared((2.0, 2.0, 4.0), (5, 6, 4))
    path = tmp_path / f"t{suffix}"
    with pytest.raises(InputError, match="grid is sheared; give it on the grid of ano"):
        write_transform(path, parameters.ours(), reference=tilted)
    field = DenseField(rng.normal(size=(5, 6, 4, 3)).astype(np.float32), tilted.affine)
    with pytest.raises(InputError, match="grid is sheared"):
        write_transform(path, Transform((field,)))
    assert list(tmp_path.iterdir()) == []
    upright = Image(np.zeros((7, 7, 7)), np.eye(4))
    assert write_transform(path, Transform((field,)), reference=upright) > 0


def test_without_a_grid_nothing_is_written(rng, tmp_path):
    with pytest.raises(InputError, match=r"t\.nii: such a file .* give the fixed ima"):
        write_transform(tmp_path / "t.nii", smooth(rng, 2).ours())
    assert list(tmp_path.iterdir()) == []
