"""The heartbeat: a smooth one-to-one motion with its inverse, in the heart frame.

Three simple maps are composed; each can be inverted, so their composition can:
contraction along rays from the long axis, twist about it, and a drift.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlir_tf.phantoms.profile import AreaProfile, solve_radial
from dlir_tf.phantoms.shape import HeartShape

Array = NDArray[np.floating]


@dataclass(frozen=True)
class HeartMotion:
    """Carries points of the heart from end-diastole to end-systole.

    Args:
        shape: The heart at end-diastole.
        left: Change of area about the left ventricle, on the squared radius in
            units of the epicardial radius.
        right: What the right ventricle adds to it, around its direction.
        twist: Rotation in radians at the base and at the apex.
        drifts: Centre, width (mm) and displacement (mm) of smooth pushes.
    """

    shape: HeartShape
    left: AreaProfile
    right: AreaProfile
    twist: tuple[float, float]
    drifts: tuple[tuple[tuple[float, ...], float, tuple[float, ...]], ...]

    @classmethod
    def random(
        cls, rng: np.random.Generator, shape: HeartShape, ndim: int
    ) -> "HeartMotion":
        """Draws a healthy contraction; in 2-d nothing moves along the axis."""
        # 6 to 9 mm at mid-ventricle, where the radius is 0.9 of that at the base.
        inward = rng.uniform(6.5, 8.8) / (0.91 * shape.outer * shape.inner_ratio)
        cavity, free_wall = shape.inner_ratio**2, shape.rv_reach**2
        left = AreaProfile(
            edges=(cavity, 1.0, 3.4),
            changes=((1.0 - inward) ** 2 - 1.0, rng.uniform(0.02, 0.12)),
            softness=(0.02, 0.06, 0.25),
        )
        right = AreaProfile(
            edges=(1.1, free_wall, 2.0 * free_wall),
            changes=(0.0, -rng.uniform(0.22, 0.38)),
            softness=(0.05, 0.15, 0.35),
        )
        base = (0.0, 0.0, -0.42 * shape.length)
        sideways = (*rng.uniform(-1.2, 1.2, 2), 0.0)
        descent = rng.uniform(2.0, 4.0) if ndim == 3 else 0.0
        return cls(
            shape=shape,
            left=left,
            right=right,
            twist=(
                np.deg2rad(rng.uniform(-5.0, -1.0)),
                np.deg2rad(rng.uniform(5.0, 12.0)),
            ),
            drifts=(
                ((0.0, 0.0, 0.0), 40.0, sideways),
                (base, 32.0, (0.0, 0.0, descent)),
            ),
        )

    def forward(self, points: Array) -> Array:
        """End-diastole to end-systole; points `(n, 3)` in mm."""
        moved = self._contract(points, inverse=False)
        moved = self._rotate(moved, sign=1.0)
        return moved + self._push(moved)

    def inverse(self, points: Array) -> Array:
        """End-systole back to end-diastole, exact to better than 1e-6 mm."""
        start = points
        for _ in range(60):
            following = points - self._push(start)
            change = np.abs(following - start).max(initial=0.0)
            start = following
            if change < 1e-8:
                break
        return self._contract(self._rotate(start, sign=-1.0), inverse=True)

    def _contract(self, points: Array, *, inverse: bool) -> Array:
        scale = self.shape.outer_radius(points[:, 2])
        squared = (points[:, 0] ** 2 + points[:, 1] ** 2) / scale**2
        # Far away nothing moves; on the axis the ratio below would be 0 / 0.
        near = (squared > 1e-20) & (squared < 2.5 * self.right.edges[-1])
        x, y = points[near, 0], points[near, 1]
        start = squared[near]
        # The cosine of the angle to the right ventricle, without the angle.
        towards = x * math.cos(self.shape.rv_angle) + y * math.sin(self.shape.rv_angle)
        weight = np.exp(2.0 * (towards / np.sqrt(x**2 + y**2) - 1.0))
        if inverse:
            end = solve_radial(start, weight, self.left, self.right)
        else:
            end = start + self.left.shift(start) + weight * self.right.shift(start)
        moved = points.copy()
        moved[near, :2] *= np.sqrt(end / start)[:, None]
        return moved

    def _rotate(self, points: Array, *, sign: float) -> Array:
        scale = self.shape.outer_radius(points[:, 2])
        squared = (points[:, 0] ** 2 + points[:, 1] ** 2) / scale**2
        along = 0.5 + 0.5 * np.tanh(2.0 * (self.shape.depth(points[:, 2]) - 0.5))
        base, apex = self.twist
        angle = sign * (base + (apex - base) * along) * np.exp(-((squared / 2.0) ** 2))
        cos, sin = np.cos(angle), np.sin(angle)
        x, y, z = points.T
        return np.column_stack([cos * x - sin * y, sin * x + cos * y, z])

    def _push(self, points: Array) -> Array:
        total = np.zeros_like(points)
        for centre, width, vector in self.drifts:
            apart = points - np.array(centre)
            squared = np.einsum("na,na->n", apart, apart)
            total += np.exp(-0.5 / width**2 * squared)[:, None] * np.array(vector)
        return total
