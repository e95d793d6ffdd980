"""ConvNets: shapes, a neutral start, and features that keep their place."""

import keras
import numpy as np
import pytest

from dlir_tf.config import AffineStage, BSplineStage
from dlir_tf.layers.affine import num_affine_parameters
from dlir_tf.models.networks import Centroids, deformable_network, linear_network


def _affine_stage(ndim, **options):
    return AffineStage(
        transform="affine",
        downsample=(1,) * ndim,
        feature_spacing=(4, 2, 1)[:ndim],
        **{"filters": (3, 5), "dense_units": (7,), **options},
    )


def _bspline_stage(ndim, **options):
    return BSplineStage(
        transform="bspline",
        downsample=(1,) * ndim,
        control_point_spacing=(4, 2, 1)[:ndim],
        **{"filters": (3, 5), "lattice_filters": 6, **options},
    )


def _pair(rng, size, batch=2):
    shape = (batch, *size, 1)
    return [rng.random(shape, dtype="float32") for _ in range(2)]


def _randomise_head(network, rng):
    head = network.layers[-1]
    head.set_weights([rng.normal(size=w.shape) for w in head.get_weights()])


def _convolutions(network):
    """All of them, as `(kernel size, filters)`, those inside inner models too."""
    found = []
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            found += _convolutions(layer)
        elif "Conv" in type(layer).__name__:
            found.append((layer.kernel_size[0], layer.filters))
    return found


@pytest.mark.parametrize("ndim", [2, 3])
def test_affine_network_gives_neutral_parameters_for_any_size(ndim, rng):
    network = linear_network(_affine_stage(ndim), ndim, "affine")
    for size in ((8, 6, 3), (4, 2, 5)):
        parameters = network(_pair(rng, size[:ndim]))
        assert parameters.shape == (2, num_affine_parameters(ndim))
        assert not np.any(parameters)
    _randomise_head(network, rng)
    parameters = network(_pair(rng, size[:ndim])).numpy()
    assert np.abs(parameters[0] - parameters[1]).max() > 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_deformable_network_gives_a_neutral_lattice_for_any_size(ndim, rng):
    network = deformable_network(_bspline_stage(ndim), ndim, "spline")
    for size in ((8, 6, 3), (4, 2, 5)):
        lattice = network(_pair(rng, size[:ndim]))
        cells = [n // s + 4 for n, s in zip(size[:ndim], (4, 2, 1), strict=False)]
        assert lattice.shape == (2, *cells, ndim)
        assert not np.any(lattice)


def test_pipelines_of_the_affine_network_share_their_weights(rng):
    """Swapped images swap the two halves of the features that the head sees."""
    network = linear_network(_affine_stage(2, dense_units=()), 2, "affine")
    _randomise_head(network, rng)
    head = network.layers[-1]
    kernel, bias = head.get_weights()
    fixed, moving = _pair(rng, (8, 6))
    swapped = network([moving, fixed])
    head.set_weights([np.roll(kernel, len(kernel) // 2, axis=0), bias])
    np.testing.assert_allclose(network([fixed, moving]), swapped, atol=1e-5)
    assert _convolutions(network) == [(3, 3), (3, 5)]


def test_number_and_kind_of_layers_follow_the_config():
    stage = _bspline_stage(3, convolutions=2, normalization="batch")
    network = deformable_network(stage, 3, "spline")
    trunk = [(3, 3), (3, 3), (3, 5), (3, 5)]
    lattice = [(3, 6), (3, 6), (1, 6)]
    assert _convolutions(network) == [*trunk, *lattice, (1, 3)]
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.count("BatchNormalization") == len(trunk) + len(lattice)
    plain = deformable_network(_bspline_stage(3), 3, "spline")
    assert "BatchNormalization" not in {type(layer).__name__ for layer in plain.layers}


def test_last_filters_are_used_at_all_deeper_levels():
    stage = BSplineStage(
        transform="bspline",
        downsample=(1, 1),
        control_point_spacing=(16, 1),
        filters=(2, 3),
        lattice_filters=4,
    )
    network = deformable_network(stage, 2, "spline")
    assert _convolutions(network)[:4] == [(3, 2), (3, 3), (3, 3), (3, 3)]


@pytest.mark.parametrize("cell", [5, 8])
def test_control_points_are_centred_on_the_cells_that_predict_them(cell, rng):
    """What changes when a cell of the image does lies evenly about its own point."""
    network = deformable_network(_bspline_stage(2), 2, "spline")
    _randomise_head(network, rng)
    fixed, moving = _pair(rng, (56, 2), batch=1)
    before = network([fixed, moving]).numpy()
    moving[:, 4 * cell : 4 * cell + 4] += 1
    after = network([fixed, moving]).numpy()
    changed = np.flatnonzero(np.abs(after - before).max((0, 2, 3)) > 1e-6)
    assert len(changed) > 1
    # Two more points lie before the first cell.
    assert (changed[0] + changed[-1]) / 2 == cell + 2


def test_centroids_know_where_a_feature_is():
    """A bright voxel lies at its own place; positions run from -1 to 1 per axis."""
    size, voxel = (4, 10, 5), (3, 2, 2)
    features = np.zeros((1, *size, 2), "float32")
    features[(0, *voxel, 1)] = 50
    pooled = Centroids()(features).numpy()[0].reshape(4, 2)
    np.testing.assert_allclose(pooled[0], [0, 50 / 200])
    position = (np.array(voxel) + 0.5) * 2 / size - 1
    np.testing.assert_allclose(pooled[1:, 1], position, atol=1e-4)
    # A channel without anything in it is nowhere in particular: in the middle.
    np.testing.assert_allclose(pooled[1:, 0], 0, atol=1e-6)


@pytest.mark.parametrize(("mode", "knows"), [("average", False), ("centroid", True)])
def test_only_centroids_tell_features_by_place(mode, knows, rng):
    """Means of a periodic image are the same wherever its one object is."""
    network = linear_network(_affine_stage(2, pooling_mode=mode), 2, "affine")
    _randomise_head(network, rng)
    fixed = np.zeros((1, 24, 24, 1), "float32")
    moving = fixed.copy()
    moving[:, 8:12, 8:12] = 1
    moved = np.roll(moving, (4, 4), (1, 2))
    difference = network([fixed, moving]) - network([fixed, moved])
    assert (np.abs(difference).max() > 1e-3) == knows
