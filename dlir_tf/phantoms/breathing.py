"""Pairs of chest CT whose motion is known, made from one image by two breaths.

The image is the thorax at rest. Each breath carries its tissue elsewhere and thins the
lungs as their volume grows: tissue weighs what it did, and air weighs next to nothing.
Then a scanner sees it, with a field, an origin and noise of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image
from dlir_tf.phantoms.breath import Breath
from dlir_tf.phantoms.carrying import PADDING, carry
from dlir_tf.phantoms.field_of_view import FieldOfView
from dlir_tf.phantoms.lungs import check_hounsfield, find_lungs

Array = NDArray[np.floating]

SHALLOW, DEEP = (0.0, 5.0), (10.0, 40.0)  # mm of the diaphragm's descent


@dataclass(frozen=True, eq=False)
class Breathed:
    """A thorax after a breath, as a scanner saw it.

    Attributes:
        image: In HU, int16, -2048 outside the scanner's field.
        mask: The lungs, uint8, on the same grid.
        breath: The motion that led there.
        shift: Of the scanner's origin, mm.
    """

    image: Image
    mask: Image
    breath: Breath
    shift: Array

    def origin(self, points_mm: Array) -> Array:
        """Where world points `(n, 3)` of the image are in the thorax at rest, mm."""
        return self.breath.origin(points_mm - self.shift)

    def destination(self, points_mm: Array) -> Array:
        """Where world points `(n, 3)` of the thorax at rest are in the image, mm."""
        return self.breath.destination(points_mm) + self.shift


@dataclass(frozen=True, eq=False)
class BreathingPair:
    """One thorax after two breaths, a shallow one and a deep one, in either order."""

    fixed: Breathed
    moving: Breathed

    def displacement(self, points_mm: Array) -> Array:
        """The true pull-back displacement at world points of the fixed image.

        Args:
            points_mm: Points `(n, 3)` in world mm.

        Returns:
            Displacements `(n, 3)` in mm: the tissue at `points_mm[i]` in the fixed
            image is at `points_mm[i] + displacement[i]` in the moving one.
        """
        return self.moving.destination(self.fixed.origin(points_mm)) - points_mm

    def inverse_displacement(self, points_mm: Array) -> Array:
        """The inverse: from points of the moving image to the fixed one, mm."""
        return self.fixed.destination(self.moving.origin(points_mm)) - points_mm

    def displacement_field(self) -> Array:
        """The true displacement on the fixed grid, `(*shape, 3)` in world mm."""
        points = self.fixed.image.grid.points().reshape(-1, 3)
        return self.displacement(points).reshape(*self.fixed.image.shape, 3)

    def landmarks(self, num: int, seed: int = 0) -> tuple[Array, Array]:
        """Draws points that belong to each other, in the lungs of both images.

        Args:
            num: How many; fewer where the two have hardly anything in common.
            seed: Chooses them.

        Returns:
            Points of the fixed image and of the moving one, `(n, 3)` each, world mm.
        """
        mask, grid = self.fixed.mask, self.moving.mask.grid
        voxels = np.argwhere(mask.array > 0)
        rng = np.random.default_rng(seed)
        chosen = voxels[rng.integers(0, len(voxels), 3 * num)]
        fixed = mask.grid.to_world(chosen + rng.uniform(-0.5, 0.5, chosen.shape))
        moving = fixed + self.displacement(fixed)
        places = np.rint(grid.to_voxels(moving)).astype(int)
        seen = grid.contains(moving)
        places = np.clip(places, 0, np.array(grid.shape) - 1)
        seen &= self.moving.mask.array[tuple(places.T)] > 0
        return fixed[seen][:num], moving[seen][:num]


def breathing_pair(
    image: Image, seed: int, *, mask: Image | None = None
) -> BreathingPair:
    """Makes a pair of images of one thorax after two breaths.

    Between the two, the diaphragm moves by up to 40 mm, ribs move outwards, and the
    body bends a little; the two fields are cut off differently, and their origins are
    tens of mm apart, as those of real pairs.

    Args:
        image: A CT of a chest, or of one lung, in Hounsfield units.
        seed: Decides motion, fields, noise, and which of the two is the fixed one.
        mask: Its lungs, on the same grid; by default they are found by their density.

    Raises:
        InputError: If the image isn't in Hounsfield units, no lungs are found, or the
            mask is empty or on another grid.
    """
    lungs = _lungs_of(image, mask)
    rng = np.random.default_rng(seed)
    field = FieldOfView.of_lungs(rng, lungs, image.spacing)
    breaths = [_breathed(image, lungs, rng, depth, field) for depth in (SHALLOW, DEEP)]
    fixed, moving = breaths if rng.random() < 0.5 else breaths[::-1]
    return BreathingPair(fixed, moving)


def breathe(
    image: Image,
    seed: int,
    *,
    mask: Image | None = None,
    descent: Sequence[float] = DEEP,
) -> Breathed:
    """Moves a thorax by one breath; the image keeps its grid, and has no noise.

    Args:
        image: A CT of a chest, or of one lung, in Hounsfield units.
        seed: Decides the motion.
        mask: Its lungs, on the same grid; by default they are found by their density.
        descent: Between which limits the diaphragm goes down, mm.

    Raises:
        InputError: As of `breathing_pair`.
    """
    lungs = _lungs_of(image, mask)
    breath = _random_breath(np.random.default_rng(seed), image.grid, lungs, descent)
    array, moved = carry(image, lungs, breath, image.grid)
    return Breathed(*_images(array, moved, image.grid), breath, np.zeros(3))


def _breathed(
    image: Image,
    lungs: NDArray[np.bool_],
    rng: np.random.Generator,
    descent: Sequence[float],
    field: FieldOfView,
) -> Breathed:
    """A breath, and what a scanner sees of it."""
    breath = _random_breath(rng, image.grid, lungs, descent)
    window = field.window(rng, image.grid, breath)
    array, moved = carry(image, lungs, breath, window)
    seen = field.seen(rng, window) & (array > PADDING)
    array += rng.uniform(5.0, 30.0) * rng.standard_normal(window.shape, np.float32)
    array, moved = np.where(seen, array, PADDING), moved & seen
    shift = rng.uniform(-40.0, 40.0, 3)
    apart = np.eye(4)
    apart[:3, 3] = shift
    return Breathed(*_images(array, moved, window.mapped(apart)), breath, shift)


def _random_breath(
    rng: np.random.Generator,
    grid: Grid,
    lungs: NDArray[np.bool_],
    descent: Sequence[float],
) -> Breath:
    points = grid.to_world(np.argwhere(lungs))
    low, high = np.percentile(points, (0.5, 99.5), axis=0)
    return Breath.random(rng, low, high, (descent[0], descent[1]))


def _lungs_of(image: Image, mask: Image | None) -> NDArray[np.bool_]:
    if mask is None:
        return find_lungs(image)
    check_hounsfield(image)
    if not mask.grid.same_as(image.grid):
        raise InputError(
            f"the mask must be on its image's grid, of shape {image.shape}. "
            f"Received: {mask.shape}, or a grid elsewhere in the world"
        )
    lungs = np.asarray(mask.array > 0)
    if not lungs.any():
        raise InputError("the mask is empty; it must be 1 in the lungs")
    return lungs


def _images(array: Array, mask: NDArray[np.bool_], grid: Grid) -> tuple[Image, Image]:
    stored = np.rint(np.clip(array, PADDING, 32767)).astype(np.int16)
    affine = grid.affine
    return Image(stored, affine), Image(mask.astype(np.uint8), affine)
