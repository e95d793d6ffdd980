"""How far points lie from where they belong."""

import numpy as np
import numpy.typing as npt


def landmark_errors(
    points_a: np.ndarray, points_b: np.ndarray
) -> npt.NDArray[np.float64]:
    """Euclidean distance between corresponding points.

    Args:
        points_a: `(num_points, ndim)`, world coordinates in mm.
        points_b: `(num_points, ndim)`, where these points belong.

    Returns:
        `(num_points,)`, in mm.

    Raises:
        ValueError: If the shapes differ.
    """
    if points_a.shape != points_b.shape:
        raise ValueError(
            "landmark_errors: both arrays must have the same shape. "
            f"Received: {points_a.shape} and {points_b.shape}"
        )
    offsets = np.subtract(points_a, points_b, dtype=np.float64)
    return np.asarray(np.linalg.norm(offsets, axis=-1))
