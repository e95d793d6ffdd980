"""Large pictures: registered at a lower resolution, and moved at their own.

A section of tissue may have 10,000 pixels a side. What is registered are the means of
blocks of them, in 2-d, so many that the picture has at most `MOST_PIXELS` blocks; maps
of labels keep one pixel of every block. The transform is one of the world, so it moves
the picture as it is, slab by slab.
"""

import math

import numpy as np

from dlir_tf.images import Grid, Image, is_label_image

# More than a working grid has in 2-d, and little work.
MOST_PIXELS = 2048 * 2048
_COLUMNS = 512  # of blocks, that are worked on together


def at_lower_resolution(image: Image) -> Image:
    """An image as it is registered: itself, if it isn't too large a picture.

    Args:
        image: Any image; its channels aren't kept in a smaller one.
    """
    factor = block_size(image.grid)
    if factor == 1:
        return image
    grid = _blocks(image.grid, factor)
    array = image.array[tuple(slice(n * factor) for n in grid.shape)]
    if is_label_image(image):
        return Image(array[factor // 2 :: factor, factor // 2 :: factor], grid.affine)
    return Image(_means(array, grid.shape, factor), grid.affine)


def mask_at_lower_resolution(mask: Image | None) -> Image | None:
    """A mask as it is used: a block is inside if all of its pixels are."""
    factor = 1 if mask is None else block_size(mask.grid)
    if mask is None or factor == 1:
        return mask
    grid = _blocks(mask.grid, factor)
    array = mask.array[tuple(slice(n * factor) for n in grid.shape)] != 0
    columns, rows = grid.shape
    inside = array.reshape(columns, factor, rows, factor).all(axis=(1, 3))
    return Image(inside, grid.affine)


def block_size(grid: Grid) -> int:
    """How many pixels along each side are one when it's registered; 1 if none are."""
    pixels = math.prod(grid.shape)
    if grid.ndim != 2 or pixels <= MOST_PIXELS:
        return 1
    return min(math.ceil(math.sqrt(pixels / MOST_PIXELS)), *grid.shape)


def told_blocks(fixed: Grid, moving: Grid) -> tuple[str, ...]:
    """A sentence about pictures that are registered at a lower resolution."""
    return tuple(
        f"the {side} picture has {grid.shape[0]}×{grid.shape[1]} pixels, so it's "
        f"registered by the means of {size}×{size} each, and moved as it is"
        for side, grid in (("fixed", fixed), ("moving", moving))
        if (size := block_size(grid)) > 1
    )


def _blocks(grid: Grid, factor: int) -> Grid:
    """The grid of the blocks that are whole."""
    affine = grid.affine.copy()
    affine[:-1, -1] = grid.to_world(np.full(2, (factor - 1) / 2))
    affine[:-1, :-1] *= factor
    return Grid(tuple(size // factor for size in grid.shape), affine)


def _means(array: np.ndarray, shape: tuple[int, ...], factor: int) -> np.ndarray:
    """The mean of every block, float32."""
    columns, rows = shape
    means = np.empty(shape, np.float32)
    for start in range(0, columns, _COLUMNS):
        stop = min(start + _COLUMNS, columns)
        part = array[start * factor : stop * factor]
        blocks = part.reshape(stop - start, factor, rows, factor)
        means[start:stop] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means
