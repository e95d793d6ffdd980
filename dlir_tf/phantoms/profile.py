"""Radial motion by its area ratio: one-to-one by construction.

On the squared radius `s` a radial map of the plane is `s -> s + d(s)`, and its
Jacobian determinant is exactly `1 + d'(s)`. So an anatomist's statement (the
cavity loses half its area, the wall keeps its own) is written down directly,
and the map folds nowhere as long as those ratios are positive.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.floating]


@dataclass(frozen=True)
class AreaProfile:
    """A change of area that is constant between edges, with smooth transitions.

    Args:
        edges: Squared radii where the change of area changes, increasing.
        changes: Area ratio minus one below the first edge and between edges.
            One number fewer than needed: beyond the last edge it is zero, and
            between the last two edges it is what brings the motion to rest.
        softness: Width of the transition at each edge, in squared radius.
    """

    edges: tuple[float, ...]
    changes: tuple[float, ...]
    softness: tuple[float, ...]

    def _steps(self) -> tuple[float, list[tuple[float, float, float]]]:
        widths = np.diff(np.array([0.0, *self.edges]))
        rest = -float(np.dot(self.changes, widths[:-1])) / widths[-1]
        levels = [*self.changes, rest, 0.0]
        jumps = np.diff(levels)
        return levels[0], list(zip(jumps, self.edges, self.softness, strict=True))

    def shift(self, squared: Array) -> Array:
        """The change `d(s)` of the squared radius; zero at 0 and far away."""
        start, steps = self._steps()
        total = start * squared
        for jump, edge, soft in steps:
            offset = np.logaddexp(0.0, -edge / soft)
            risen = np.logaddexp(0.0, (squared - edge) / soft) - offset
            total = total + jump * soft * risen
        return np.asarray(total)

    def slope(self, squared: Array) -> Array:
        """The derivative `d'(s)`: the area ratio minus one."""
        start, steps = self._steps()
        total = np.full_like(squared, start)
        for jump, edge, soft in steps:
            total += jump * expit((squared - edge) / soft)
        return total


def solve_radial(
    target: Array, weight: Array, inner: AreaProfile, outer: AreaProfile
) -> Array:
    """Solves `s + inner(s) + weight * outer(s) = target` for `s`, elementwise.

    Newton's method, kept inside a bracket that shrinks, so that it always
    converges: the left side increases.
    """
    result = np.empty_like(target)
    active, goal, part = np.arange(len(target)), target, weight
    low, high = np.zeros_like(goal), 8.0 * goal + 1e-12
    guess = goal
    for _ in range(100):
        error = guess + inner.shift(guess) + part * outer.shift(guess) - goal
        low = np.where(error < 0, guess, low)
        high = np.where(error < 0, high, guess)
        step = guess - error / (1.0 + inner.slope(guess) + part * outer.slope(guess))
        following = np.where((step >= low) & (step <= high), step, (low + high) / 2)
        result[active] = following
        moving = np.abs(error) > 1e-11
        if not moving.any():
            break
        active, goal, part = active[moving], goal[moving], part[moving]
        low, high, guess = low[moving], high[moving], following[moving]
    return result
