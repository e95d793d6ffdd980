"""Single starts: tried as they are, shifted on, and registered affinely."""

from dataclasses import dataclass

import numpy as np

from dlir_tf.automatic.coarse import CoarsePair
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.pairs.alignment import initial_alignment
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.transforms import Affine, Transform

# Steps of the shifts that are tried from a start, as parts of the extent.
_SHIFTS = (1 / 6, 1 / 12, 1 / 24)
_ROUNDS = 4
_STEPS = 60


@dataclass(frozen=True, eq=False)
class Tried:
    """A start that was tried.

    Attributes:
        name: Of the way that led there.
        transform: From points of the fixed image to points of the moving one.
        likelihood: See `CoarsePair.likelihood`.
    """

    name: str
    transform: Transform
    likelihood: float


def likelihood(one: Tried) -> float:
    """By which starts are compared."""
    return one.likelihood


def try_start(pair: CoarsePair, name: str, transform: Transform) -> Tried:
    """Tries a start as it is.

    Args:
        pair: On coarse grids.
        name: Of the way that led there.
        transform: From points of the fixed image to points of the moving one.
    """
    return Tried(name, transform, pair.likelihood(transform))


def aligned(pair: CoarsePair, method: str) -> np.ndarray:
    """The world-to-world matrix of an initial alignment, `(ndim + 1, ndim + 1)`.

    Args:
        pair: On coarse grids.
        method: Which; see `dlir_tf.pairs.alignment.initial_alignment`.
    """
    counting = pair.fixed_mask.array, pair.moving_mask.array
    return initial_alignment(pair.fixed, pair.moving, method, counting)


def distinct(tried: list[Tried], pair: CoarsePair) -> list[Tried]:
    """Without those that do the same as one before, to less than a coarse voxel.

    Args:
        tried: The first ones are kept.
        pair: On coarse grids.
    """
    corners = pair.fixed.grid.corners
    step = max(pair.fixed.spacing)
    kept: list[tuple[Tried, np.ndarray]] = []
    for one in tried:
        there = one.transform.map_points(corners)
        if all(np.abs(there - other).max() > step for _, other in kept):
            kept.append((one, there))
    return [one for one, _ in kept]


def shift_on(pair: CoarsePair, start: Tried) -> Tried:
    """Shifts along the axes as long as that helps, by less and less.

    Args:
        pair: On coarse grids.
        start: Where it begins.
    """
    extent = np.minimum(pair.fixed.grid.extent.max(), pair.moving.grid.extent.max())
    axes = pair.fixed.grid.directions
    best = start
    for part in _SHIFTS:
        for _ in range(_ROUNDS):
            trials = [
                try_start(
                    pair, start.name, _shifted(best.transform, part * extent * way)
                )
                for way in (*axes.T, *-axes.T)
            ]
            found = max(trials, key=likelihood)
            if found.likelihood <= best.likelihood:
                break
            best = found
    return best


def _shifted(transform: Transform, by: np.ndarray) -> Transform:
    matrix = transform.affine_part.copy()
    matrix[:-1, -1] += by
    return Transform((Affine(matrix),))


def register_affinely(pair: CoarsePair, start: Tried) -> Tried:
    """Registers affinely on the coarse grid, by mutual information.

    Args:
        pair: On coarse grids.
        start: Where it begins.
    """
    ndim = pair.fixed.ndim
    stage = {
        "transform": "affine",
        "downsample": 1,
        "feature_spacing": 1,
        "max_rotation_degrees": 60.0,
    }
    config = Config.model_validate(
        {
            "ndim": ndim,
            "spacing": [None] * ndim,
            "intensity": {"clip_percentiles": None},
            "similarity": {"kind": "nmi", "bins": 24},
            "stages": [stage],
        }
    )
    try:
        prepared = prepare_pair(
            pair.fixed,
            pair.moving,
            config,
            fixed_mask=pair.fixed_mask,
            moving_mask=pair.moving_mask,
            initial_transform=start.transform,
        )
        from dlir_tf.refinement import refine  # needs the backend of Keras

        found = refine(prepared, config, _STEPS)
    except InputError:  # too little overlaps there
        return start
    transform = prepared.to_world(found.parameters.matrix)
    turned = try_start(pair, start.name, Transform((Affine(transform.affine_part),)))
    return max(start, turned, key=likelihood)
