"""From a pair of images to their working grid."""

import numpy as np

from dlir_tf.compute.threads import in_threads
from dlir_tf.config import Config, Intensity
from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image, mask_on_image
from dlir_tf.images.missing import missing_voxels
from dlir_tf.images.padding import counting_voxels, padding_voxels
from dlir_tf.pairs.alignment import initial_alignment
from dlir_tf.pairs.fitting_start import fitting_start
from dlir_tf.pairs.placement import Placement, to_working_grid
from dlir_tf.pairs.rigidity import with_perpendicular_axes
from dlir_tf.pairs.size import check_cover, check_detail
from dlir_tf.pairs.slices import slice_plane
from dlir_tf.pairs.working_grid import working_axes, working_grid
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.transforms import Affine, Transform

# Of the weights that a voxel of the grid is interpolated by: what rounding makes.
_MOST_PADDING = 1e-3


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
    masks = fitting_masks((fixed_mask, moving_mask), (fixed, moving))
    plane = slice_plane(fixed.grid, moving.grid, config.ndim)
    if plane is not None:
        fixed, moving = plane.flatten(fixed), plane.flatten(moving)
        masks = {name: plane.flatten(mask) for name, mask in masks.items()}
    _check_ranks(fixed, moving, config.ndim)
    if initial_transform is not None:
        initial_transform = fitting_start(initial_transform, plane, fixed.grid)
    grid = _working_grid(fixed.grid, config, shape)
    _check_detail(fixed.grid, grid, config.axes)
    padding = in_threads(padding_voxels, (fixed, moving))
    fixed, moving = in_threads(
        lambda image, name, outside: image.with_array(
            scale_intensities(image.array, config.intensity, name, outside)
        ),
        (fixed, moving),
        ("fixed", "moving"),
        padding,
    )
    counting = (
        counting_voxels(masks.get("fixed_mask"), padding[0]),
        counting_voxels(masks.get("moving_mask"), padding[1]),
    )
    initial = initial_transform
    if initial is None:
        method = config.initial_alignment
        alike = config.while_refining.similarity.is_of_one_modality
        matrix = initial_alignment(fixed, moving, method, counting, one_modality=alike)
        initial = Transform((Affine(matrix),))
    places = Placement.of(grid, fixed.grid), Placement.of(grid, moving.grid, initial)
    check_cover("fixed", fixed.grid, places[0].matrix)
    check_cover("moving", moving.grid, places[1].matrix)
    inside = tuple(place.inside() for place in places)
    covered = inside[0] & inside[1]
    if padding[0] is not None:
        covered &= _shown(padding[0], places[0], inside[0])
    _check_overlap(covered, fixed.grid, moving.grid, initial_transform)
    on_grid = _masks_on_grid(masks, grid, initial, covered)
    if padding[1] is not None:  # it goes where the transform takes it, as a mask does
        shown = _shown(padding[1], places[1], inside[1])
        on_grid["moving_mask"] = on_grid.get("moving_mask", True) & shown
    fixed_on_grid, moving_on_grid = in_threads(
        Placement.linear, places, (fixed.array, moving.array), inside
    )
    return WorkingPair(
        fixed_on_grid, moving_on_grid, covered, grid, initial, **on_grid, plane=plane
    )


def _working_grid(fixed: Grid, config: Config, shape: tuple[int, ...] | None) -> Grid:
    return working_grid(
        with_perpendicular_axes(fixed) if config.keeps else fixed,
        config.spacing,
        config.multiple,
        config.axes,
        shape,
        config.longest_axis,
    )


