"""From a pair of images to their working grid."""

from collections.abc import Callable
from typing import Any

from dlir_tf.compute.threads import in_threads
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Image, mask_on_image
from dlir_tf.pairs.fitting_start import fitting_start
from dlir_tf.pairs.preparation import Preparation
from dlir_tf.pairs.sides import fixed_side, moving_side
from dlir_tf.pairs.slices import slice_plane
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.transforms import Transform


def prepare_pair(
    fixed: Image,
    moving: Image,
    config: Config,
    *,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    initial_transform: Transform | None = None,
    shape: tuple[int, ...] | None = None,
) -> WorkingPair:
    """Brings a pair to its working grid.

    Padding (NaN, and that of a CT: see `dlir_tf.images.padding`) counts neither in
    the intensities' percentiles nor in the similarity: that of the fixed image is out
    of the pair's mask, and that of the moving image out of its moving mask.

    Args:
        fixed: Any grid, spacing and orientation.
        moving: Likewise; its grid may be another one.
        config: Says spacing, initial alignment and intensities.
        fixed_mask: Which voxels of the fixed image count in the similarity, bool;
            resampled by nearest neighbour. Intensities and the initial alignment
            come from whole images all the same, but for `search`
            and `pose`.
        moving_mask: Likewise, of the moving image.
        initial_transform: From fixed to moving points, mm, instead of the config's
            initial alignment; for two slices, of their plane: 3-d, or 2-d in its
            coordinates.
        shape: Of the working grid, for models that take one shape only; by default
            the smallest that the stages can work on.

    Raises:
        InputError: If an image doesn't have the config's rank, is constant, or the
            two, or their masks, don't overlap after the initial alignment; or if the
            fixed image needs a larger grid than `shape`, than memory can hold, or
            none to speak of; or an image is a speck on it; or if the transform to
            start from is of another rank.
    """
    prepared = prepare(
        fixed,
        moving,
        config,
        fixed_mask=fixed_mask,
        moving_mask=moving_mask,
        shape=shape,
    )
    if initial_transform is not None:
        grid = prepared.fixed.image.grid
        initial_transform = fitting_start(initial_transform, prepared.plane, grid)
    return prepared.from_start(initial_transform)


def prepare(
    fixed: Image,
    moving: Image,
    config: Config,
    *,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    shape: tuple[int, ...] | None = None,
) -> Preparation:
    """Does for a pair all that comes before its start, for several starts once.

    Args:
        fixed: As for `prepare_pair`, like all others.
        moving: Likewise.
        config: Likewise.
        fixed_mask: Likewise.
        moving_mask: Likewise.
        shape: Likewise.

    Raises:
        InputError: Likewise, but for what depends on the start.
    """
    masks = fitting_masks((fixed_mask, moving_mask), (fixed, moving))
    plane = slice_plane(fixed.grid, moving.grid, config.ndim)
    if plane is not None:
        fixed, moving = plane.flatten(fixed), plane.flatten(moving)
        masks = {name: plane.flatten(mask) for name, mask in masks.items()}
    _check_ranks(fixed, moving, config.ndim)
    making: list[Callable[[], Any]] = [
        lambda: fixed_side(fixed, config, masks.get("fixed_mask"), shape),
        lambda: moving_side(moving, config, masks.get("moving_mask")),
    ]
    one, other = in_threads(lambda make: make(), making)
    return Preparation(one, other, config, plane)


def fitting_masks(
    masks: tuple[Image | None, Image | None], images: tuple[Image, Image]
) -> dict[str, Image]:
    """Names the masks that there are, on their images' grids.

    Args:
        masks: Of the fixed and of the moving image, if there are any.
        images: Both.

    Raises:
        InputError: If a mask doesn't fit its image.
    """
    named = {}
    for side, mask, image in zip(("fixed", "moving"), masks, images, strict=True):
        if mask is not None:
            name = f"{side}_mask"
            named[name] = mask_on_image(mask, image, name)
    return named


def _check_ranks(fixed: Image, moving: Image, ndim: int) -> None:
    for name, image in (("fixed", fixed), ("moving", moving)):
        if image.ndim != ndim:
            raise InputError(
                f"the {name} image is {image.ndim}-d, of shape {image.shape}, but the "
                f"model registers {ndim}-d images; use a {image.ndim}-d model"
            )
