"""Metrics: analytic cases, and SimpleITK as the independent judge."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from dlir_tf.images import read_labels, read_points
from dlir_tf.metrics import (
    dice,
    folded_percent,
    jacobian_determinant,
    landmark_errors,
    std_log_jacobian,
    surface_distances,
)

SPACING = (1.5, 0.7, 4.0)


def _blob(shape, center, radii):
    grid = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    terms = [((g - c) / r) ** 2 for g, c, r in zip(grid, center, radii, strict=True)]
    return sum(terms) <= 1


def _to_itk(array, spacing):
    image = sitk.GetImageFromArray(array.astype(np.uint8).T)
    image.SetSpacing(spacing)
    return image


def _itk_surface_distances(a, b, spacing):
    """Directed distances between ITK's label contours, by its Maurer maps."""
    contours = [sitk.LabelContour(_to_itk(m, spacing), False) for m in (a, b)]
    maps = [
        np.abs(
            sitk.GetArrayFromImage(
                sitk.SignedMaurerDistanceMap(
                    c, squaredDistance=False, useImageSpacing=True
                )
            )
        )
        for c in contours
    ]
    on = [sitk.GetArrayFromImage(c) > 0 for c in contours]
    return maps[1][on[0]], maps[0][on[1]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_dice_agrees_with_simpleitk(dtype):
    rng = np.random.default_rng(3)
    a = rng.integers(0, 6, (13, 9, 7)).astype(dtype)
    b = np.where(rng.random(a.shape) < 0.6, a, rng.integers(0, 6, a.shape))
    judge = sitk.LabelOverlapMeasuresImageFilter()
    judge.Execute(_to_itk(a, SPACING), _to_itk(b, SPACING))
    scores = dice(a, b.astype(dtype))
    assert list(scores) == [1, 2, 3, 4, 5]
    for label, score in scores.items():
        assert score == pytest.approx(judge.GetDiceCoefficient(label), abs=1e-12)


def test_dice_of_known_overlaps():
    a = np.zeros((4, 5), np.int32)
    b = np.zeros((4, 5), np.int32)
    a[0, :4], b[0, 2:5] = 7, 7  # 2 shared of 4 and 3
    a[2, :2] = -3  # in one only
    assert dice(a, b) == {-3: 0.0, 7: pytest.approx(4 / 7)}
    some = dice(a, b, labels=[7, 9])
    assert list(some) == [7, 9]
    assert np.isnan(some[9])


def test_dice_counts_huge_label_numbers_without_huge_memory():
    a = np.array([0, 2_000_000_000, 2_000_000_000, 5], np.int64)
    b = np.array([0, 2_000_000_000, 5, 5], np.int64)
    expected = {5: pytest.approx(2 / 3), 2_000_000_000: pytest.approx(2 / 3)}
    assert dice(a, b) == expected


def test_dice_refuses_what_are_no_labels():
    with pytest.raises(ValueError, match=r"same shape.*\(2, 3\) and \(3, 2\)"):
        dice(np.zeros((2, 3), int), np.zeros((3, 2), int))
    with pytest.raises(ValueError, match=r"integer dtype.*float64"):
        dice(np.zeros((2, 3)), np.zeros((2, 3)))


def test_surface_distances_of_shifted_boxes():
    """Two equal plates, 3 voxels of 4 mm apart: every distance is 12 mm."""
    a, b = np.zeros((2, 8, 9, 11), bool)
    a[2:6, 2:7, 3], b[2:6, 2:7, 6] = True, True
    result = surface_distances(a, b, SPACING)
    assert result == pytest.approx((12.0, 12.0))


@pytest.mark.parametrize("ndim", [2, 3])
def test_surface_distances_agree_with_simpleitk(ndim):
    shape, spacing = (41, 50, 23)[:ndim], SPACING[:ndim]
    a = _blob(shape, (17, 26, 10)[:ndim], (9, 15, 5)[:ndim])
    b = _blob(shape, (21, 22, 12)[:ndim], (12, 10, 7)[:ndim])
    from_a, from_b = _itk_surface_distances(a, b, spacing)
    result = surface_distances(a, b, spacing)
    assert result.mean == pytest.approx((from_a.mean() + from_b.mean()) / 2, rel=1e-5)
    assert result.hd95 == pytest.approx(
        max(np.percentile(from_a, 95), np.percentile(from_b, 95)), rel=1e-5
    )
    assert surface_distances(b, a, spacing) == pytest.approx(result)


def test_a_surface_ends_at_the_border_of_the_array():
    """A mask that fills the array has its outermost voxels as surface."""
    full = np.ones((9, 9), bool)
    dot = np.zeros((9, 9), bool)
    dot[4, 4] = True
    result = surface_distances(dot, full, (2.0, 2.0))
    edge = np.ones((9, 9), bool)
    edge[1:-1, 1:-1] = False
    offsets = 2.0 * np.linalg.norm(np.argwhere(edge) - 4, axis=1)
    assert result.mean == pytest.approx((8.0 + offsets.mean()) / 2)
    assert result.hd95 == pytest.approx(np.percentile(offsets, 95))


def test_surface_distances_of_nothing_are_nan():
    empty = np.zeros((4, 5), bool)
    dot = empty.copy()
    dot[1, 2] = True
    for a, b in ((empty, dot), (dot, empty), (empty, empty)):
        assert np.isnan(surface_distances(a, b, (1, 1))).all()
    assert surface_distances(dot, dot, (1, 1)) == (0, 0)
    with pytest.raises(ValueError, match="2 spacings"):
        surface_distances(dot, dot, (1, 1, 1))


def test_landmark_errors_are_euclidean():
    a = np.array([[1.0, 2, 3], [-4, 0, 9]])
    errors = landmark_errors(a, a + np.array([[3, -4, 0], [0, 0, -2.5]]))
    np.testing.assert_allclose(errors, [5.0, 2.5])
    with pytest.raises(ValueError, match="same shape"):
        landmark_errors(a, a[:1])


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_affine_field_has_its_matrix_determinant_everywhere(ndim, dtype):
    rng = np.random.default_rng(ndim)
    matrix = np.eye(ndim) + rng.normal(0, 0.3, (ndim, ndim))
    shape = (7, 5, 6)[:ndim]
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    ddf = (grid @ matrix.T - grid + 2.5).astype(dtype)
    before = ddf.copy()
    jacobian = jacobian_determinant(ddf)
    assert jacobian.shape == shape
    assert jacobian.dtype == dtype
    np.testing.assert_allclose(jacobian, np.linalg.det(matrix), rtol=1e-5)
    np.testing.assert_array_equal(ddf, before)


def test_jacobian_agrees_with_simpleitk_inside():
    """In mm and with ITK's own filter: the determinant knows no units."""
    rng = np.random.default_rng(8)
    noise = rng.normal(0, 8, (11, 13, 9, 3))
    ddf = np.stack(
        [ndimage.gaussian_filter(noise[..., a], 2) for a in range(3)], axis=-1
    )
    field = np.ascontiguousarray((ddf * SPACING).transpose(2, 1, 0, 3))
    image = sitk.GetImageFromArray(field, isVector=True)
    image.SetSpacing(SPACING)
    judge = sitk.DisplacementFieldJacobianDeterminant(image, useImageSpacing=True)
    expected = sitk.GetArrayFromImage(judge).T
    inside = (slice(1, -1),) * 3
    found = jacobian_determinant(ddf)
    assert np.std(found) > 0.05
    np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-4, atol=1e-5)


