"""What phases minimise: kernels against graphs, gradients against differences."""

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.refinement.graphs import GraphObjective
from dlir_tf.refinement.images import PhaseImages
from dlir_tf.refinement.objectives import MatrixObjective, SplineObjective

from .conftest import AFFINE, make_config, spline

SIZES = {2: (20, 16), 3: (12, 16, 6)}
SPACING = {2: (1.5, 0.8), 3: (1.5, 0.8, 4.0)}
SIMILARITIES = [
    {"kind": "ncc", "weight": 2.0},
    {"kind": "windowed_ncc", "window": 5},
    {"kind": "mse"},
    {"kind": "nmi", "bins": 16},
    {"kind": "mind_ssc", "dilation": 1},
]


def images_of(rng, size, *, masked=False):
    fixed, moving = (
        ndimage.gaussian_filter(rng.normal(size=size), 1.5).astype("float32")
        for _ in range(2)
    )
    weights = np.ones(size, "float32")
    weights[:2] = weights[-5:] = 0
    mask = np.ones(size, "float32")
    mask[-6:, :7] = 0
    return PhaseImages(fixed, fixed + moving, weights, mask if masked else None)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_kernels_and_graphs_agree(rng, ndim, similarity, masked):
    downsample, cells = ([2, 1, 1][:ndim], [8, 4, 2][:ndim])
    settings = {"downsample": downsample, "bending_energy": 0.7}
    config = make_config(ndim, [spline(cells, **settings)], similarity=similarity)
    images = images_of(rng, SIZES[ndim], masked=masked)
    arguments = images, config, config.stages[0], SPACING[ndim]
    kernel, graph = (kind(*arguments) for kind in (SplineObjective, GraphObjective))
    numbers = rng.normal(0, 0.2, kernel.start.shape).astype("float32")
    (loss, gradient), (expected, slopes) = kernel(numbers), graph(numbers)
    assert loss == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(gradient, slopes, atol=1e-3 * np.abs(slopes).max())
    np.testing.assert_array_equal(kernel.points(numbers), graph.points(numbers))


@pytest.mark.parametrize("deformed", [False, True])
@pytest.mark.parametrize("ndim", [2, 3])
def test_a_matrix_goes_down_its_gradient(rng, ndim, deformed):
    """Against differences of the loss; a matrix is there already."""
    config = make_config(ndim, [AFFINE | {"downsample": 1}])
    images, size = images_of(rng, SIZES[ndim]), SIZES[ndim]
    matrix = np.eye(ndim, ndim + 1) + 0.02 * rng.normal(size=(ndim, ndim + 1))
    shift = rng.normal(size=ndim).astype("float32")
    deformation = np.broadcast_to(shift, (*size, ndim)) if deformed else None
    objective = MatrixObjective(
        images, config, config.stages[0], SPACING[ndim], matrix, deformation
    )
    np.testing.assert_allclose(objective.matrix(objective.start), matrix, atol=1e-6)
    numbers = 0.05 * rng.normal(size=objective.start.shape).astype("float32")
    _, gradient = objective(numbers)
    for index in range(len(numbers)):
        step = np.zeros_like(numbers)
        step[index] = 2e-3
        forth, back = objective(numbers + step)[0], objective(numbers - step)[0]
        difference = (forth - back) / 4e-3
        assert gradient[index] == pytest.approx(
            difference, abs=0.1 * float(np.abs(gradient).max())
        )
