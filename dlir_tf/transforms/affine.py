"""Affine: a matrix in world coordinates."""

from dataclasses import dataclass

import numpy as np

from dlir_tf.images.grid import apply_affine, is_invertible

# Of what unit vectors along the axes become; 1 if they stay perpendicular.
_SMALLEST_VOLUME = 1e-9


@dataclass(frozen=True, eq=False)
class Affine:
    """An affine map of the world.

    Attributes:
        matrix: World-to-world matrix `(ndim + 1, ndim + 1)`, RAS+ mm.

    Raises:
        ValueError: If the matrix has another form or can't be inverted.
    """

    matrix: np.ndarray

    def __post_init__(self) -> None:
        """Checks the matrix."""
        matrix = np.array(self.matrix, np.float64)
        object.__setattr__(self, "matrix", matrix)
        if matrix.shape not in ((3, 3), (4, 4)) or not np.array_equal(
            matrix[-1], np.eye(len(matrix))[-1]
        ):
            raise ValueError(
                "Affine: expected a 3x3 or 4x4 matrix whose last row is 0 ... 0 1. "
                f"Received: {matrix.tolist()}"
            )
        if not is_invertible(matrix, _SMALLEST_VOLUME):
            raise ValueError(
                "Affine: expected finite numbers and a matrix that can be inverted. "
                f"Received: {matrix.tolist()}"
            )

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return len(self.matrix) - 1

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Maps points `(..., ndim)`, world mm."""
        return apply_affine(self.matrix, points)

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """The linear part, for each of `(num_points, ndim)` points."""
        linear = self.matrix[:-1, :-1]
        return np.broadcast_to(linear, (len(points), *linear.shape))

    def covers(self, points: np.ndarray) -> np.ndarray:
        """All points."""
        return np.ones(len(points), bool)

    def inverse(self) -> "Affine":
        """The map back."""
        matrix = np.linalg.inv(self.matrix)
        matrix[-1] = np.eye(len(matrix))[-1]
        return Affine(matrix)
