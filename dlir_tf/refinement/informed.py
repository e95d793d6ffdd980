"""Losses of stages that go by what is known of a pair, beside its images."""

import numpy as np

from dlir_tf.refinement.descent import Objective
from dlir_tf.refinement.known import Term
from dlir_tf.refinement.objectives import MatrixObjective, SplineNumbers


class InformedSpline:
    """The loss of a deformable stage, with what is known of the pair.

    Args:
        objective: By the images, a `SplineObjective` or a `GraphObjective`.
        numbers: The same, for what its numbers mean.
        known: By the control points.
    """

    def __init__(
        self, objective: Objective, numbers: SplineNumbers, known: Term
    ) -> None:
        self._objective, self._numbers, self._known = objective, numbers, known

    def __call__(self, numbers: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss and its gradient."""
        loss, gradient = self._objective(numbers)
        more, by_points = self._known(self._numbers.points(numbers))
        return loss + more, gradient + self._numbers.by_numbers(numbers, by_points)


class InformedMatrix:
    """The loss of a linear stage, with what is known of the pair.

    Args:
        objective: By the images.
        known: By the matrix, in working voxels.
    """

    def __init__(self, objective: MatrixObjective, known: Term) -> None:
        self._objective, self._known = objective, known

    def __call__(self, numbers: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss and its gradient."""
        loss, gradient = self._objective(numbers)
        more, by_matrix = self._known(self._objective.matrix(numbers))
        slopes = np.tensordot(self._objective.slopes(numbers), by_matrix, 2)
        return loss + more, gradient + slopes.astype(np.float32)
