"""A pair on its working grid, as `dlir_tf.pairs.preprocessing` makes it."""

from typing import Any, NamedTuple

import tensorflow as tf

from dlir_tf.config import Config
from dlir_tf.export.graph.blocks import Block, over_blocks
from dlir_tf.export.graph.checks import require
from dlir_tf.export.graph.grid import WorkingGrid, homogeneous, working_grid
from dlir_tf.export.graph.intensities import scale_intensities
from dlir_tf.export.graph.sampling import inside_image, linear_at
from dlir_tf.export.graph.separable import along_axis, gaussian_weights, linear_weights
from dlir_tf.export.graph.size import axis_check
from dlir_tf.pairs.size import MAX_SERVED_VOXELS

Tensor = Any


class WorkingPair(NamedTuple):
    """A pair on its working grid.

    Attributes:
        fixed: Intensities in [0, 1], float32, `grid.shape`.
        moving: The same, resampled through the initial alignment.
        mask: Where both images have voxels, bool.
        grid: The working grid.
        initial: World-to-world matrix of the initial alignment, float64.
    """

    fixed: Tensor
    moving: Tensor
    mask: Tensor
    grid: WorkingGrid
    initial: Tensor


def prepare_pair(
    fixed: Tensor,
    moving: Tensor,
    affines: tuple[Tensor, Tensor],
    config: Config,
    pair: Tensor,
    max_voxels: int = MAX_SERVED_VOXELS,
) -> WorkingPair:
    """Brings a pair to its working grid; pairs that don't overlap fail.

    Args:
        fixed: Voxels, float32, any shape.
        moving: Likewise.
        affines: Their voxel-to-world matrices, float64.
        config: Says spacing, initial alignment and intensities.
        pair: The number of the pair, for sentences.
        max_voxels: The most that the working grid may have; what needs more fails.
    """
    names = {"fixed": fixed, "moving": moving}
    checks = [axis_check(*each, max_voxels, pair) for each in names.items()]
    with tf.control_dependencies(checks):
        size = tf.shape(tf.identity(fixed))
    grid = working_grid(size, affines[0], config, max_voxels, pair)
    # The grid's checks come before any work on voxels.
    with tf.control_dependencies([grid.shape]):
        fixed, moving = tf.identity(fixed), tf.identity(moving)
    fixed = scale_intensities(fixed, config.intensity, "fixed", pair)
    moving = scale_intensities(moving, config.intensity, "moving", pair)
    initial = initial_alignment(fixed, moving, affines, config.initial_alignment)
    to_fixed = tf.linalg.inv(affines[0]) @ grid.affine
    to_moving = tf.linalg.inv(affines[1]) @ initial @ grid.affine
    fixed, inside_fixed = _separable_to_grid(fixed, to_fixed, grid.shape)
    moving, inside_moving = to_grid(moving, to_moving, grid.shape)
    mask = inside_fixed & inside_moving
    check = require(
        tf.reduce_any(mask),
        "the fixed and the moving image do not overlap in the world; check that the "
        "affines are voxel-to-world matrices in mm (RAS+)",
        pair,
    )
    with tf.control_dependencies([check]):
        fixed, moving = tf.identity(fixed), tf.identity(moving)
    return WorkingPair(fixed, moving, mask, grid, initial)


def initial_alignment(
    fixed: Tensor, moving: Tensor, affines: tuple[Tensor, Tensor], method: str
) -> Tensor:
    """World-to-world matrix from fixed to moving, before any registration.

    Args:
        fixed: Intensities at least 0.
        moving: Likewise.
        affines: Their voxel-to-world matrices, float64.
        method: The config's `initial_alignment`.
    """
    ndim = len(fixed.shape)
    identity = tf.eye(ndim, dtype=tf.float64)
    if method == "header":
        return homogeneous(identity, tf.zeros([ndim], tf.float64))
    place = _centre_of_mass if method == "mass" else _centre
    return homogeneous(identity, place(moving, affines[1]) - place(fixed, affines[0]))