def scale_intensities(
    array: np.ndarray,
    intensity: Intensity,
    name: str,
    padding: np.ndarray | None = None,
) -> np.ndarray:
    """Clips and scales intensities to [0, 1], float32; NaN becomes 0.

    Args:
        array: Of an image.
        intensity: The limits; percentiles are those of the array.
        name: Of the image, for messages.
        padding: Voxels that have no say in the limits, bool; they are clipped like
            the others.

    Raises:
        InputError: If the image is constant within the clipping limits, infinite, or
            nothing but padding.
    """
    if np.isinf(array).any():
        raise InputError(
            f"the {name} image has infinite voxels; replace them by a background "
            "value, or by NaN"
        )
    if padding is None:
        padding = missing_voxels(array)
    if padding is not None and padding.all():
        raise InputError(
            f"the {name} image has no voxel with a value that isn't padding; check "
            "that this is the image that was meant"
        )
    limits = _limits(array, padding)
    low, high = limits
    if intensity.clip_values is not None:
        low, high = intensity.clip_values
    elif intensity.clip_percentiles is not None:
        seen = array if padding is None else array[~padding]
        low, high = map(float, np.percentile(seen, intensity.clip_percentiles))
        if not high > low:
            # Percentiles miss a small bright object on a wide background.
            low, high = limits
    # float64 for what float32 can't hold: differences of large integers.
    wide = array.astype(np.result_type(array.dtype, np.float32))
    clipped = np.clip(wide, low, high)
    if limits[0] >= high or limits[1] <= low or limits[0] == limits[1]:
        raise InputError(
            f"the {name} image is constant between the intensities {low:g} and "
            f"{high:g}, as its own go from {limits[0]:g} to {limits[1]:g}: there is "
            "nothing to register; check the file and the config's intensity limits"
            + " and units (hounsfield: true)"
            * bool(intensity.hounsfield)
        )
    scaled = ((clipped - low) / (high - low)).astype(np.float32)
    return np.nan_to_num(scaled, copy=False, nan=0.0)


def _limits(array: np.ndarray, padding: np.ndarray | None) -> tuple[float, float]:
    """The smallest and the largest value that isn't padding, without a copy."""
    if padding is None:
        return float(array.min()), float(array.max())
    seen = ~padding
    first = array[np.unravel_index(seen.argmax(), seen.shape)]
    low, high = (of(where=seen, initial=first) for of in (array.min, array.max))
    return float(low), float(high)


def _shown(padding: np.ndarray, place: Placement, inside: np.ndarray) -> np.ndarray:
    """Which voxels of the grid come from inside the image, and none from padding."""
    hidden = place.linear(padding.astype(np.float32), inside)
    return np.asarray(inside & (hidden <= _MOST_PADDING))


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


def _check_detail(fixed: Grid, grid: Grid, order: str) -> None:
    axes, _ = working_axes(fixed.affine, order)
    size, spacing = np.asarray(fixed.shape)[axes], np.asarray(fixed.spacing)[axes]
    check_detail(size, spacing, np.asarray(grid.spacing))


def _check_overlap(
    covered: np.ndarray, fixed: Grid, moving: Grid, start: Transform | None
) -> None:
    if covered.any():
        return
    # A start that moves nothing is the headers' own place, whoever has given it.
    if start is not None and not _is_identity(start):
        raise InputError(
            "initial_transform: takes no voxel of the fixed image into the moving one; "
            "it must map points of the fixed image to points of the moving one (mm), "
            "so its inverse may be what is meant"
        )
    distance = np.linalg.norm(fixed.centre - moving.centre)
    raise InputError(
        "the fixed and the moving image don't overlap in the world: their centres "
        f"are {distance:.0f} mm apart; if their headers can't be trusted, set "
        "initial_alignment (--initial-alignment) to search, pose, centers or mass"
    )


def _is_identity(transform: Transform) -> bool:
    matrix = transform.affine_part
    return transform.is_affine and np.array_equal(matrix, np.eye(len(matrix)))


def _masks_on_grid(
    masks: dict[str, Image], grid: Grid, initial: Transform, covered: np.ndarray
) -> dict[str, np.ndarray]:
    """Resamples masks; refuses those that leave nothing to compare."""
    placed = {"fixed_mask": None, "moving_mask": initial}
    found = {n: to_working_grid(m, grid, placed[n]) for n, m in masks.items()}
    if not np.all([covered, *found.values()], axis=0).any():
        raise InputError(
            f"{' and '.join(found)}: no voxel of the working grid that both images "
            "cover is inside after the initial alignment, so nothing would be "
            "compared; check that each mask belongs to its image, and that the "
            "config's spacing doesn't pass over it"
        )
    return found