def test_jacobian_of_a_single_slice_counts_the_plane():
    ddf = np.zeros((5, 6, 1, 3))
    ddf[..., 0] = 0.5 * np.arange(5)[:, None, None]
    np.testing.assert_allclose(jacobian_determinant(ddf), 1.5)


def test_folding_is_counted():
    ddf = np.zeros((10, 4, 2))
    ddf[5:, :, 0] = -4.0  # voxel 5 lands before voxel 4
    jacobian = jacobian_determinant(ddf)
    np.testing.assert_allclose(jacobian[4:6], -1)
    assert folded_percent(jacobian) == pytest.approx(20.0)
    assert folded_percent(np.array([1.0, 0.0])) == 50.0
    with pytest.raises(ValueError, match="component"):
        jacobian_determinant(np.zeros((4, 5, 6, 2)))


def test_std_log_jacobian_of_known_determinants():
    assert std_log_jacobian(np.full((3, 4), 1.7, np.float32)) == pytest.approx(0)
    assert std_log_jacobian(np.array([2.0, 0.5])) == pytest.approx(np.log(2))
    folded = std_log_jacobian(np.array([1.0, -3.0]))
    assert folded == pytest.approx(-np.log(1e-9) / 2)


@pytest.mark.filterwarnings("ignore::dlir_tf.images.SpacingWarning")
def test_acdc_labels_against_simpleitk(shared_data):
    """Real hearts: end-diastole against end-systole, on the true spacing."""
    folder = shared_data / "acdc" / "patient001"
    paths = [folder / f"patient001_frame{n}_gt.nii.gz" for n in ("01", "12")]
    fixed, moving = map(read_labels, paths)
    judge = sitk.LabelOverlapMeasuresImageFilter()
    judge.Execute(*(sitk.Cast(sitk.ReadImage(str(p)), sitk.sitkUInt8) for p in paths))
    scores = dice(fixed.array, moving.array)
    assert set(scores) == {1, 2, 3}
    for label, score in scores.items():
        assert score == pytest.approx(judge.GetDiceCoefficient(label), abs=1e-9)
        a, b = fixed.array == label, moving.array == label
        pad = [(1, 1)] * 3  # ITK sees no contour at the border of an image
        found = surface_distances(a, b, fixed.spacing)
        ours = _itk_surface_distances(np.pad(a, pad), np.pad(b, pad), fixed.spacing)
        expected = max(np.percentile(d, 95) for d in ours)
        assert found.hd95 == pytest.approx(expected, rel=1e-4)
        assert 1.0 < found.mean < found.hd95 < 30.0


def test_liver_landmarks_have_the_known_initial_error(shared_data):
    found = []
    with open(shared_data / "liver.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            a, b = (
                read_points(shared_data / row[name])
                for name in ("fixed_points", "moving_points")
            )
            found.append(landmark_errors(a, b).mean())
    assert found == pytest.approx([20.1, 22.1, 6.1, 5.5], abs=0.06)
