"""The two images of a pair, scaled, and the working grid that the fixed one says."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlir_tf.config import Config
from dlir_tf.images import Grid, Image
from dlir_tf.images.padding import counting_voxels, padding_voxels
from dlir_tf.pairs.intensities import scale_intensities
from dlir_tf.pairs.placement import Placement
from dlir_tf.pairs.rigidity import with_perpendicular_axes
from dlir_tf.pairs.size import check_detail
from dlir_tf.pairs.working_grid import working_axes, working_grid

# Of the weights that a voxel of the grid is interpolated by: what rounding makes.
_MOST_PADDING = 1e-3


@dataclass(frozen=True, eq=False)
class Side:
    """An image of a pair.

    Attributes:
        image: Intensities in [0, 1], float32, on its own grid.
        padding: Where its padding is, bool; `None` without any.
        mask: Which voxels count, on its grid; `None` for all.
    """

    image: Image
    padding: np.ndarray | None
    mask: Image | None

    @property
    def counting(self) -> np.ndarray | None:
        """Which voxels count, bool; `None` for all."""
        return counting_voxels(self.mask, self.padding)


@dataclass(frozen=True, eq=False)
class FixedSide(Side):
    """The fixed image, which is laid on the working grid but once.

    Attributes:
        grid: The working grid.
    """

    grid: Grid

    @cached_property
    def place(self) -> Placement:
        """Where the grid's voxels lie in the image."""
        return Placement.of(self.grid, self.image.grid)

    @cached_property
    def inside(self) -> np.ndarray:
        """Which of them lie within it, bool."""
        return self.place.inside()

    @cached_property
    def shown(self) -> np.ndarray:
        """Which of these come from no padding, bool."""
        if self.padding is None:
            return self.inside
        return shown_voxels(self.padding, self.place, self.inside)

    @cached_property
    def on_grid(self) -> np.ndarray:
        """The image on the grid, float32."""
        return self.place.linear(self.image.array, self.inside)


def moving_side(image: Image, config: Config, mask: Image | None) -> Side:
    """Scales the moving image.

    Args:
        image: Of the config's rank.
        config: Says how.
        mask: On its grid, or none.

    Raises:
        InputError: If it's constant, or nothing but padding.
    """
    return Side(*_scaled("moving", image, config), mask)


def fixed_side(
    image: Image,
    config: Config,
    mask: Image | None,
    shape: tuple[int, ...] | None,
) -> FixedSide:
    """Scales the fixed image, and makes the grid that it needs.

    Args:
        image: Of the config's rank.
        config: Says how, and the spacing.
        mask: On its grid, or none.
        shape: Of the working grid, as for `prepare_pair`.

    Raises:
        InputError: If it's constant, or nothing but padding, or needs a larger grid
            than `shape`, than memory can hold, or none to speak of.
    """
    grid = _working_grid(image.grid, config, shape)
    _check_detail(image.grid, grid, config.axes)
    return FixedSide(*_scaled("fixed", image, config), mask, grid)


def shown_voxels(
    padding: np.ndarray, place: Placement, inside: np.ndarray
) -> np.ndarray:
    """Which voxels of the grid come from inside the image, and none from padding."""
    hidden = place.linear(padding.astype(np.float32), inside)
    return np.asarray(inside & (hidden <= _MOST_PADDING))


def _scaled(name: str, image: Image, config: Config) -> tuple[Image, np.ndarray | None]:
    """The image with intensities in [0, 1], and its padding."""
    padding = padding_voxels(image)
    scaled = scale_intensities(image.array, config.intensity, name, padding)
    return image.with_array(scaled), padding


def _working_grid(fixed: Grid, config: Config, shape: tuple[int, ...] | None) -> Grid:
    return working_grid(
        with_perpendicular_axes(fixed) if config.keeps else fixed,
        config.spacing,
        config.multiple,
        config.axes,
        shape,
        config.longest_axis,
    )


def _check_detail(fixed: Grid, grid: Grid, order: str) -> None:
    axes, _ = working_axes(fixed.affine, order)
    size, spacing = np.asarray(fixed.shape)[axes], np.asarray(fixed.spacing)[axes]
    check_detail(size, spacing, np.asarray(grid.spacing))
