"""Random motions that can't fold: an affine map after smooth deformations."""

from math import radians
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compute.compilation import compiled_fixed_island
from dlir_tf.config.synthesis import Synthesis
from dlir_tf.layers.affine import AffineMatrix
from dlir_tf.layers.bspline import BSplineTransformer
from dlir_tf.layers.compose import Compose
from dlir_tf.layers.linear import MAX_SCALE_CHANGE
from dlir_tf.splines.lattice import INJECTIVITY_LIMIT, lattice_shape
from dlir_tf.synthesis.draws import Draws

Tensor = Any

# Control points of the deformations are so far apart, as parts of the shortest axis,
# but never closer than so many voxels.
_LATTICES = (1 / 2, 1 / 4)
_CLOSEST = 4
# Of the pairs, that lie straight and in place, as those of one patient do.
_IN_PLACE = 0.3


@compiled_fixed_island
def random_motion(
    seed: Tensor, *, shape: tuple[int, ...], settings: Synthesis, part: float = 1.0
) -> Tensor:
    """Draws displacement fields that are one-to-one.

    Small motions are as frequent as large ones: each is drawn by an extent of its own.

    Args:
        seed: As `Draws` takes it.
        shape: `(batch, *size)`.
        settings: The ranges.
        part: Of these ranges.

    Returns:
        `(batch, *size, ndim)`, in voxels.
    """
    draws = Draws(seed)
    matrix = _random_matrix(draws, shape, settings, part)
    field = None
    for lattice in _LATTICES:
        finer = _random_spline(draws, shape, settings, lattice)
        field = finer if field is None else Compose()(field, finer)
    return Compose()(matrix, field)


def _random_matrix(
    draws: Draws, shape: tuple[int, ...], settings: Synthesis, part: float
) -> Tensor:
    batch, *size = shape
    ndim = len(size)
    turns = 1 if ndim == 2 else 3
    most = np.array(
        [settings.translation] * ndim
        + [radians(settings.rotation_degrees) / np.pi] * turns
        + [settings.scale / MAX_SCALE_CHANGE] * ndim
        + [settings.shear] * turns,
        "float32",
    )
    numbers = draws.uniform((batch, len(most)), -part, part) * most
    extent = draws.uniform((batch, 1)) * (1.0 - draws.happens((batch, 1), _IN_PLACE))
    reference = ops.zeros((batch, *size, 1))
    spacing = ops.ones((batch, ndim))
    matrix = AffineMatrix(max_rotation=np.pi, max_shear=1.0)
    return matrix(numbers * extent, spacing, reference)


def _random_spline(
    draws: Draws, shape: tuple[int, ...], settings: Synthesis, lattice: float
) -> Tensor:
    batch, *size = shape
    ndim = len(size)
    step = max(_CLOSEST, round(lattice * min(size)))
    # The lattice may reach beyond the image.
    whole = [-(-n // step) * step for n in size]
    points_shape = (batch, *lattice_shape(whole, [step] * ndim), ndim)
    most = settings.deformation * INJECTIVITY_LIMIT[ndim] * step
    extent = draws.uniform((batch, *[1] * (ndim + 1)), 0.0, most)
    points = draws.uniform(points_shape, -1.0, 1.0) * extent
    inside = (slice(None), *(slice(n) for n in size))
    return BSplineTransformer(step)(points)[inside]
