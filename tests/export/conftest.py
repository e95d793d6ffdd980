"""Models that move everything: an untrained one agrees with any other."""

import numpy as np
import pytest
from random_models import affine, random_model, spline

# Of the affine stages: what would turn an image out of its frame says nothing.
GENTLE = {"max_rotation_degrees": 12.0, "max_shear": 0.1}
PROVENANCE = {"seed": 7, "data_sha256": "0a1b2c", "format_version": 1}


@pytest.fixture(scope="package")
def make_random_model():
    """Makes a model of a config whose weights are random."""

    def make(**config):
        rng = np.random.default_rng(7)
        return random_model(config, rng, 0.3, provenance=PROVENANCE)

    return make


@pytest.fixture(scope="package")
def flat_model(make_random_model):
    """2-d, from centre to centre."""
    return make_random_model(
        ndim=2,
        spacing=[1.5, None],
        initial_alignment="centers",
        stages=[
            affine([4, 2], **GENTLE),
            spline([8, 4]),
        ],
    )


@pytest.fixture(scope="package")
def thick_model(make_random_model):
    """3-d, with slices that aren't pooled, an affine and two splines."""
    return make_random_model(
        description="random",
        ndim=3,
        spacing=[3.0, 3.5, None],
        axes="slices_last",
        initial_alignment="mass",
        stages=[
            affine([4, 4, 1], [2, 2, 1], **GENTLE),
            spline([16, 8, 1], [2, 2, 1]),
            spline([8, 4, 1], [2, 1, 1], normalization="batch"),
        ],
    )
