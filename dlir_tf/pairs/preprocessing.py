"""From a pair of images to their working grid."""

import numpy as np
from scipy import ndimage

from dlir_tf.compute.threads import in_threads
from dlir_tf.config import Config, Intensity
from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image
from dlir_tf.images.grid import is_within
from dlir_tf.pairs.parallel_grids import resample_along_axes
from dlir_tf.pairs.size import check_cover, check_detail
from dlir_tf.pairs.slices import slice_plane
from dlir_tf.pairs.working_grid import to_working_grid, working_axes, working_grid
from dlir_tf.pairs.working_pair import WorkingPair


def prepare_pair(
    fixed: Image,
    moving: Image,
    config: Config,
    *,
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    shape: tuple[int, ...] | None = None,
) -> WorkingPair:
    """Brings a pair to its working grid.

    Args:
        fixed: Any grid, spacing and orientation.
        moving: Likewise; its grid may be another one.
        config: Says spacing, initial alignment and intensities.
        fixed_mask: Which voxels of the fixed image count in the similarity, bool;
            resampled by nearest neighbour. Intensities and the initial alignment
            come from whole images all the same.
        moving_mask: Likewise, of the moving image.
        shape: Of the working grid, for models that take one shape only; by default
            the smallest that the stages can work on.

    Raises:
        InputError: If an image doesn't have the config's rank, is constant, or the
            two, or their masks, don't overlap after the initial alignment; or if the
            fixed image needs a larger grid than `shape`, than memory can hold, or
            none to speak of; or an image is a speck on it.
    """
    masks = _fitting_masks((fixed_mask, moving_mask), (fixed, moving))
    plane = slice_plane(fixed.grid, moving.grid, config.ndim)
    if plane is not None:
        fixed, moving = plane.flatten(fixed), plane.flatten(moving)
        masks = {name: plane.flatten(mask) for name, mask in masks.items()}
    _check_ranks(fixed, moving, config.ndim)
    grid = working_grid(fixed.grid, config.spacing, config.multiple, config.axes, shape)
    _check_detail(fixed.grid, grid, config.axes)
    fixed, moving = in_threads(
        lambda image, name: _scaled(image, config.intensity, name),
        (fixed, moving),
        ("fixed", "moving"),
    )
    initial = initial_alignment(fixed, moving, config.initial_alignment)
    fixed_matrix = fixed.grid.inverse @ grid.affine
    moving_matrix = moving.grid.inverse @ initial @ grid.affine
    check_cover("fixed", fixed.grid, fixed_matrix)
    check_cover("moving", moving.grid, moving_matrix)
    inside_fixed = _inside(fixed.shape, fixed_matrix, grid.shape)
    inside_moving = _inside(moving.shape, moving_matrix, grid.shape)
    covered = inside_fixed & inside_moving
    _check_overlap(covered, fixed.grid, moving.grid)
    on_grid = _masks_on_grid(masks, grid, initial, covered)
    fixed_on_grid, moving_on_grid = in_threads(
        _to_grid,
        (fixed.array, moving.array),
        (fixed_matrix, moving_matrix),
        (inside_fixed, inside_moving),
    )
    return WorkingPair(
        fixed_on_grid, moving_on_grid, covered, grid, initial, **on_grid, plane=plane
    )


def scale_intensities(array: np.ndarray, intensity: Intensity, name: str) -> np.ndarray:
    """Clips and scales intensities to [0, 1], float32.

    Raises:
        InputError: If the image is constant within the clipping limits.
    """
    if not np.isfinite(array).all():
        raise InputError(
            f"the {name} image has NaN or infinite voxels; replace them by a "
            "background value"
        )
    limits = float(array.min()), float(array.max())
    low, high = limits
    if intensity.clip_values is not None:
        low, high = intensity.clip_values
    elif intensity.clip_percentiles is not None:
        low, high = map(float, np.percentile(array, intensity.clip_percentiles))
        if not high > low:
            # Percentiles miss a small bright object on a wide background.
            low, high = limits
    # float64 for what float32 can't hold: differences of large integers.
    wide = array.astype(np.result_type(array.dtype, np.float32))
    clipped = np.clip(wide, low, high)
    if clipped.min() == clipped.max():
        raise InputError(
            f"the {name} image is constant between the intensities {low:g} and "
            f"{high:g}: there is nothing to register; check the file and the config's "
            "intensity limits"
        )
    return ((clipped - low) / (high - low)).astype(np.float32)


