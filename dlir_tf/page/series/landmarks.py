"""Landmarks that were followed through a series, as the viewer draws them."""

from typing import Any

import numpy as np

from dlir_tf.page.series.contents import SeriesContents

# More would hide what they are of, as those of a surface do.
_MOST = 60


def followed(contents: SeriesContents) -> np.ndarray | None:
    """Where landmarks are, `(frames, points, ndim)`, world mm; `None` without any."""
    rows, count = contents.displacements, len(contents.frames)
    axes = "xyz"[: contents.reference.ndim]
    if not rows or len(rows) % count or not all(axis in rows[0] for axis in axes):
        return None
    ordered = sorted(rows, key=lambda row: (int(row["frame"]), int(row["point"])))
    places = np.array([[float(row[axis]) for axis in axes] for row in ordered])
    return places.reshape(count, -1, len(axes))


def landmark_data(contents: SeriesContents) -> list[dict[str, Any]] | None:
    """For each landmark where it is in the reference, and in every frame.

    Returns:
        `name`, `fixed` and `frames`, RAS+ mm; `None` if there are none, or too many.
    """
    places = followed(contents)
    if places is None or places.shape[1] > _MOST:
        return None
    given = contents.run.get("labels_frame")
    given = given if isinstance(given, int) and 0 <= given < len(places) else 0
    start = contents.transforms[given].inverse().map_points(places[given])
    return [
        {
            "name": str(number),
            "fixed": _in_space(start[number]),
            "frames": [_in_space(frame[number]) for frame in places],
        }
        for number in range(places.shape[1])
    ]


def _in_space(point: np.ndarray) -> list[float]:
    return [*(float(value) for value in point), 0.0][:3]
