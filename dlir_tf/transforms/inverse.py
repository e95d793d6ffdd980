"""Inverse: a component, solved for the point that it came from."""

from dataclasses import dataclass

import numpy as np

from dlir_tf.transforms.component import Component

_TOLERANCE_MM = 1e-5
# Newton steps are dear, and in single precision 1e-5 mm may be out of reach.
_NEWTON_TOLERANCE_MM = 1e-4
# No point goes there: a fold, or the edge of what is deformed, is in between.
_MISSED_MM = 0.01
_FIXED_POINT_STEPS = 12
_NEWTON_STEPS = 20


@dataclass(frozen=True, eq=False)
class Inverse:
    """Maps the other way round: to the point that the component takes there.

    Solved by fixed-point iteration, and by damped Newton steps where that is slow.
    Where the component folds or ends, there may be no such point; the one that
    comes nearest is returned, and `Transform.inverse_residual` tells.

    Attributes:
        component: What is inverted.
    """

    component: Component

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return self.component.ndim

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Maps points `(num_points, ndim)`, world mm."""
        best = np.array(points, np.float64)
        error = points - self.component.map_points(best)
        open_ = np.flatnonzero(_norm(error) > _TOLERANCE_MM)
        scale = np.ones(len(points))
        for iteration in range(_FIXED_POINT_STEPS + _NEWTON_STEPS):
            if iteration == _FIXED_POINT_STEPS:
                open_ = open_[_norm(error[open_]) > _NEWTON_TOLERANCE_MM]
            if not open_.size:
                break
            step = error[open_]
            if iteration >= _FIXED_POINT_STEPS:
                step = self._newton_step(best[open_], step)
            trial = best[open_] + scale[open_, None] * step
            trial_error = points[open_] - self.component.map_points(trial)
            better = _norm(trial_error) < _norm(error[open_])
            scale[open_] = np.where(better, 1.0, 0.5 * scale[open_])
            best[open_[better]] = trial[better]
            error[open_[better]] = trial_error[better]
            open_ = open_[_norm(error[open_]) > _TOLERANCE_MM]
        return best

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """Derivatives at points `(num_points, ndim)`: those of the component, inverted.

        NaN where these are singular.
        """
        forward = self.component.jacobian(self.map_points(points))
        regular = np.linalg.det(forward) != 0
        result = np.full(forward.shape, np.nan)
        result[regular] = np.linalg.inv(forward[regular])
        return result

    def covers(self, points: np.ndarray) -> np.ndarray:
        """Which points come from where the component was made for, and do come so."""
        origins = self.map_points(points)
        missed = _norm(self.component.map_points(origins) - points)
        return self.component.covers(origins) & (missed <= _MISSED_MM)

    def inverse(self) -> Component:
        """The component itself."""
        return self.component

    def _newton_step(self, points: np.ndarray, error: np.ndarray) -> np.ndarray:
        forward = self.component.jacobian(points)
        # Where it folds, a plain step is as good as any.
        forward[np.abs(np.linalg.det(forward)) < 1e-3] = np.eye(self.ndim)
        return np.linalg.solve(forward, error[..., None])[..., 0]


def _norm(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.norm(vectors, axis=-1))
