"""How far what a SavedModel gives is from what dlir_tf gives, for one pair."""

import numpy as np
from keras import ops
from scipy import ndimage

from dlir_tf.config import MATRIX, Config
from dlir_tf.export.differences import (
    Tolerance,
    changes,
    control_points,
    largest,
    longest,
)
from dlir_tf.export.fresh_process import Arrays
from dlir_tf.export.pairs import TrialPair
from dlir_tf.images.grid import apply_affine, column_norms
from dlir_tf.losses import similarity_loss
from dlir_tf.metrics.similarity import most_alike
from dlir_tf.models.folder import Model
from dlir_tf.models.world import build_transform
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.transforms import Transform

TOLERANCE = Tolerance(mm=0.01, fraction=1e-3)
# Where the image ends, values jump; positions are good to this part of a voxel.
_EDGE_VOXELS = 1e-3
_NUDGE_MM = 1e-3


def expected_outputs(pair: TrialPair, model: Model) -> tuple[Arrays, Transform]:
    """What the signatures must give for a pair, by NumPy, SciPy and Keras.

    As `register` does it; but that may leave out stages which do harm, while a server
    always gives the whole chain.
    """
    fixed, moving = pair.fixed, pair.moving
    working = prepare_pair(fixed, moving, model.config)
    parameters = model.predict(working)
    transform = build_transform(
        working, parameters, model.config, model.numerics.bspline
    )
    field = transform.displacement(fixed)
    moved = transform.resample(moving, fixed, displacement=field)
    labels = transform.resample(
        pair.moving_labels, fixed, displacement=field, interpolation="nearest"
    )
    expected = {
        "moved": moved.array,
        "displacement": field,
        MATRIX: transform.affine_part,
        "moved_labels": labels.array,
        "grid_affine": working.grid.affine,
        **parameters.control_points,
        **_quality(working, transform, model),
        "smallest_jacobian": transform.jacobian_determinant(fixed).min(),
        "largest_displacement": longest(field - working.initial.affine_part[:-1, -1]),
    }
    return expected, transform


def _quality(working: WorkingPair, transform: Transform, model: Model) -> Arrays:
    """Similarities on the working grid, whose moving image is aligned already."""
    grid, similarity = working.grid, model.config.similarity
    loss = similarity_loss(**similarity.model_dump(exclude={"weight"}))
    voxels = np.moveaxis(np.indices(grid.shape), 0, -1).reshape(-1, len(grid.shape))
    points = transform.map_points(apply_affine(grid.affine, voxels))
    to_grid = np.linalg.inv(working.initial.affine_part @ grid.affine)
    places = apply_affine(to_grid, points).T.reshape(-1, *grid.shape)
    moved = ndimage.map_coordinates(working.moving, places, order=1, mode="nearest")

    def alike(image: np.ndarray) -> np.ndarray:
        images = (working.fixed, image, working.mask)
        batches = (array[None, ..., None].astype(np.float32) for array in images)
        difference = ops.convert_to_numpy(loss(*batches))[0]
        return np.asarray(most_alike(similarity.kind) - difference)

    return {
        "similarity_before": alike(working.moving),
        "similarity_after": alike(moved),
    }


def compare(
    pair: TrialPair,
    expected: Arrays,
    transform: Transform,
    received: Arrays,
    config: Config,
) -> dict[str, float]:
    """Returns the largest differences, named as in `dlir_tf.export.parity.Parity`.

    Voxels where the result jumps aren't counted: at the very edge of the moving image
    or of a spline, the last bit decides on which side a point lies.

    Raises:
        ExportError: If an output is missing or has another shape.
    """
    change = changes("model", expected, received)
    working_mm = column_norms(expected["grid_affine"])
    edges, ties = _edges_and_ties(pair, expected["displacement"])
    wrong = np.abs(change["moved"])[~edges]
    misplaced = _misplaced(pair, change["displacement"], transform)
    quality = ("similarity_before", "similarity_after", "smallest_jacobian")
    return {
        "displacement_mm": misplaced,
        "moved": largest(wrong) / float(np.ptp(expected["moved"])),
        "affine_mm": longest(apply_affine(change[MATRIX], pair.fixed.grid.corners)),
        "control_points_mm": largest(
            [longest(points, working_mm) for points in control_points(change, config)]
        ),
        "labels": float(np.mean((change["moved_labels"] != 0) & ~ties)),
        "quality": largest([abs(float(change[name])) for name in quality]),
    }


def _misplaced(pair: TrialPair, change: np.ndarray, transform: Transform) -> float:
    """Returns the largest change of the displacement, but where the transform jumps."""
    lengths = np.linalg.norm(change, axis=-1)
    # The comparison is false for NaN, which is kept so.
    suspects = np.argwhere(~(lengths <= TOLERANCE.mm))
    points = pair.fixed.grid.to_world(suspects)
    for place, point in zip(suspects, points, strict=True):
        nudges = _NUDGE_MM * np.vstack([np.eye(len(point)), -np.eye(len(point))])
        around = transform.map_points(point + nudges) - (point + nudges)
        jump = np.linalg.norm(np.ptp(around, axis=0))
        if jump > TOLERANCE.mm and np.isfinite(lengths[tuple(place)]):
            lengths[tuple(place)] = 0.0
    return largest(lengths)


def _edges_and_ties(
    pair: TrialPair, displacement: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Voxels that come from the very edge of the moving image; or from between two."""
    positions = pair.moving.grid.to_voxels(pair.fixed.grid.points() + displacement)
    ends = np.array(pair.moving.shape) - 0.5
    nearest = np.minimum(np.abs(positions + 0.5), np.abs(positions - ends))
    fractions = np.abs(positions - np.floor(positions) - 0.5)
    return (
        np.any(nearest < _EDGE_VOXELS, axis=-1),
        np.any(fractions < _EDGE_VOXELS, axis=-1),
    )
