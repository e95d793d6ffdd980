"""Reads images and labels, and refuses what can't be registered."""

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError, counted
from dlir_tf.files.plain import check_plain
from dlir_tf.images.colours import one_number, with_channels_last
from dlir_tf.images.contents import Contents, check_numbers, without_single_axes
from dlir_tf.images.dicom import (
    is_dicom_file,
    load_dicom_file,
    load_dicom_series,
    split_choice,
)
from dlir_tf.images.formats import ITK_SUFFIXES, PICTURE_SUFFIXES, suffix_of
from dlir_tf.images.frame import SpacingSource, place
from dlir_tf.images.image import Image
from dlir_tf.images.itk_files import load_with_itk
from dlir_tf.images.label_images import is_whole, without_missing
from dlir_tf.images.missing import limits_of, missing_voxels
from dlir_tf.images.nibabel_files import load_with_nibabel
from dlir_tf.images.orientation import OrientationSource, orient
from dlir_tf.images.pictures.reading import load_picture
from dlir_tf.images.segments import of_first_layer


def read_image(
    path: str | os.PathLike[str],
    *,
    spacing_source: SpacingSource = "auto",
    orientation_source: OrientationSource = "auto",
    channel: int | None = None,
) -> Image:
    """Reads a 2-d or 3-d image, of grey values or colours.

    NIfTI, MetaImage (`.mha`, `.mhd`), NRRD (`.nrrd`, `.nhdr`), Analyze, MGH and what
    else nibabel reads; a picture (`.png`, `.tif`, `.tiff`, `.jpg`, `.jpeg`), which is
    2-d (see `dlir_tf.images.pictures` for its place); a folder with the files of a
    DICOM series, `FOLDER#N` where it holds several; or a DICOM file that holds a
    volume.

    Of colours, the image's array is the luminance, and its channels are all of them:
    see `dlir_tf.images.colours`.

    NaN is a voxel without a value: it counts like one outside of a mask, and stays NaN
    in what is moved.

    The dtype of the file is kept, except where it states a slope or an intercept:
    then the values are float32 (of DICOM, where they aren't integers). Units of
    metres or microns become mm. Axes needn't be perpendicular.

    Args:
        path: The file or folder.
        spacing_source: `"auto"`, `"affine"` or `"pixdim"`: see
            `dlir_tf.images.frame`.
        orientation_source: `"auto"`, `"sform"` or `"qform"`: see
            `dlir_tf.images.orientation`.
        channel: Of an image with several numbers a voxel, the one that is its array,
            counted from 1, instead of the luminance; others have no choice.

    Returns:
        The image, 2-d or 3-d: further axes of length 1 are dropped. Its header is
        `None` unless it was read from NIfTI.

    Raises:
        InputError: If the file can't be read completely, or can't be registered:
            time, vectors, a singular affine, infinite voxels, the same value
            everywhere.
    """
    image = _read(Path(path), spacing_source, orientation_source, channel=channel)
    low, high = limits_of(image.array)
    if low == high:
        others = " or NaN" * (missing_voxels(image.array) is not None)
        raise InputError(
            f"{path}: every voxel is {low}{others}, so there is nothing to register; "
            "check that this is the image that was meant"
        )
    return image


def read_labels(
    path: str | os.PathLike[str],
    *,
    spacing_source: SpacingSource = "auto",
    orientation_source: OrientationSource = "auto",
) -> Image:
    """Reads a label image; its array has an integer dtype, whatever the file has.

    Labels that a slope in the file's header has moved from whole numbers by at most
    0.01 are the whole numbers. Where there is no value (NaN), there is no label: 0.

    Of a file with several volumes of 0 and 1, which hold one structure each and may
    overlap, the first is read, with a warning: structures that overlap are no labels.

    Args:
        path: The file, or the folder of a DICOM series.
        spacing_source: As in `read_image`.
        orientation_source: Likewise.

    Returns:
        The labels, with the place that their own header states.

    Raises:
        InputError: As `read_image`, though a single value everywhere is allowed, or
            if a value isn't an integer.
    """
    image = _read(Path(path), spacing_source, orientation_source, _first_structure)
    return _of_whole_numbers(
        image,
        f"{path}: labels",
        "resample label images with nearest neighbour, and store them as integers "
        "without a slope",
    )


def read_mask(
    path: str | os.PathLike[str],
    *,
    spacing_source: SpacingSource = "auto",
    orientation_source: OrientationSource = "auto",
) -> Image:
    """Reads a mask, as `read_labels` reads labels; errors speak of masks.

    Args:
        path: As in `read_labels`, like the others.
        spacing_source: Likewise.
        orientation_source: Likewise.

    Raises:
        InputError: As `read_labels`.
    """
    image = _read(Path(path), spacing_source, orientation_source, _first_structure)
    return _of_whole_numbers(
        image, f"{path}: masks", "set what is inside to 1 and all else to 0"
    )


