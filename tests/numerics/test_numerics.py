"""Both kinds of arithmetic warp and compose as SciPy's `interpn` says."""

import numpy as np
import pytest
from scipy.interpolate import interpn

from dlir_tf.numerics import UNCOMPILED
from dlir_tf.numerics.compiled import COMPILED

BOTH = pytest.mark.parametrize(
    "numerics", [UNCOMPILED, COMPILED], ids=["uncompiled", "compiled"]
)
SIZES = {2: (50, 61), 3: (21, 23, 7)}


def displaced(image, field):
    """Values of an image at displaced voxels; the border goes on beyond it."""
    places = np.moveaxis(np.indices(image.shape) + field, 0, -1)
    axes = [np.arange(length) for length in image.shape]
    return interpn(axes, image, np.clip(places, 0, np.array(image.shape) - 1))


@BOTH
@pytest.mark.parametrize("ndim", [2, 3])
def test_warp(rng, ndim, numerics):
    image = rng.normal(size=SIZES[ndim]).astype(np.float32)
    field = rng.normal(0, 3, (ndim, *image.shape)).astype(np.float32)
    moved = numerics.warp(image, field)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, displaced(image, field), atol=5e-5)
    still = numerics.warp(image, np.zeros_like(field))
    np.testing.assert_allclose(still, image, atol=1e-6)


@BOTH
@pytest.mark.parametrize("ndim", [2, 3])
def test_compose(rng, ndim, numerics):
    shape = (ndim, *SIZES[ndim])
    outer, inner = rng.normal(0, 3, (2, *shape)).astype(np.float32)
    total = numerics.compose(outer, inner)
    assert (total.dtype, total.shape) == (np.float32, shape)
    expected = inner + [displaced(component, inner) for component in outer]
    np.testing.assert_allclose(total, expected, atol=1e-4)
    np.testing.assert_allclose(
        numerics.compose(np.zeros_like(inner), inner), inner, atol=1e-6
    )


@BOTH
@pytest.mark.parametrize("shape", [(5, 6), (1, 9, 4), (7, 5, 6)])
def test_change_of_volume(rng, shape, numerics):
    """Of a field in mm, on a grid whose axes are oblique, by NumPy's gradients."""
    ndim = len(shape)
    matrix = rng.normal(0, 0.4, (ndim, ndim))
    field = rng.normal(size=(*shape, ndim)).astype(np.float32)
    steps = field @ matrix.T
    slopes = [
        np.gradient(steps, axis=axis) if size > 1 else np.zeros_like(steps)
        for axis, size in enumerate(shape)
    ]
    expected = np.linalg.det(np.stack(slopes, axis=-1) + np.eye(ndim))
    found = numerics.volumes(field, matrix)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert expected.min() < 0
