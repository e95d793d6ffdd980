"""One spline for a chain of them."""

import numpy as np

from dlir_tf.config import Config
from dlir_tf.images import Grid
from dlir_tf.series.lattice import common_lattice, on_lattice
from dlir_tf.transforms import Affine, Transform
from dlir_tf.transforms.bspline import stage_bspline


def config_of(*spacings):
    """A config with such lattices."""
    stages = [
        {"transform": "bspline", "downsample": 1, "control_point_spacing": spacing}
        for spacing in spacings
    ]
    return Config.model_validate({"ndim": 2, "spacing": [None] * 2, "stages": stages})


def test_a_chain_becomes_one_spline_that_does_the_same(rng):
    affine = np.array([[-1.5, 0.2, 30.0], [0.1, 2.0, -7.0], [0, 0, 1]])
    grid = Grid((48, 64), affine)
    coarse, fine = (
        rng.normal(0, 0.1 * s, (48 // s + 4, 64 // s + 4, 2)) for s in (16, 8)
    )
    turn = np.array([[0.98, -0.05, 2.0], [0.05, 0.98, -3.0], [0, 0, 1]])
    parts = (
        stage_bspline(fine, (8, 8), affine),
        stage_bspline(coarse, (16, 16), affine),
        Affine(turn),
    )
    chain = Transform(parts)
    lattice = common_lattice(grid, config_of([16, 16], [8, 8], [4, 4]))
    assert lattice.shape == (16, 20)
    single = on_lattice(chain, lattice)
    assert len(single.components) == 1
    apart = np.linalg.norm(
        single.displacement(grid) - chain.displacement(grid), axis=-1
    )
    assert np.linalg.norm(chain.displacement(grid), axis=-1).max() > 5
    assert apart.mean() < 0.01
    assert apart.max() < 0.1


def test_an_affine_map_is_held_up_to_the_border():
    grid = Grid((24, 32), np.diag([2.0, 3.0, 1.0]))
    matrix = Transform((Affine([[1.1, 0.1, 3], [-0.05, 0.9, 1], [0, 0, 1]]),))
    lattice = common_lattice(grid, config_of([8, 8]))
    single = on_lattice(matrix, lattice)
    assert np.allclose(single.displacement(grid), matrix.displacement(grid), atol=1e-3)


def test_without_lattices_a_matrix_says_all():
    stage = {"transform": "affine", "downsample": 1, "feature_spacing": 8}
    config = Config.model_validate(
        {"ndim": 2, "spacing": [None] * 2, "stages": [stage]}
    )
    assert common_lattice(Grid((24, 32), np.eye(3)), config) is None
