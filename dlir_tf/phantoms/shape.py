"""The shape of one subject's heart at end-diastole, in its own frame.

The heart frame is in mm: the long axis of the left ventricle is `z`, towards
the apex, with `z = 0` at mid-ventricle; `x` points from the septum to the
lateral wall and `y` to the anterior wall.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Single precision for intensities, double for labels and motion.
Array = NDArray[np.floating]


@dataclass(frozen=True)
class HeartShape:
    """Sizes of the ventricles, and level functions of their surfaces.

    A level is roughly the distance to the surface in mm, positive inside, so
    the same numbers give hard labels and soft, antialiased edges.

    Args:
        outer: Epicardial radius of the left ventricle at its base, mm.
        inner_ratio: Endocardial divided by epicardial radius.
        length: Distance from base to apex, mm.
        rv_angle: Direction of the right ventricle about the long axis, radians.
        rv_reach: Distance of its free wall, in epicardial radii.
        wobble: Amplitude and phase of the second and third angular harmonic by
            which the ventricle departs from a circle.
    """

    outer: float
    inner_ratio: float
    length: float
    rv_angle: float
    rv_reach: float
    wobble: tuple[tuple[float, float], tuple[float, float]]

    @classmethod
    def random(cls, rng: np.random.Generator) -> "HeartShape":
        """Draws an adult heart."""
        return cls(
            outer=rng.uniform(30.0, 35.0),
            inner_ratio=rng.uniform(0.70, 0.77),
            length=rng.uniform(76.0, 92.0),
            rv_angle=np.pi + rng.uniform(-0.35, 0.15),
            rv_reach=rng.uniform(1.6, 1.75),
            wobble=(
                (rng.uniform(0.0, 0.05), rng.uniform(0.0, 2 * np.pi)),
                (rng.uniform(0.0, 0.025), rng.uniform(0.0, 2 * np.pi)),
            ),
        )

    def depth(self, z: Array) -> Array:
        """Position along the long axis: 0 at the base, 1 at the apex."""
        return z / self.length + 0.42

    def outer_radius(self, z: Array) -> Array:
        """Epicardial radius in mm: half an ellipse, smooth and never zero."""
        below = 1.0 - np.maximum(self.depth(z), 0.0) ** 2
        soft = 0.1 * np.logaddexp(0.0, below / 0.1)
        return np.asarray(self.outer * np.sqrt(soft))

    def left_levels(self, points: Array) -> tuple[Array, Array]:
        """Levels of the epicardium and of the left ventricle's cavity."""
        depth, outer = self.depth(points[:, 2]), self.outer_radius(points[:, 2])
        angle = np.arctan2(points[:, 1], points[:, 0])
        radius = np.hypot(points[:, 0], points[:, 1])
        for order, (amplitude, phase) in enumerate(self.wobble, start=2):
            radius = radius * (1.0 + amplitude * np.cos(order * angle - phase))
        below = (1.0 - depth) * self.length
        epicardium = np.minimum(outer - radius, below)
        # The cavity ends about a wall's thickness before the apex.
        closing = np.sqrt(np.clip(1.0 - (depth / 0.9) ** 6, 0.0, 1.0))
        cavity = np.minimum(self.inner_ratio * outer * closing - radius, below - 9.0)
        return epicardium, cavity

    def right_level(self, points: Array) -> Array:
        """Level of the right ventricle's outline, the septum not yet cut out."""
        depth, outer = self.depth(points[:, 2]), self.outer_radius(points[:, 2])
        cos, sin = math.cos(self.rv_angle), math.sin(self.rv_angle)
        along = points[:, 0] * cos + points[:, 1] * sin
        across = points[:, 1] * cos - points[:, 0] * sin
        shrink = np.sqrt(np.clip(1.0 - (np.maximum(depth, 0.0) / 0.85) ** 3, 0.0, 1.0))
        reach = outer * (0.6 + (self.rv_reach - 0.6) * shrink)
        half_length = 0.55 * reach
        half_width = outer * (0.3 + 0.8 * shrink)
        # A crescent leans around the septum: bend the axis with the offset.
        bent = along + 0.35 * across**2 / outer
        ellipse = np.hypot((bent - reach + half_length) / half_length,
                           across / half_width)  # fmt: skip
        return np.asarray(half_length * (1.0 - ellipse) - 40.0 * (shrink < 0.05))

    def labels(self, points: Array) -> NDArray[np.uint8]:
        """Labels 1 right ventricle, 2 myocardium, 3 left ventricle, 0 the rest."""
        epicardium, cavity = self.left_levels(points)
        labels = np.zeros(len(points), np.uint8)
        labels[self.right_level(points) > 0] = 1
        labels[epicardium > 0] = 2
        labels[cavity > 0] = 3
        labels[self.depth(points[:, 2]) < 0] = 0
        return labels