def _of_whole_numbers(image: Image, what: str, cure: str) -> Image:
    """The image with an integer dtype; refuses channels and fractions."""
    if image.channels is not None:
        raise InputError(
            f"{what} must be one number a voxel, but it has "
            f"{image.channels.shape[-1]} channels (colours, or a palette of them); "
            "save the numbers as grey values"
        )
    if np.issubdtype(image.array.dtype, np.integer):
        return image
    array = without_missing(image.array)
    labels = np.rint(array)
    wrong = array[~is_whole(array)]
    if wrong.size:
        raise InputError(
            f"{what} must be integers, but "
            + counted(wrong.size, "voxel isn't", "voxels aren't")
            + f", such as {wrong[0]:g}; {cure}"
        )
    largest = np.abs(labels).max()
    if largest >= 2.0**63:
        raise InputError(
            f"{what} must be integers of 64 bits at most, but reach {largest:g}; {cure}"
        )
    fits = largest <= np.iinfo(np.int32).max
    return replace(image, array=labels.astype(np.int32 if fits else np.int64))


def load(path: str | os.PathLike[str]) -> Contents:
    """Loads a file, or the DICOM series in a folder, completely.

    Args:
        path: The file or the folder; `FOLDER#N` for a series of several in a folder.

    Raises:
        InputError: If there is no such file, or it can't be read.
    """
    path, choice = split_choice(Path(path))
    if path.is_dir():
        return load_dicom_series(path, choice)
    check_plain(
        path, "give the path of an image or of a folder that holds a DICOM series"
    )
    if is_dicom_file(path):
        return load_dicom_file(path)
    if suffix_of(path, ITK_SUFFIXES):
        return load_with_itk(path)
    if suffix_of(path, PICTURE_SUFFIXES):
        return load_picture(path)
    return load_with_nibabel(path)


def _read(
    path: Path,
    spacing_source: SpacingSource,
    orientation_source: OrientationSource,
    prepare: Callable[[Path, Contents], Contents] = lambda path, contents: contents,
    channel: int | None = None,
) -> Image:
    """Reads and checks what images and labels have in common."""
    contents, channels = of_one_number(path, prepare(path, load(path)), channel)
    array = without_single_axes(contents.array)
    _check_axes(path, array, contents)
    check_numbers(path, contents)
    contents = orient(path, contents, orientation_source)
    affine = place(path, contents, spacing_source)
    header, segments = contents.header, contents.segments
    return Image(array, affine, header, channels, segments, meaning=header)


def of_one_number(
    path: Path, contents: Contents, channel: int | None = None, *, needed: bool = True
) -> tuple[Contents, np.ndarray | None]:
    """Separates what of a file is looked at from all of its channels.

    Args:
        path: The file, for messages.
        contents: What it holds.
        channel: As in `read_image`.
        needed: Whether it is looked at at all.

    Returns:
        The contents with one number a voxel, and all channels, if there are several:
        `(*shape, num_channels)`, of a series `(*shape, time, num_channels)`.

    Raises:
        InputError: If a channel must be chosen, or isn't there.
    """
    channels = with_channels_last(contents)
    if channels is None or channels.ndim not in (3, 4, 5) or not channels.size:
        return contents, None
    if channels.ndim == 5 and channels.shape[3] == 1:  # a series of one image
        channels = channels[:, :, :, 0]
    array = one_number(
        path, channels, channel, are_colours=contents.are_colours, needed=needed
    )
    return replace(contents, array=array, num_components=1), channels


def _first_structure(path: Path, contents: Contents) -> Contents:
    """Takes the first of several binary volumes."""
    array = without_single_axes(contents.array)
    if contents.num_components > 1 or array.ndim != 4 or not array.size:
        return contents
    if not np.logical_or(array == 0, array == 1).all():
        return contents
    warnings.warn(
        f"{path}: has {array.shape[-1]} volumes of 0 and 1, which may overlap; only "
        "the first is used as labels. For another one, extract it into its own file",
        stacklevel=4,
    )
    segments = of_first_layer(contents.segments)
    return replace(contents, array=array[..., 0], segments=segments)


def _check_axes(path: Path, array: np.ndarray, contents: Contents) -> None:
    if contents.num_components > 1:
        return  # colours or vectors, which is worth a sentence of its own
    if array.ndim not in (2, 3) or not array.size:
        shape = contents.array.shape
        channels = f", {shape[-1]} volumes or channels" if len(shape) > 3 else ""
        raise InputError(
            f"{path}: must have 2 or 3 spatial axes, but its shape is {shape}"
            f"{channels}; extract the one volume that is meant into its own file"
        )
