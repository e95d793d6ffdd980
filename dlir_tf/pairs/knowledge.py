"""What is known of a pair beside its images: corresponding landmarks, and outlines."""

import math
from dataclasses import dataclass

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images import Image


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Landmarks and outlines of both images, which their refinement goes by as well.

    Attributes:
        points: Of the fixed and of the moving image, `(num_points, ndim)` each, RAS+
            mm, corresponding by their order; or none.
        labels: Of the fixed and of the moving image, on their grids; or none.
        points_weight: What 1 mm of the points' mean distance adds to the loss.
        labels_weight: What outlines add to the loss that lie about a tenth of the
            image apart.

    Raises:
        InputError: If points don't correspond, nothing is known, or a weight is no
            positive number.
    """

    points: tuple[np.ndarray, np.ndarray] | None = None
    labels: tuple[Image, Image] | None = None
    points_weight: float = 0.1
    labels_weight: float = 1.0

    def __post_init__(self) -> None:
        """Checks that it can be used."""
        for name in ("points_weight", "labels_weight"):
            weight = getattr(self, name)
            if not (math.isfinite(weight) and weight > 0):
                raise InputError(
                    f"{name}: must be a number above 0. Received: {weight}"
                )
        if self.points is None and self.labels is None:
            raise InputError("knowledge: needs points or labels of both images")
        if self.points is not None:
            points = tuple(np.asarray(p, np.float64) for p in self.points)
            object.__setattr__(self, "points", points)
            shapes = [p.shape for p in points]
            fits = len(shapes[0]) == 2 and shapes[0] == shapes[1] and len(points[0])
            if not fits or not all(np.isfinite(p).all() for p in points):
                raise InputError(
                    "points: must be as many finite ones of both images, (num_points, "
                    f"ndim) each. Received: {shapes[0]} and {shapes[1]}"
                )


def check_use(knowledge: Knowledge | None, stiffness: float, *, refined: bool) -> None:
    """Refuses what only a refinement goes by where there is none.

    Raises:
        InputError: If there is such a thing.
    """
    if not refined and (knowledge is not None or stiffness != 1):
        raise InputError(
            "knowledge of a pair and stiffness are for its refinement, which isn't "
            "asked for; set refine (--refine) to a number of steps"
        )
