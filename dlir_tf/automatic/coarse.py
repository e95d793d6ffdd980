"""Both images of a pair on coarse grids, where transforms are tried in no time.

Transforms are compared by how much one image says about the other where both are seen:
the mutual information of their grey values times the number of voxels, which is how
much likelier the pair is to belong together like that than by chance. It suits images
of any two kinds, and a small overlap that is alike by chance doesn't win.

Where equal values don't mean the same, that is misled by what fills the images, as
speckle does. Then transforms are compared by how much more alike the self-similarity
contexts of both are than those of places that have nothing to do with each other.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from dlir_tf.config import Intensity
from dlir_tf.images import Grid, Image
from dlir_tf.images.padding import counting_voxels, padding_voxels
from dlir_tf.metrics.multimodal import mind_distance
from dlir_tf.pairs.intensities import scale_intensities
from dlir_tf.pairs.placement import Placement
from dlir_tf.transforms import Transform

# Voxels along the longest axis of the smaller image, and in either image at most.
_LONGEST = {2: 96, 3: 40}
_MOST_VOXELS = {2: 1 << 16, 3: 1 << 18}
_BINS = 24
_LEAST_OVERLAP = 0.1
# An average of voxels that count counts if so much of it does.
_HALF = 0.5


@dataclass(frozen=True, eq=False)
class CoarsePair:
    """A pair on coarse grids of its own.

    Attributes:
        fixed: Intensities in [0, 1], float32.
        moving: Likewise.
        fixed_mask: Which voxels of the fixed image count, bool, on its coarse grid.
        moving_mask: Likewise, of the moving one.
    """

    fixed: Image
    moving: Image
    fixed_mask: Image
    moving_mask: Image

    def seen_through(self, transform: Transform) -> tuple[np.ndarray, np.ndarray]:
        """Where both count, the grey values of either.

        Args:
            transform: From points of the fixed image to points of the moving one.

        Returns:
            Those of the fixed and of the moving image, `(num_voxels,)`.
        """
        place = Placement.of(self.fixed.grid, self.moving.grid, transform)
        inside = place.inside()
        inside &= self.fixed_mask.array
        counting = place.linear(self.moving_mask.array.astype(np.float32), inside)
        seen = counting > _HALF
        return self.fixed.array[seen], place.linear(self.moving.array, inside)[seen]

    def likelihood(self, transform: Transform) -> float:
        """How much likelier the pair belongs together like that than by chance.

        Args:
            transform: From points of the fixed image to points of the moving one.

        Returns:
            0 where too little of both is seen.
        """
        fixed, moving = self.seen_through(transform)
        if fixed.size < self._least:
            return 0.0
        joint = _histogram(fixed, moving)
        return fixed.size * _mutual_information(joint)

    def agreement(self, transform: Transform) -> float:
        """How much more alike self-similarities are than those of any two places.

        Args:
            transform: From points of the fixed image to points of the moving one.

        Returns:
            Times the number of voxels; 0 or less where nothing speaks for it.
        """
        number, distance, by_chance = self._contexts(transform)
        return number * (by_chance - distance)

    def clarity(self, transform: Transform) -> float:
        """The same, as a part of what they differ by at any two places, at most 1.

        NaN where too little of both is seen to tell.
        """
        _, distance, by_chance = self._contexts(transform)
        return (by_chance - distance) / by_chance if by_chance > 0 else math.nan

    def thinned(self) -> "CoarsePair":
        """With every other voxel of the fixed image alone, along each axis."""
        ndim = self.fixed.ndim
        every = (slice(None, None, 2),) * ndim
        affine = self.fixed.affine @ np.diag([*[2.0] * ndim, 1.0])
        fixed, mask = (
            Image(image.array[every], affine) for image in (self.fixed, self.fixed_mask)
        )
        return replace(self, fixed=fixed, fixed_mask=mask)

    def _contexts(self, transform: Transform) -> tuple[int, float, float]:
        """How many voxels both show, how far contexts differ, and would by chance."""
        place = Placement.of(self.fixed.grid, self.moving.grid, transform)
        inside = place.inside()
        moved = place.linear(self.moving.array, inside)
        counting = place.linear(self.moving_mask.array.astype(np.float32), inside)
        weights = (self.fixed_mask.array & (counting > _HALF)).astype(np.float32)
        number = int(weights.sum())
        if number < self._least:
            return 0, 0.0, 0.0
        fixed = self.fixed.array
        distance = mind_distance(fixed, moved, weights)
        others = [
            mind_distance(fixed, np.roll(moved, size // 2, axis), weights)
            for axis, size in enumerate(moved.shape)
        ]
        by_chance = float(np.mean(others))
        if not math.isfinite(by_chance - distance):
            return 0, 0.0, 0.0
        return number, distance, by_chance

    @property
    def _least(self) -> float:
        """Voxels of the fixed grid that both have to show at least."""
        sizes = [
            mask.array.sum() * math.prod(mask.spacing) / math.prod(self.fixed.spacing)
            for mask in (self.fixed_mask, self.moving_mask)
        ]
        return max(_LEAST_OVERLAP * min(sizes), 2 * _BINS)


def make_coarse(
    fixed: Image,
    moving: Image,
    intensity: Intensity,
    masks: tuple[Image | None, Image | None] = (None, None),
) -> CoarsePair:
    """Brings a pair to coarse grids.

    Args:
        fixed: Any image; 2-d or 3-d, as the other.
        moving: Likewise.
        intensity: How values are brought to [0, 1].
        masks: Of either, on its grid, or `None`.
    """
    images = fixed, moving
    step = min(image.grid.extent.max() for image in images) / _LONGEST[fixed.ndim]
    found = []
    for name, image, mask in zip(("fixed", "moving"), images, masks, strict=True):
        padding = padding_voxels(image)
        values = scale_intensities(image.array, intensity, name, padding)
        grid = _coarse_grid(image.grid, step)
        place = Placement.of(grid, image.grid)
        inside = place.inside()
        counting = counting_voxels(mask, padding)
        whole = inside
        if counting is not None:
            whole = place.linear(counting.astype(np.float32), inside) > _HALF
        found.append(Image(place.linear(values, inside), grid.affine))
        found.append(Image(whole, grid.affine))
    return CoarsePair(found[0], found[2], found[1], found[3])


def _coarse_grid(grid: Grid, step: float) -> Grid:
    """The grid with voxels of about so many mm, not finer than they are."""
    own = np.asarray(grid.spacing)
    most = _MOST_VOXELS[grid.ndim]
    for _ in range(100):
        wide = np.maximum(own, step)
        shape = np.maximum(np.ceil(grid.extent / wide - 0.01), 1).astype(int)
        if math.prod(map(int, shape)) <= most:
            break
        step *= 1.1
    linear = grid.directions * (grid.extent / shape)
    affine = np.eye(grid.ndim + 1)
    affine[:-1, :-1] = linear
    affine[:-1, -1] = grid.centre - linear @ ((shape - 1) / 2)
    return Grid(tuple(map(int, shape)), affine)


def _histogram(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The joint histogram of values in [0, 1], `(bins, bins)`."""
    rows, columns = (
        np.minimum((values * _BINS).astype(np.intp), _BINS - 1)
        for values in (first, second)
    )
    counts = np.bincount(rows * _BINS + columns, minlength=_BINS**2)
    return counts.reshape(_BINS, _BINS) / first.size


def _mutual_information(joint: np.ndarray) -> float:
    """In nats, from a joint histogram of shares."""
    apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    there = joint > 0
    return float(np.sum(joint[there] * np.log(joint[there] / apart[there])))
