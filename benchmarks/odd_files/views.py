"""Where a scanner looks, and on which voxels: grids made from the body's own."""

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from dlir_tf.images import Grid

View = Callable[[Grid], Grid]


def whole(grid: Grid) -> Grid:
    """All of it, on its own voxels."""
    return grid


def part(low: tuple[float, ...], high: tuple[float, ...]) -> View:
    """A box, by shares of the extent along each axis; the last ones go for others."""

    def view(grid: Grid) -> Grid:
        size = np.array(grid.shape)
        first = np.floor(np.array(low[: grid.ndim]) * size).astype(int)
        last = np.ceil(np.array(high[: grid.ndim]) * size).astype(int)
        affine = grid.affine.copy()
        affine[:-1, -1] = grid.to_world(first)
        return Grid(tuple(last - first), affine)

    return view


def voxels_of(*spacing: float) -> View:
    """The same box on other voxels, in multiples of the finest of its own."""

    def view(grid: Grid) -> Grid:
        wide = np.array(spacing[: grid.ndim]) * min(grid.spacing)
        shape = np.maximum(np.round(grid.extent / wide), 1).astype(int)
        return _about_the_middle(grid, grid.directions * wide, shape)

    return view


def slices(number: int) -> View:
    """So few slices of the middle half, with gaps of none."""

    def view(grid: Grid) -> Grid:
        shape = np.array([*grid.shape[:-1], number])
        wide = np.array([*grid.spacing[:-1], 0.5 * grid.extent[-1] / number])
        return _about_the_middle(grid, grid.directions * wide, shape)

    return view


def wide(times: float) -> View:
    """A field of view that is so many times as large, mostly of air."""

    def view(grid: Grid) -> Grid:
        shape = np.round(times * np.array(grid.shape)).astype(int)
        return _about_the_middle(grid, grid.affine[:-1, :-1], shape)

    return view


def oblique(grid: Grid) -> Grid:
    """Axes in another order, two of them backwards, turned by 30 degrees."""
    ndim = grid.ndim
    order, signs = np.roll(np.arange(ndim), 1), np.array([-1, 1, -1])[:ndim]
    axis = [20.0, -15.0, 15.0] if ndim == 3 else [0.0, 0.0, 30.0]
    turn = Rotation.from_rotvec(axis, degrees=True).as_matrix()[:ndim, :ndim]
    linear = turn @ (grid.affine[:-1, :-1] * signs)[:, order]
    shape = np.round(1.2 * np.array(grid.shape)[order]).astype(int)
    return _about_the_middle(grid, linear, shape)


def _about_the_middle(grid: Grid, linear: np.ndarray, shape: np.ndarray) -> Grid:
    affine = np.eye(grid.ndim + 1)
    affine[:-1, :-1] = linear
    affine[:-1, -1] = grid.centre - linear @ ((shape - 1) / 2)
    return Grid(tuple(map(int, shape)), affine)
