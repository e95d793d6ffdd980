"""How large a request may make a server's working grid, whatever its affines say.

Spacings in the wrong unit make it millions of times larger than the images are, or
leave one voxel of them. As `dlir_tf.pairs.size` has it, but with a limit that is fixed
when the model is exported: a server can't know what else wants its memory.
"""

import math
from typing import Any

import tensorflow as tf

from dlir_tf.export.graph.checks import require
from dlir_tf.pairs.size import COARSEST, FEWEST

Tensor = Any

# Images are smoothed and resampled by one matrix per axis.
_LONGEST_AXIS = 2**13


def longest_axis(max_voxels: int) -> int:
    """The most voxels along an axis, of images and of the working grid."""
    return max(_LONGEST_AXIS, math.isqrt(max_voxels))


def size_checks(
    needed: Tensor,
    padded: Tensor,
    size: Tensor,
    spacing: Tensor,
    step: Tensor,
    max_voxels: int,
    pair: Tensor | None,
) -> list[Any]:
    """Asserts that the working grid is neither too large nor next to nothing.

    Args:
        needed: Its voxels per axis, without padding, float64 as they may be many.
        padded: Likewise, with padding.
        size: The fixed image's voxels, along the axes of the grid.
        spacing: The fixed image's, in mm, along the axes of the grid.
        step: The grid's, in mm.
        max_voxels: The most that it may have.
        pair: The number of the pair within the batch.
    """
    longest = longest_axis(max_voxels)
    room = (tf.reduce_prod(padded) <= max_voxels) & (tf.reduce_max(padded) <= longest)
    values = (padded, spacing, step)
    too_large = (
        "the working grid would have {} voxels per axis, more than the "
        f"{max_voxels} that this model allows, or than {longest} along one: the fixed "
        "image has a spacing of {} mm, by its affine, and the model works at {} mm; "
        "check that affines are in mm, crop the image, or export the model with a "
        "larger --max-voxels"
    )
    left = (needed >= FEWEST) | (needed * COARSEST > tf.cast(size, tf.float64))
    too_coarse = (
        "the working grid would have {} voxels per axis, next to nothing of the fixed "
        "image: its spacing is {} mm, by its affine, and the model works at {} mm; "
        "check that affines are in mm, or use a model of a smaller spacing"
    )
    return [
        require(room, too_large, pair, values),
        require(tf.reduce_all(left), too_coarse, pair, (needed, spacing, step)),
    ]


def axis_check(name: str, image: Tensor, max_voxels: int, pair: Tensor) -> Any:
    """Asserts that no axis is so long that matrices along it would fill the memory."""
    longest = longest_axis(max_voxels)
    return require(
        tf.reduce_max(tf.shape(image)) <= longest,
        f"the {name} image has {{}} voxels per axis, but this model takes no more "
        f"than {longest} along one; crop it, or export the model with a larger "
        "--max-voxels",
        pair,
        (tf.shape(image),),
    )
