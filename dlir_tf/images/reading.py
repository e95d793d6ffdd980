"""Reads images and labels, and refuses what can't be registered."""

import contextlib
import gzip
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel import imageglobals
from nibabel.filebasedimages import ImageFileError, SerializableImage
from nibabel.spatialimages import SpatialImage

from dlir_tf.errors import InputError
from dlir_tf.images.frame import SpacingSource, frame, in_mm, mm_per_unit
from dlir_tf.images.image import Image


def read_image(
    path: str | os.PathLike[str], *, spacing_source: SpacingSource = "auto"
) -> Image:
    """Reads a 2-d or 3-d grey-value image: NIfTI, or what else nibabel reads.

    The dtype of the file is kept, except where it states a slope or an intercept:
    then the values are float32. Units of metres or microns become mm.

    Args:
        path: The file.
        spacing_source: `"auto"`, `"affine"` or `"pixdim"`: see
            `dlir_tf.images.frame`.

    Returns:
        The image, 2-d or 3-d: further axes of length 1 are dropped.

    Raises:
        InputError: If the file can't be read completely, or can't be registered:
            colours, time, vectors, a singular affine, NaN or infinite voxels, the
            same value everywhere.
    """
    image = _read(Path(path), spacing_source)
    low, high = image.array.min(), image.array.max()
    if low == high:
        raise InputError(
            f"{path}: every voxel is {low}, so there is nothing to register; check "
            "that this is the image that was meant"
        )
    return image


def read_labels(
    path: str | os.PathLike[str], *, spacing_source: SpacingSource = "auto"
) -> Image:
    """Reads a label image; its array has an integer dtype, whatever the file has.

    Args:
        path: The file.
        spacing_source: As in `read_image`.

    Returns:
        The labels, with the place that their own header states.

    Raises:
        InputError: As `read_image`, though a single value everywhere is allowed, or
            if a value isn't an integer.
    """
    image = _read(Path(path), spacing_source)
    if np.issubdtype(image.array.dtype, np.integer):
        return image
    labels = np.rint(image.array)
    wrong = image.array[labels != image.array]
    if wrong.size:
        raise InputError(
            f"{path}: labels must be integers, but {wrong.size} voxels aren't, such as "
            f"{wrong[0]:g}; resample label images with nearest neighbour"
        )
    fits = np.abs(labels).max() <= np.iinfo(np.int32).max
    return image.with_array(labels.astype(np.int32 if fits else np.int64))


def _read(path: Path, spacing_source: SpacingSource) -> Image:
    """Reads and checks what images and labels have in common."""
    if spacing_source not in ("auto", "affine", "pixdim"):
        raise InputError(
            "spacing_source: must be auto, affine or pixdim. "
            f"Received: {spacing_source!r}"
        )
    if not path.is_file():
        kind = "is a folder, not an image" if path.is_dir() else "no such file"
        raise InputError(f"{kind}: {path}; give the path of a NIfTI file")
    try:
        with _quiet_nibabel():
            source, array = _load(path)
            matrix = np.asarray(source.affine, dtype=np.float64)
            zooms = np.array(source.header.get_zooms(), dtype=np.float64)
    except Exception as error:  # damaged headers let nibabel raise nearly anything
        raise InputError(
            f"{path}: can't be read as an image ({error}); it's damaged, incomplete or "
            "in a format that nibabel doesn't know, so copy or convert it again"
        ) from error
    shape = array.shape
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    _check_voxels(path, array, shape)
    header = source.header if isinstance(source.header, nib.Nifti1Header) else None
    if header is not None:
        matrix, zooms = in_mm(matrix, header), zooms * mm_per_unit(header)
        if not (header["qform_code"] or header["sform_code"]):
            warnings.warn(
                f"{path}: the header states no orientation (qform and sform are "
                "unset); took nibabel's guess, other programs may guess differently",
                stacklevel=3,
            )
    affine = frame(path, matrix, zooms[: array.ndim], spacing_source)
    return Image(array, affine, header)


@contextlib.contextmanager
def _quiet_nibabel() -> Iterator[None]:
    """Keeps nibabel from logging; what is wrong with a file, it raises as well."""

    def drop(_: object) -> bool:
        return False

    imageglobals.logger.addFilter(drop)
    try:
        yield
    finally:
        imageglobals.logger.removeFilter(drop)


def _load(path: Path) -> tuple[SpatialImage, np.ndarray]:
    """Reads all voxels now, so that a damaged file shows here and not later."""
    image = nib.load(path, mmap=False)
    if not isinstance(image, SpatialImage):
        raise ImageFileError("no voxels on a grid in it")
    if path.suffix not in (".gz", ".mgz") or not isinstance(image, SerializableImage):
        return image, _voxels(image)
    with gzip.open(path) as stream:
        image = type(image).from_stream(stream)
        array = _voxels(image)
        while stream.read(1 << 20):  # gzip compares the checksum at its very end
            pass
    return image, array


def _voxels(image: SpatialImage) -> np.ndarray:
    """The voxels in native byte order; float32 where the file scales them."""
    proxy = image.dataobj
    slope, inter = getattr(proxy, "slope", 1.0), getattr(proxy, "inter", 0.0)
    if np.any(np.not_equal(slope, 1)) or np.any(np.not_equal(inter, 0)):
        return image.get_fdata(dtype=np.float32, caching="unchanged")
    array = np.asarray(proxy)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _check_voxels(path: Path, array: np.ndarray, shape: Sequence[int]) -> None:
    if array.dtype.kind not in "iuf":
        kind = "colours" if array.dtype.names else f"values of type {array.dtype}"
        raise InputError(
            f"{path}: voxels must be grey values or labels, but are {kind}; convert "
            "the file to one real number a voxel"
        )
    if array.ndim not in (2, 3) or not array.size:
        channels = f", {shape[-1]} volumes or channels" if len(shape) > 3 else ""
        raise InputError(
            f"{path}: must have 2 or 3 spatial axes, but its shape is {tuple(shape)}"
            f"{channels}; extract the one volume that is meant into its own file"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = np.count_nonzero(~np.isfinite(array))
        raise InputError(
            f"{path}: all voxels must be finite, but {count} are NaN or infinite; "
            "replace them by a background value"
        )
