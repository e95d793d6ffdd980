"""A heartbeat whose motion is known, registered once for all tests of a module."""

import pytest

from dlir_tf.config import Config
from dlir_tf.phantoms import heartbeat
from dlir_tf.series import track


def spline_config():
    """Two lattices of a 2-d heart, refined from nothing."""
    stages = [
        {"transform": "bspline", "downsample": 1, "control_point_spacing": spacing}
        | {"bending_energy": 1.0}
        for spacing in (8, 4)
    ]
    return Config.model_validate(
        {
            "ndim": 2,
            "spacing": [3.0, 3.0],
            "stages": stages,
            "refinement": {"steps": 24, "learning_rate": 0.15},
        }
    )


@pytest.fixture(scope="session")
def config():
    """Of a heart on few voxels."""
    return spline_config()


@pytest.fixture(scope="session")
def beat():
    """Six frames of a slice."""
    return heartbeat(3, 6, shape=(44, 41), spacing=(3.0, 3.1), ndim=2)


@pytest.fixture(scope="session")
def tracked(beat, config):
    """All its frames, registered to the first."""
    return track(beat.frames, config=config, periodic=True)
