"""What stages that keep lengths, or angles, need of grids and of matrices."""

import numpy as np

from dlir_tf.config import Config
from dlir_tf.images import Grid
from dlir_tf.images.grid import apply_affine, corner_voxels
from dlir_tf.transforms.rigidity import nearest_rigid


def with_perpendicular_axes(grid: Grid) -> Grid:
    """The smallest grid of perpendicular axes that covers a sheared one.

    Such as that of a CT whose gantry was tilted: what keeps lengths along its own axes
    doesn't keep them in the world.

    Args:
        grid: Of any image.

    Returns:
        A grid of the same spacing, with axes that are closest to the image's; the very
        same grid if its axes are perpendicular.
    """
    if not grid.is_sheared:
        return grid
    left, _, right = np.linalg.svd(grid.directions)
    linear = left @ right * grid.spacing
    # The outermost edges of the outermost voxels.
    edges = corner_voxels((2,) * grid.ndim) * grid.shape - 0.5
    corners = apply_affine(grid.affine, edges) - grid.centre
    reach = np.abs(corners @ np.linalg.inv(linear).T).max(axis=0)
    shape = tuple(int(size) for size in np.maximum(np.ceil(2 * reach - 0.01), 1))
    affine = np.eye(grid.ndim + 1)
    affine[:-1, :-1] = linear
    affine[:-1, -1] = grid.centre - linear @ ((np.asarray(shape) - 1) / 2)
    return Grid(shape, affine)


def exact_matrix(matrix: np.ndarray, grid: Grid, config: Config) -> np.ndarray:
    """A matrix that keeps what the config's linear stages keep, to the last digits.

    Args:
        matrix: `(ndim, ndim + 1)`, in voxels, as a network or a server gives it.
        grid: Whose voxels these are.
        config: Says the stages.

    Returns:
        The same but for rounding: a rotation in mm of the world, for rigid stages.
    """
    identity = np.eye(*matrix.shape)
    if config.keeps is None or np.array_equal(matrix, identity):
        return matrix
    whole = np.vstack([matrix, np.eye(len(matrix) + 1)[-1]])
    world = grid.affine @ whole @ grid.inverse
    world = nearest_rigid(world, grid.centre, scaled=config.keeps == "angles")
    return np.asarray(grid.inverse @ world @ grid.affine)[:-1]