def _scaled(image: Image, intensity: Intensity, name: str) -> Image:
    return image.with_array(scale_intensities(image.array, intensity, name))


def initial_alignment(fixed: Image, moving: Image, method: str) -> np.ndarray:
    """World-to-world matrix from fixed to moving, before any registration.

    Args:
        fixed: Intensities at least 0.
        moving: Likewise.
        method: `header` trusts the world coordinates, `centers` lays the centres
            of the two volumes onto each other, `mass` the centres of intensity.
    """
    matrix = np.eye(fixed.ndim + 1)
    if method != "header":
        place = _centre_of_mass if method == "mass" else _centre
        matrix[:-1, -1] = place(moving) - place(fixed)
    return matrix


def _centre(image: Image) -> np.ndarray:
    return image.grid.centre


def _centre_of_mass(image: Image) -> np.ndarray:
    return image.grid.to_world(np.asarray(ndimage.center_of_mass(image.array)))


def _to_grid(array: np.ndarray, matrix: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Interpolates linearly; low-pass filtered first where the grid is coarser.

    The outermost values reach to the voxels' edges, as in `Transform.resample`, and
    zeros lie beyond.
    """
    coarsening = np.linalg.norm(matrix[:-1, :-1], axis=1)
    sigma = 0.5 * np.sqrt(np.maximum(coarsening**2 - 1, 0))
    if sigma.max() > 0.25:
        array = ndimage.gaussian_filter(array, sigma, mode="nearest", truncate=3)
    shape = inside.shape
    resampled = resample_along_axes(array, matrix, shape)
    if resampled is None:
        resampled = ndimage.affine_transform(
            array, matrix[:-1, :-1], matrix[:-1, -1], shape, order=1, mode="nearest"
        )
    return np.where(inside, np.clip(resampled, 0, 1), 0).astype(np.float32)


def _fitting_masks(
    masks: tuple[Image | None, Image | None], images: tuple[Image, Image]
) -> dict[str, Image]:
    """Names the masks that there are; refuses those that don't fit their images."""
    named = {}
    for side, mask, image in zip(("fixed", "moving"), masks, images, strict=True):
        if mask is None:
            continue
        if mask.shape != image.shape:
            raise InputError(
                f"{side}_mask: must be on its image's grid, of shape {image.shape}. "
                f"Received: {mask.shape}"
            )
        named[f"{side}_mask"] = mask
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


def _check_overlap(covered: np.ndarray, fixed: Grid, moving: Grid) -> None:
    if not covered.any():
        distance = np.linalg.norm(fixed.centre - moving.centre)
        raise InputError(
            "the fixed and the moving image don't overlap in the world: their centres "
            f"are {distance:.0f} mm apart; if their headers can't be trusted, set "
            "initial_alignment (--initial-alignment) to centers or mass"
        )


def _masks_on_grid(
    masks: dict[str, Image], grid: Grid, initial: np.ndarray, covered: np.ndarray
) -> dict[str, np.ndarray]:
    """Resamples masks; refuses those that leave nothing to compare."""
    placed = {"fixed_mask": np.eye(len(initial)), "moving_mask": initial}
    found = {n: to_working_grid(m, grid, placed[n]) for n, m in masks.items()}
    if not np.all([covered, *found.values()], axis=0).any():
        raise InputError(
            f"{' and '.join(found)}: no voxel of the working grid that both images "
            "cover is inside after the initial alignment, so nothing would be "
            "compared; check that each mask belongs to its image, and that the "
            "config's spacing doesn't pass over it"
        )
    return found


def _inside(
    image_shape: tuple[int, ...], matrix: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Which grid voxels lie within the image's extent, half a voxel included."""
    inside = np.ones(shape, bool)
    coordinates = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
    for row, size in zip(matrix[:-1], image_shape, strict=True):
        # On grids that run along the image's, only one axis counts.
        position = row[-1] + sum(
            step * along
            for step, along in zip(row[:-1], coordinates, strict=True)
            if step
        )
        inside &= is_within(size, position)
    return inside