def to_grid(array: Tensor, matrix: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """Interpolates linearly; low-pass filtered first where the grid is coarser.

    Args:
        array: Intensities in [0, 1], float32.
        matrix: From voxels of the grid to voxels of the array, float64.
        shape: The grid's.

    Returns:
        Values on the grid, 0 outside the image, and which of its voxels lie inside.
    """
    linear = matrix[:-1, :-1]
    stray = tf.reduce_max(tf.abs(linear - _aligned_part(linear)))
    aligned = stray * tf.cast(tf.reduce_max(shape), tf.float64) <= 1e-5
    values, inside = tf.cond(
        aligned & _is_permutation(_axes_along(linear)),
        lambda: _separable_to_grid(array, matrix, shape),
        lambda: _oblique_to_grid(array, matrix, shape),
    )
    ndim = len(array.shape)
    values.set_shape([None] * ndim)
    inside.set_shape([None] * ndim)
    return values, inside


def _separable_to_grid(
    array: Tensor, matrix: Tensor, shape: Tensor
) -> tuple[Tensor, Tensor]:
    """Resamples an image whose axes are the grid's, by one matrix for each axis."""
    ndim = len(array.shape)
    along = _axes_along(matrix[:-1, :-1])
    smooth = _smoothing(matrix)
    inside = tf.ones([1] * ndim, tf.bool)
    for axis in range(ndim):
        size = tf.shape(array)[axis]
        steps = tf.cast(tf.range(shape[along[axis]]), tf.float64)
        positions = matrix[axis, along[axis]] * steps + matrix[axis, -1]
        weights = linear_weights(positions, size) @ gaussian_weights(smooth[axis], size)
        line = [-1 if a == axis else 1 for a in range(ndim)]
        on_line = inside_image(positions[None], size[None])
        inside = inside & tf.reshape(on_line, line)
        array = along_axis(array, tf.cast(weights, tf.float32), axis)
    order = tf.argsort(along)
    array, inside = tf.transpose(array, order), tf.transpose(inside, order)
    return tf.where(inside, tf.clip_by_value(array, 0, 1), 0), inside


def _oblique_to_grid(
    array: Tensor, matrix: Tensor, shape: Tensor
) -> tuple[Tensor, Tensor]:
    smooth, size = _smoothing(matrix), tf.shape(array)
    for axis in range(len(array.shape)):
        weights = gaussian_weights(smooth[axis], size[axis])
        array = along_axis(array, tf.cast(weights, tf.float32), axis)

    def sample(block: Block) -> tuple[Tensor, Tensor]:
        positions = matrix[:-1, :-1] @ block.voxels() + matrix[:-1, -1:]
        return linear_at(array, positions), inside_image(positions, size)

    rows = over_blocks(shape, sample, (tf.float32, tf.bool), ((), ()))
    values, inside = (tf.reshape(flat, shape) for flat in rows)
    return tf.clip_by_value(values, 0, 1), inside


def _smoothing(matrix: Tensor) -> Tensor:
    """Returns how wide the Gaussian is along each axis of the image, in its voxels."""
    coarsening = tf.norm(matrix[:-1, :-1], axis=1)
    sigma = 0.5 * tf.sqrt(tf.maximum(tf.square(coarsening) - 1, 0))
    return tf.where(tf.reduce_max(sigma) > 0.25, sigma, 0)


def _axes_along(linear: Tensor) -> Tensor:
    """Returns for each axis of the image the axis of the grid that is most like it."""
    return tf.argmax(tf.abs(linear), axis=1, output_type=tf.int32)


def _is_permutation(axes: Tensor) -> Tensor:
    return tf.reduce_all(tf.equal(tf.sort(axes), tf.range(tf.size(axes))))


def _aligned_part(linear: Tensor) -> Tensor:
    size = linear.shape[-1]
    return linear * tf.one_hot(_axes_along(linear), size, dtype=tf.float64)


def _centre(image: Tensor, affine: Tensor) -> Tensor:
    middle = tf.cast(tf.shape(image) - 1, tf.float64) / 2
    return tf.linalg.matvec(affine[:-1, :-1], middle) + affine[:-1, -1]


def _centre_of_mass(image: Tensor, affine: Tensor) -> Tensor:
    axes = range(len(image.shape))
    centre = []
    for axis in axes:
        # Sums of planes in single precision, then their moment in double.
        others = [other for other in axes if other != axis]
        profile = tf.cast(tf.reduce_sum(image, axis=others), tf.float64)
        places = tf.cast(tf.range(tf.size(profile)), tf.float64)
        centre.append(tf.reduce_sum(profile * places) / tf.reduce_sum(profile))
    return tf.linalg.matvec(affine[:-1, :-1], tf.stack(centre)) + affine[:-1, -1]
