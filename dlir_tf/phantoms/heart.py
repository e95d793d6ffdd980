"""A pair of cine MR images of a beating heart, with the motion between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.phantoms.motion import HeartMotion
from dlir_tf.phantoms.scanner import Scanner
from dlir_tf.phantoms.shape import HeartShape
from dlir_tf.phantoms.thorax import Thorax

Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Phantom:
    """End-diastole (fixed) and end-systole (moving) of a synthetic subject.

    Labels are 1 right ventricle, 2 myocardium, 3 left ventricle, as in ACDC.
    """

    fixed: Image
    moving: Image
    fixed_labels: Image
    moving_labels: Image
    scanner: Scanner
    motion: HeartMotion

    def displacement(self, points_mm: Array) -> Array:
        """The true pull-back displacement at world points of the fixed image.

        Args:
            points_mm: Points `(n, ndim)` in world mm.

        Returns:
            Displacements `(n, ndim)` in mm: the tissue at `points_mm[i]` in the
            fixed image is at `points_mm[i] + displacement[i]` in the moving one.
        """
        points = self.scanner.to_heart(points_mm)
        return self.scanner.to_world(self.motion.forward(points)) - points_mm

    def inverse_displacement(self, points_mm: Array) -> Array:
        """The inverse: from points of the moving image to the fixed one, mm."""
        points = self.scanner.to_heart(points_mm)
        return self.scanner.to_world(self.motion.inverse(points)) - points_mm

    def displacement_field(self) -> Array:
        """The true displacement on the fixed grid, `(*shape, ndim)` in world mm."""
        ddf = self.displacement(self.scanner.voxel_centres())
        return ddf.reshape(*self.fixed.shape, self.fixed.ndim)


def beating_heart(
    seed: int,
    *,
    shape: Sequence[int] | None = None,
    spacing: Sequence[float] | None = None,
    ndim: int = 3,
) -> Phantom:
    """Makes a short-axis cine MR pair of a subject who differs with the seed.

    Tissue is drawn at end-diastole and carried to end-systole by a smooth,
    one-to-one motion that is known exactly: the left ventricle's cavity shrinks
    by 6 to 9 mm on every side, its wall thickens, base and apex twist against
    each other, the right ventricle contracts, and the chest wall rests. Both
    images have a coil profile and Rician noise of their own.

    Args:
        seed: Chooses the subject, the scanner's orientation and the noise.
        shape: Voxels per axis, slices last. By default near 96 x 96 x 8.
        spacing: Voxel size in mm. By default near 1.8 x 1.8 x 8.
        ndim: 3 for a stack of thick slices, 2 for a slice at mid-ventricle.

    Returns:
        The pair, its labels and its motion.

    Raises:
        InputError: If `ndim`, `shape` or `spacing` can't be a grid.
    """
    if ndim not in (2, 3):
        raise InputError(f"ndim must be 2 or 3. Received: {ndim}")
    rng = np.random.default_rng(seed)
    scanner = Scanner.random(rng, ndim, shape, spacing)
    heart = HeartShape.random(rng)
    motion = HeartMotion.random(rng, heart, ndim)
    thorax = Thorax.random(rng, heart)

    diastole = scanner.to_heart(scanner.voxel_centres())
    systole = in_blocks(motion.inverse, diastole)
    return Phantom(
        fixed=scanner.acquire(rng, in_blocks(thorax, diastole)),
        moving=scanner.acquire(rng, in_blocks(thorax, systole)),
        fixed_labels=scanner.image(heart.labels(diastole)),
        moving_labels=scanner.image(heart.labels(systole)),
        scanner=scanner,
        motion=motion,
    )


def in_blocks(function: Callable[[Array], Array], points: Array) -> Array:
    """Calls a pointwise function on pieces that stay in the processor's cache."""
    blocks = np.array_split(points, len(points) // 8192 + 1)
    return np.concatenate([function(block) for block in blocks])
