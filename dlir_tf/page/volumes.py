"""Volumes as the viewer takes them: NIfTI, compressed, as text.

Arrays come as 3-d ones in the order in which niivue shows them: the axes nearest to
left-right, back-front and down-up, each in that direction. So an index means the same
here and in the browser.
"""

import base64
import gzip
from dataclasses import dataclass

import nibabel as nib
import numpy as np

from dlir_tf.images import Grid
from dlir_tf.images.grid import in_space

# Enough for eyes, and half as much as the next level gains.
_COMPRESSION = 6
_LARGEST = {np.dtype(np.uint8): 255, np.dtype(np.int16): 65_535}


@dataclass(frozen=True)
class Layout:
    """How a grid's axes are laid out for the viewer.

    Attributes:
        order: For each axis of the viewer, which axis of the grid it is.
        flips: Whether it runs the other way.
        shape: Voxels along the axes of the viewer.
        affine: Voxel-to-world matrix of the viewer's voxels, `(4, 4)`, RAS+ mm.
    """

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    shape: tuple[int, int, int]
    affine: np.ndarray

    def lay(self, array: np.ndarray) -> np.ndarray:
        """An array of the grid, 2-d or 3-d, for the viewer, `(x, y, z)`."""
        if array.ndim == 2:
            array = array[:, :, None]
        flipped = tuple(axis for axis in range(3) if self.flips[axis])
        return np.asarray(np.flip(array.transpose(self.order), flipped))

    @property
    def inverse(self) -> np.ndarray:
        """World-to-voxel matrix, `(4, 4)`."""
        return np.linalg.inv(self.affine)


def layout_of(grid: Grid) -> Layout:
    """Lays out a grid's axes as niivue does, whose rule this is.

    Args:
        grid: 2-d or 3-d; a 2-d one is a slice at height 0.
    """
    affine = grid.affine if grid.ndim == 3 else in_space(grid.affine)
    shape = (*grid.shape, 1)[:3]
    sizes = np.abs(affine[:3, :3])
    first = int(np.argmax(sizes[:, 0]))  # the world axis nearest to the first one
    others = [axis for axis in range(3) if axis != first]
    second = others[int(sizes[others[0], 1] <= sizes[others[1], 1])]
    worlds = (first, second, 3 - first - second)
    order = (worlds.index(0), worlds.index(1), worlds.index(2))
    flips = tuple(bool(affine[world, order[world]] < 0) for world in range(3))
    laid = np.zeros((4, 4))
    laid[3, 3] = 1.0
    for axis in range(3):
        sign = -1.0 if flips[axis] else 1.0
        laid[order[axis], axis] = sign
        laid[order[axis], 3] = shape[order[axis]] - 1 if flips[axis] else 0
    size = tuple(shape[axis] for axis in order)
    return Layout(order, flips, size, affine @ laid)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Volume:
    """A volume as text, and what its numbers mean.

    Attributes:
        text: A compressed NIfTI file in base64.
        low: The smallest value that it can hold.
        high: The largest one.
        window: Between which values it's shown to begin with.
        bits: 8 or 16.
    """

    text: str
    low: float
    high: float
    window: tuple[float, float]
    bits: int


def encode(
    array: np.ndarray,
    affine: np.ndarray,
    limits: tuple[float, float],
    window: tuple[float, float],
    *,
    deep: bool,
) -> Volume:
    """Packs a volume of grey values.

    Args:
        array: `(x, y, z)` as laid out, numbers; NaN becomes the lowest one. Of a series
            `(x, y, z, frame)`.
        affine: Of the layout.
        limits: Values beyond them are clipped.
        window: Between which values it's shown to begin with.
        deep: Whether with 16 bits instead of 8. Whole numbers that fit are kept.
    """
    low, high = limits
    dtype = np.dtype(np.int16 if deep else np.uint8)
    levels = _LARGEST[dtype]
    whole = bool(np.all(array == np.rint(array)))
    slope = 1.0 if whole and high - low <= levels else (high - low) / levels or 1.0
    steps = np.rint((np.nan_to_num(array, nan=low) - low) / slope)
    first = -32_768 if deep else 0
    stored = (np.clip(steps, 0, levels) + first).astype(dtype)
    text = pack(stored, affine, slope=slope, offset=low - first * slope, window=window)
    return Volume(text, low, high, window, 8 * dtype.itemsize)


def pack(
    stored: np.ndarray,
    affine: np.ndarray,
    *,
    slope: float = 1.0,
    offset: float = 0.0,
    window: tuple[float, float] = (0.0, 0.0),
) -> str:
    """A NIfTI file of an array, compressed, in base64.

    Args:
        stored: `(x, y, z)`, whole numbers of 8 or 16 bits; of a series
            `(x, y, z, frame)`.
        affine: Of the layout.
        slope: What a step means.
        offset: What 0 means.
        window: Between which values it's shown to begin with.
    """
    header = nib.Nifti1Header()
    header.set_data_dtype(stored.dtype)
    header.set_data_shape(stored.shape)
    zooms = np.linalg.norm(affine[:3, :3], axis=0)
    header.set_zooms((*zooms, *[1.0] * (stored.ndim - 3)))
    header.set_sform(affine, code=1)
    header.set_xyzt_units("mm")
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    header["scl_slope"], header["scl_inter"] = slope, offset
    header["cal_min"], header["cal_max"] = window
    whole = header.binaryblock + bytes(4) + stored.tobytes(order="F")
    return base64.b64encode(gzip.compress(whole, _COMPRESSION, mtime=0)).decode()


def window_of(
    array: np.ndarray, percentiles: tuple[float, float]
) -> tuple[float, float]:
    """Between which values most of an image lies.

    Args:
        array: Any shape; NaN doesn't count.
        percentiles: Of its values.
    """
    known = array[np.isfinite(array)]
    if not known.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(known, percentiles))
    return (low, high) if high > low else (low, low + 1.0)
