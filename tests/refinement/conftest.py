"""Pairs whose motion is known, because the moving image is a function of the world."""

from types import SimpleNamespace

import numpy as np
import pytest

from dlir_tf.config import Config
from dlir_tf.images import Image
from dlir_tf.pairs.preprocessing import prepare_pair

SHAPES = {2: (45, 52), 3: (29, 36, 7)}
SPACINGS = {2: (1.5, 1.1), 3: (1.5, 1.1, 4.0)}


def spline(spacing, **fields):
    stage = {"transform": "bspline", "downsample": 1, "bending_energy": 0.01}
    return stage | {"control_point_spacing": spacing} | fields


AFFINE = {"transform": "affine", "downsample": 2, "feature_spacing": 8}


def make_config(ndim, stages=None, **fields):
    if stages is None:
        thin = [1] * (ndim - 2)
        stages = [spline([16, 16, *thin], downsample=[2, 2, *thin])]
        stages += [spline([8, 8, *thin])]
    settings = {"intensity": {"clip_percentiles": None, "clip_values": [0, 2]}}
    settings |= {"ndim": ndim, "spacing": [None] * ndim, "stages": stages}
    return Config.model_validate(settings | fields)


def texture(places):
    """A smooth function of places in mm that looks the same nowhere else."""
    rng = np.random.default_rng(4)
    value = np.full(places.shape[:-1], 1.0)
    for _ in range(12):
        waves = rng.normal(0, 0.16, places.shape[-1])
        value += 0.2 * np.sin(places @ waves + rng.uniform(0, 6))
    return value


def organ(places):
    """The same within a smooth outline, and nothing around it."""
    ndim = places.shape[-1]
    extent = np.multiply(SHAPES[ndim], SPACINGS[ndim])
    beside = 2.6 * (places / extent - 0.5)
    return texture(places) * np.exp(-np.sum(beside**6, axis=-1) * 3)


def moved_by(motion, ndim, config=None, seen=texture):
    """A pair of images in which fixed places `x` mm belong to `motion(x)`.

    The moving image is the texture, the fixed one shows it through the motion.
    """
    config = config or make_config(ndim)
    grid = np.moveaxis(np.indices(SHAPES[ndim], float), 0, -1) * SPACINGS[ndim]
    affine = np.diag([*SPACINGS[ndim], 1.0])
    fixed = Image(seen(motion(grid)).astype(np.float32), affine)
    moving = Image(seen(grid).astype(np.float32), affine)
    return SimpleNamespace(
        config=config,
        fixed=fixed,
        moving=moving,
        pair=prepare_pair(fixed, moving, config),
        places=grid,
        displacement=motion(grid) - grid,
    )


def bulge(places):
    """Some mm here and there, nothing at the border; along no axis the same."""
    extent = np.asarray(places).reshape(-1, places.shape[-1]).max(axis=0)
    bump = np.prod(np.sin(np.pi * places / extent) ** 2, axis=-1)
    return places + bump[..., None] * np.array([5.0, -3.5, 1.5])[: places.shape[-1]]


@pytest.fixture(scope="session")
def known():
    """Returns the two pairs that are moved by `bulge`, by rank."""
    return {ndim: moved_by(bulge, ndim) for ndim in (2, 3)}
