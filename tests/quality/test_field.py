"""What is measured of a displacement field, by independent means."""

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.evaluation.measures import measure
from dlir_tf.images import Image
from dlir_tf.numerics import UNCOMPILED
from dlir_tf.numerics.compiled import COMPILED
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.quality.field import measure_field
from dlir_tf.transforms import Affine, DenseField, Transform


def _oblique(ndim, angle=0.4):
    affine = np.eye(ndim + 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    affine[:2, :2] = [[-cosine, -sine], [-sine, cosine]]
    affine[:-1, :-1] *= (1.3, 0.8, 6.0)[:ndim]
    affine[:-1, -1] = (-20.0, 11.0, 70.0)[:ndim]
    return affine


@pytest.mark.parametrize("numerics", [UNCOMPILED, COMPILED])
@pytest.mark.parametrize("shape", [(61, 53), (37, 41, 9), (90, 80, 31)])
def test_numbers_are_those_of_the_evaluation(rng, shape, numerics):
    """Slabs must not show: the largest shape has several of them."""
    ndim = len(shape)
    fixed = Image(rng.normal(size=shape).astype(np.float32), _oblique(ndim))
    moving = Image(rng.normal(size=shape).astype(np.float32), _oblique(ndim, 0.3))
    noise = rng.normal(size=(*shape, ndim))
    field = 25.0 * ndimage.gaussian_filter(noise, (*[2.5] * ndim, 0))
    initial = np.eye(ndim + 1)
    initial[:-1, -1] = (5.0, -7.0, 3.0)[:ndim]
    total = (field + initial[:-1, -1]).astype(np.float32)
    start = Transform((Affine(initial),))
    measured = measure_field(total, fixed.grid, moving.grid, start, numerics=numerics)
    transform = Transform((DenseField(total, fixed.affine),))
    expected = measure(LoadedPair(fixed, moving), transform)
    assert measured.folded_percent == pytest.approx(expected.folded_percent)
    assert measured.std_log_jacobian == pytest.approx(
        expected.std_log_jacobian, rel=1e-4
    )
    lengths = np.linalg.norm(field, axis=-1)
    assert measured.largest_displacement == pytest.approx(lengths.max(), rel=1e-4)
    assert measured.mean_displacement == pytest.approx(lengths.mean(), rel=1e-4)
    ones = moving.with_array(np.ones(shape, np.uint8))
    inside = transform.resample(ones, fixed, displacement=total).array
    assert 5 < 100 * inside.mean() < 95
    assert measured.overlap_percent == pytest.approx(100 * inside.mean(), abs=0.1)
    half = np.zeros(shape, bool)
    half[: shape[0] // 2] = True
    masked = measure_field(
        total, fixed.grid, moving.grid, start, fixed.with_array(half)
    )
    assert masked.overlap_percent == pytest.approx(100 * inside[half].mean(), abs=0.2)


def test_an_affine_field_has_its_determinant_everywhere():
    fixed = Image(np.zeros((20, 30, 7), np.float32), _oblique(3))
    matrix = np.eye(4)
    matrix[:3, :3] = [[1.2, 0.1, 0.0], [-0.2, 0.9, 0.05], [0.0, 0.1, 0.7]]
    transform = Transform((Affine(matrix),))
    field = transform.displacement(fixed)
    measured = measure_field(
        field, fixed.grid, fixed.grid, Transform((Affine(np.eye(4)),))
    )
    determinant = np.linalg.det(matrix)
    assert measured.smallest_jacobian == pytest.approx(determinant, rel=1e-4)
    assert measured.std_log_jacobian == pytest.approx(0, abs=1e-4)
    # The same as an initial alignment is no displacement.
    measured = measure_field(field, fixed.grid, fixed.grid, transform)
    assert measured.largest_displacement == pytest.approx(0, abs=1e-3)
    # Nor is one that isn't a matrix.
    start = Transform((DenseField(field, fixed.affine),))
    measured = measure_field(field, fixed.grid, fixed.grid, start)
    assert measured.largest_displacement == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("first", "share"), [(6.5, 100.0), (-11.5, 50.0)])
def test_how_much_is_shown_of_an_image_within_the_other(first, share):
    """12 voxels of 2 mm along the second axis; the third one is stretched to twice."""
    fixed = Image(np.zeros((40, 50, 10)), np.eye(4))
    affine = np.diag([1.0, 2.0, 1.0, 1.0])
    affine[1, 3] = first
    part = Image(np.zeros((8, 12, 5)), affine)
    half = Transform((Affine(np.diag([1.0, 1.0, 0.5, 1.0])),))
    field = half.displacement(fixed)
    measured = measure_field(field, fixed.grid, part.grid, half)
    assert measured.shown_percent == pytest.approx(share, abs=0.1)
