"""The grid on which a pair is registered."""

import numpy as np
from scipy import optimize

from dlir_tf.errors import InputError
from dlir_tf.images import Grid
from dlir_tf.pairs.size import check_room


def working_grid(
    fixed: Grid,
    spacing: tuple[float | None, ...],
    multiple: tuple[int, ...],
    order: str = "ras",
    shape: tuple[int, ...] | None = None,
    longest_axis: int | None = None,
) -> Grid:
    """Lays the working grid over the fixed image.

    It has the image's axes, in an order that doesn't depend on how the file stores
    them (see `working_axes`), at the config's spacing, and is padded evenly on both
    sides to a multiple that the model needs.

    Args:
        fixed: The grid of the image that it covers; the two share their centre.
        spacing: In mm per axis of the grid; `None` keeps the image's own.
        multiple: The grid's shape becomes a multiple of it.
        order: Of the axes; see `working_axes`.
        shape: What the grid is padded to instead, for models that take one shape
            only; a multiple, too.
        longest_axis: How many voxels the longest axis of the image gets, instead of a
            spacing: voxels are as long along all axes then.

    Raises:
        InputError: If the image needs a larger grid than `shape`, or one that memory
            can't hold.
    """
    ndim = fixed.ndim
    axes, signs = working_axes(fixed.affine, order)
    own_spacing = np.asarray(fixed.spacing)[axes]
    step = np.array(
        [own if s is None else s for s, own in zip(spacing, own_spacing, strict=True)]
    )
    if longest_axis is not None:
        step = np.full(ndim, fixed.extent.max() / longest_axis)
    # A grid that is a hundredth of a voxel too short is not worth a voxel more.
    needed = np.maximum(np.ceil(fixed.extent[axes] / step - 0.01), 1)
    padded = np.ceil(needed / multiple) * multiple
    check_room(padded, np.asarray(fixed.shape)[axes], own_spacing, step)
    unpadded, size = needed.astype(int), padded.astype(int)
    if shape is not None:
        _check_room(size, np.asarray(shape))
        size = np.asarray(shape)
    linear = fixed.directions[:, axes] * signs * step
    # Padding by whole voxels: where spacings agree, so do the voxels.
    first = (size - unpadded) // 2
    affine = np.eye(ndim + 1)
    affine[:ndim, :ndim] = linear
    affine[:ndim, ndim] = fixed.centre - linear @ (first + (unpadded - 1) / 2)
    return Grid(tuple(map(int, size)), affine)


def _check_room(size: np.ndarray, shape: np.ndarray) -> None:
    if (size > shape).any():
        enough = np.maximum(size, shape)
        raise InputError(
            f"the fixed image needs a working grid of {_by(size)} voxels, but the "
            f"model takes no larger one than {_by(shape)}; export it with --shape "
            f"{','.join(map(str, enough))}"
        )


def _by(size: np.ndarray) -> str:
    return "×".join(map(str, size))


def working_axes(
    affine: np.ndarray, order: str = "ras"
) -> tuple[np.ndarray, np.ndarray]:
    """Which voxel axes the axes of the working grid follow, and in which direction.

    Storage doesn't matter: an image with its axes permuted or flipped in the file
    gets the same working axes.

    Args:
        affine: Voxel-to-world matrix, RAS+.
        order: `ras` for the closest right, anterior, superior order; `slices_last`
            puts the axis of the largest spacing last, as in stacks of thick slices
            at any angle, and the other two in the closest RAS order; 2-d images have
            no such axis.

    Returns:
        `axes` and `signs`, one per working axis: working axis `w` runs along voxel
        axis `axes[w]`, reversed where `signs[w]` is -1.
    """
    linear = affine[:-1, :-1]
    spacing = np.linalg.norm(linear, axis=0)
    likeness = np.abs(linear / spacing)
    in_order, last = list(range(len(spacing))), []
    if order == "slices_last" and len(spacing) == 3:
        # Among equal spacings, the axis closest to superior.
        thick = spacing > 0.99 * spacing.max()
        last = [max(in_order, key=lambda axis: (thick[axis], likeness[2, axis]))]
        in_order.remove(last[0])
    _, chosen = optimize.linear_sum_assignment(-likeness[:, in_order])
    axes = np.array([in_order[column] for column in chosen] + last)
    main_component = linear[np.argmax(likeness[:, axes], axis=0), axes]
    return axes, np.where(main_component < 0, -1.0, 1.0)
