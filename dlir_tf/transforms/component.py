"""What every part of a transform can do."""

from typing import Protocol

import numpy as np


class Component(Protocol):
    """One part of a `Transform`: a map of the world onto itself, in RAS+ mm."""

    @property
    def ndim(self) -> int:
        """2 or 3."""

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Maps points `(num_points, ndim)`, world mm; returns the same shape."""

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """Derivatives at points: `(num_points, ndim, ndim)`, output axis first."""

    def covers(self, points: np.ndarray) -> np.ndarray:
        """Which points the component was made for, `(num_points,)`, bool.

        Elsewhere a deformation is zero, as ITK has it.
        """

    def inverse(self) -> "Component":
        """The component that maps back."""
