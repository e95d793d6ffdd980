"""Models that move everything: an untrained one agrees with any other."""

from collections.abc import Callable

import numpy as np
import pytest

from dlir_tf.config import Config
from dlir_tf.models.folder import Model, make_model
from dlir_tf.models.model import build_model

SMALL = {"transform": "bspline", "filters": [3], "lattice_filters": 3}
AFFINE = {
    "transform": "affine",
    "filters": [3],
    "dense_units": [4],
    "max_rotation_degrees": 12.0,
    "max_shear": 0.1,
}


@pytest.fixture(scope="package")
def random_model() -> Callable[..., Model]:
    """Makes a model of a config whose weights are random."""

    def make(**data: object) -> Model:
        config = Config.model_validate(data)
        network = build_model(config)
        rng = np.random.default_rng(7)
        for weight in network.weights:
            value = weight.numpy() + rng.normal(0, 0.3, weight.shape)
            weight.assign(np.abs(value) if "variance" in weight.path else value)
        provenance = {"seed": 7, "data_sha256": "0a1b2c", "format_version": 1}
        return make_model(config, network, provenance)

    return make


@pytest.fixture(scope="package")
def flat_model(random_model: Callable[..., Model]) -> Model:
    """2-d, from centre to centre."""
    return random_model(
        ndim=2,
        spacing=[1.5, None],
        initial_alignment="centers",
        stages=[
            {**AFFINE, "downsample": 1, "feature_spacing": [4, 2]},
            {**SMALL, "downsample": 1, "control_point_spacing": [8, 4]},
        ],
    )


@pytest.fixture(scope="package")
def thick_model(random_model: Callable[..., Model]) -> Model:
    """3-d, with slices that aren't pooled, an affine and two splines."""
    return random_model(
        description="random",
        ndim=3,
        spacing=[3.0, 3.5, None],
        axes="slices_last",
        initial_alignment="mass",
        stages=[
            {**AFFINE, "downsample": [2, 2, 1], "feature_spacing": [4, 4, 1]},
            {**SMALL, "downsample": [2, 2, 1], "control_point_spacing": [16, 8, 1]},
            {
                **SMALL,
                "downsample": [2, 1, 1],
                "control_point_spacing": [8, 4, 1],
                "normalization": "batch",
            },
        ],
    )
