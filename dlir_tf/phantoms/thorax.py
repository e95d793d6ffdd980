"""What an MR scanner would see of the heart and of the chest around it.

Everything is a function of material points (the tissue at end-diastole), so
that texture moves with the tissue.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from dlir_tf.phantoms.shape import HeartShape

# Intensities need no more than single precision, and twice the speed shows.
Array = NDArray[np.float32]
Levels = NDArray[np.floating]

EDGE_MM = 0.6  # half-width of a soft edge: less than a voxel


def _paint(image: Array, level: Levels, value: Levels | float) -> None:
    """Lays a tissue over the image where its level (mm) is positive."""
    image += expit(level / EDGE_MM) * (value - image)


@dataclass(frozen=True)
class Waves:
    """A smooth random texture: plane waves of random direction and phase."""

    vectors: Array
    phases: Array

    @classmethod
    def random(
        cls, rng: np.random.Generator, wavelengths: tuple[float, float], num: int = 20
    ) -> "Waves":
        """Draws waves with lengths (mm) in the given range."""
        directions = rng.normal(size=(num, 3)) * (1.0, 1.0, 0.5)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = rng.uniform(*wavelengths, size=(num, 1))
        vectors = (2 * np.pi * directions / lengths).astype(np.float32)
        return cls(vectors, rng.uniform(0, 2 * np.pi, num).astype(np.float32))

    def __call__(self, points: Array) -> Array:
        """Values of about unit variance at points `(n, 3)`."""
        waves = np.cos(self.vectors @ points.T + self.phases[:, None])
        return np.asarray(math.sqrt(2.0 / len(self.phases)) * waves.sum(axis=0))


@dataclass(frozen=True)
class Thorax:
    """One subject's tissues; call it with material points to get intensities."""

    heart: HeartShape
    coarse: Waves
    fine: Waves
    myocardium: float
    fat: float
    centre: tuple[float, float]
    papillary: tuple[float, float]
    lung_vessels: tuple[tuple[float, ...], ...]

    @classmethod
    def random(cls, rng: np.random.Generator, heart: HeartShape) -> "Thorax":
        """Draws contrasts, and the place of the heart in the chest."""
        # Place (mm) and radius of each, in the lung beside the lateral wall.
        lowest, highest = (35.0, -30.0, -45.0, 1.2), (95.0, 70.0, 45.0, 3.2)
        vessels = rng.uniform(lowest, highest, (22, 4)).tolist()
        return cls(
            heart=heart,
            coarse=Waves.random(rng, (28.0, 70.0)),
            fine=Waves.random(rng, (8.0, 20.0)),
            myocardium=rng.uniform(0.26, 0.38),
            fat=rng.uniform(0.6, 0.85),
            centre=(rng.uniform(-18.0, -2.0), rng.uniform(-52.0, -40.0)),
            papillary=(rng.uniform(0.6, 1.0), rng.uniform(3.8, 4.3)),
            lung_vessels=tuple(tuple(vessel) for vessel in vessels),
        )

    def __call__(self, points: NDArray[np.floating]) -> Array:
        """Intensities relative to blood at material points `(n, 3)` in mm."""
        points = points.astype(np.float32)
        coarse, fine = self.coarse(points), self.fine(points)
        image = np.full(len(points), 0.01, np.float32)
        skin, angle = self._below_skin(points)
        self._paint_wall(image, points, skin + 1.5 * coarse, angle, fine)
        self._paint_lungs(image, points, skin, fine)
        self._paint_organs(image, points, skin - 22.0, coarse, fine)
        self._paint_heart(image, points, coarse, fine)
        return np.maximum(image, 0.0)

    def _below_skin(self, points: Array) -> tuple[Array, Array]:
        """Depth below the skin in mm, and the angle around the chest."""
        x = (points[:, 0] - self.centre[0]) / 1.30
        y = points[:, 1] - self.centre[1]
        rounded = (np.abs(x) ** 2.6 + np.abs(y) ** 2.6) ** (1 / 2.6)
        return 118.0 - rounded, np.arctan2(y, x)

    def _paint_wall(
        self, image: Array, points: Array, skin: Array, angle: Array, fine: Array
    ) -> None:
        _paint(image, skin, self.fat * (1.0 + 0.05 * fine))
        _paint(image, skin - 9.0, 0.28 * (1.0 + 0.15 * fine))
        _paint(image, skin - 13.0 - 0.8 * fine, 0.5 * self.fat)
        # Ribs cross the slice obliquely: short arcs in the middle of the wall.
        arc = 16.0 * (np.cos(13.0 * angle + 0.09 * points[:, 2]) - 0.35)
        middle = np.abs(skin - 17.0)
        _paint(image, np.minimum(4.5 - middle, arc), 0.10)
        _paint(image, np.minimum(2.6 - middle, arc - 2.5), 0.45)

    def _paint_lungs(
        self, image: Array, points: Array, skin: Array, fine: Array
    ) -> None:
        _paint(image, skin - 23.0, 0.07 * (1.0 + 0.3 * fine))
        for x, y, z, radius in self.lung_vessels:
            along = (points[:, 0] - x) + 0.4 * (points[:, 2] - z)
            near = np.flatnonzero(np.abs(along) < 6.0)
            behind, along = points[near, 2] - z, along[near]
            blob = radius - np.hypot(along, points[near, 1] - y - 0.3 * along)
            part = image[near]
            value = 0.07 + 0.5 * np.exp(-((behind / 12.0) ** 2))
            _paint(part, np.minimum(blob, skin[near] - 25.0), value)
            image[near] = part

    def _paint_organs(
        self, image: Array, points: Array, inside: Array, coarse: Array, fine: Array
    ) -> None:
        x, y, z = points.T
        # Mediastinal fat on the side of the sternum.
        fat = 40.0 - np.hypot((x + 62.0) / 1.1, y + 8.0) + 3.0 * coarse
        _paint(image, np.minimum(fat, inside), 0.6 * self.fat * (1.0 + 0.07 * fine))
        dome = -1.32 * self.heart.outer - 0.0022 * (x + 25.0) ** 2 - 0.12 * z
        liver = np.minimum(dome - y + 1.5 * coarse, inside)
        _paint(image, liver, 0.12)
        _paint(image, liver - 2.0, 0.36 * (1.0 + 0.06 * coarse))
        _paint(image, np.minimum(liver - 8.0, 5.0 * (fine - 1.5)), 0.55)
        stomach = 20.0 - np.hypot(x - 48.0, (y + 74.0) * 1.3)
        _paint(image, np.minimum(stomach, inside), 0.2 * (1.0 + 0.3 * fine))
        aorta = 11.0 - np.hypot(x - 22.0, y + 66.0)
        _paint(image, aorta + 1.8, 0.2)
        _paint(image, aorta, 0.95 * (1.0 + 0.05 * coarse))

    def _paint_heart(
        self, image: Array, points: Array, coarse: Array, fine: Array
    ) -> None:
        heart = self.heart
        near = np.hypot(points[:, 0], points[:, 1]) < 2.0 * heart.outer
        points, coarse, fine = points[near], coarse[near], fine[near]
        part, depth = image[near], heart.depth(points[:, 2])
        epicardium, cavity = heart.left_levels(points)
        right = heart.right_level(points)
        whole = np.maximum(epicardium, right + 3.0)
        # Fat lies in the grooves more than on the walls.
        fat = whole + 1.8 + 1.5 * coarse
        _paint(part, np.maximum(fat, whole) + 1.2, 0.12)
        _paint(part, fat, self.fat * (1.0 + 0.1 * fine))
        wall = self.myocardium * (1.0 + 0.10 * coarse + 0.10 * fine)
        blood = 1.0 + 0.05 * coarse + 0.04 * fine
        _paint(part, right + 2.6, wall)
        _paint(part, right + 0.7 * fine - 0.4, 0.94 * blood)
        # Above the base the wall gives way to the thin atrium.
        present = np.clip(1.0 + depth * heart.length / 12.0, 0.25, 1.0)
        _paint(part, epicardium, wall)
        thinned = np.maximum(epicardium - cavity, 0.0) * (1.0 - present)
        _paint(part, cavity + thinned + 0.9 * fine, blood)
        radius = 0.6 * heart.inner_ratio * heart.outer_radius(points[:, 2])
        size = 5.0 * np.clip(1.4 - np.abs(depth - 0.5) * 2.6, 0, 1)
        for angle in self.papillary:
            x, y = radius * math.cos(angle), radius * math.sin(angle)
            muscle = size - np.hypot(points[:, 0] - x, points[:, 1] - y)
            _paint(part, np.minimum(muscle - 0.6 + 0.5 * fine, cavity), 1.15 * wall)
        image[near] = part
