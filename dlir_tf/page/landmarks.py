"""Landmarks for the viewer: where they lie in the fixed world, and how far apart."""

from typing import Any

import numpy as np

from dlir_tf.metrics import landmark_errors
from dlir_tf.page.contents import Landmarks
from dlir_tf.transforms import Transform


def landmark_rows(
    landmarks: Landmarks, before: Transform, after: Transform | None
) -> list[dict[str, Any]]:
    """For each landmark its place, those of its partner, and errors in mm.

    Args:
        landmarks: Of both images.
        before: From fixed to moving points, as it was before.
        after: Likewise, as it is; `None` if there is no transform.

    Returns:
        `name`; `fixed`, its place; `before` and `after`, where in the fixed world its
        partner of the moving image came to lie; `error_before` and `error_after`.
    """
    fixed, moving = landmarks.fixed, landmarks.moving
    kinds = {"before": before, **({} if after is None else {"after": after})}
    places = {kind: _pulled_back(moving, fixed, t) for kind, t in kinds.items()}
    errors = {k: landmark_errors(t.map_points(fixed), moving) for k, t in kinds.items()}
    rows = []
    for index in range(len(fixed)):
        row: dict[str, Any] = {
            "name": landmarks.name(index),
            "fixed": _in_space(fixed[index]),
        }
        for kind in kinds:
            row[kind] = _in_space(places[kind][index])
            row[f"error_{kind}"] = float(errors[kind][index])
        rows.append(row)
    return rows


def _pulled_back(
    moving: np.ndarray, fixed: np.ndarray, transform: Transform
) -> np.ndarray:
    """Points of the moving image where the transform lays them on the fixed one."""
    inverse = transform.inverse().map_points(moving)
    # Where there is no inverse, the error itself, which is about as long.
    straight = fixed + moving - transform.map_points(fixed)
    apart = landmark_errors(transform.map_points(inverse), moving)
    found = np.isfinite(inverse).all(axis=1) & (apart < 0.1)
    return np.where(found[:, None], inverse, straight)


def _in_space(point: np.ndarray) -> list[float]:
    return [*(float(value) for value in point), 0.0][:3]
