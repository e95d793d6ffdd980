"""Pairs whose registration is known."""

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.config import Config
from dlir_tf.images import Image
from dlir_tf.pairs.preprocessing import prepare_pair

SIZES = {2: (64, 40), 3: (32, 24, 8)}
SHIFT = {2: (3, -2), 3: (3, -2, 1)}
MARGIN = 8


def make_config(ndim, num_splines=2, *, affine=True, downsample=2, **fields):
    """An affine stage and splines, control points every 8 and then 4 voxels."""
    factor = [downsample, downsample, 1][:ndim]
    shared = {"downsample": factor, "filters": [4, 4]}
    stages = [
        {"transform": "affine", "feature_spacing": [4, 4, 2][:ndim], **shared},
        {
            "transform": "bspline",
            "control_point_spacing": [8, 8, 2][:ndim],
            "injective": False,
            **shared,
        },
        {
            "transform": "bspline",
            "control_point_spacing": [4, 4, 2][:ndim],
            "injective": False,
            **shared,
        },
    ]
    chosen = stages[not affine : 1 + num_splines]
    defaults = {"ndim": ndim, "spacing": [None] * ndim, "stages": chosen}
    return Config.model_validate(defaults | fields)


def make_images(ndim, seed=3, shift=None):
    """A texture, and the same shifted by whole voxels; no border shows."""
    size = np.array(SIZES[ndim])
    shift = np.array(SHIFT[ndim] if shift is None else shift)
    rng = np.random.default_rng(seed)
    sigma = (2.0, 2.0, 1.0)[:ndim]
    texture = ndimage.gaussian_filter(rng.normal(size=size + 2 * MARGIN), sigma)
    texture = (texture - texture.min()) / np.ptp(texture)
    spacing = np.array([1.5, 1.2, 5.0, 1.0])
    affine = np.diag([*spacing[:ndim], 1.0])
    crops = []
    for offset in (np.zeros(ndim, int), -shift):
        first = MARGIN + offset
        window = tuple(slice(a, a + n) for a, n in zip(first, size, strict=True))
        crops.append(Image(texture[window].astype(np.float32), affine))
    return crops


def uniform(config, number, shift):
    """Control points of a stage that shifts everything by voxels."""
    spacing = config.stages[number - 1].cell_spacing
    sizes = zip(SIZES[config.ndim], spacing, strict=True)
    lattice = [n // s + 4 for n, s in sizes]
    return np.broadcast_to(np.array(shift, float), (*lattice, config.ndim))


def shift_matrix(shift):
    ndim = len(shift)
    return np.column_stack([np.eye(ndim), shift])


@pytest.fixture(params=[2, 3], ids=["2-d", "3-d"])
def ndim(request):
    return request.param


@pytest.fixture
def pair(ndim):
    return prepare_pair(*make_images(ndim), make_config(ndim))
