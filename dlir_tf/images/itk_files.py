"""MetaImage and NRRD, through SimpleITK; and what SimpleITK's images are to us.

SimpleITK is imported when a file needs it. Unlike its NIfTI reader, ITK's readers of
MetaImage and NRRD keep axes that aren't perpendicular, both ways.
"""

import contextlib
import errno
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlir_tf.compute.silence import silence
from dlir_tf.errors import InputError
from dlir_tf.files import go_on_writing, name_for_itk, replacing
from dlir_tf.images.contents import Contents
from dlir_tf.images.formats import ITK_SUFFIXES, suffix_of
from dlir_tf.images.frame import flip_affine
from dlir_tf.images.grid import column_norms, in_space
from dlir_tf.images.headers.metaimage import check_metaimage
from dlir_tf.images.headers.nrrd import NrrdHeader, check_nrrd, read_nrrd_header

if TYPE_CHECKING:
    import SimpleITK as sitk

_READERS = {
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
}


def load_with_itk(path: Path) -> Contents:
    """Loads a MetaImage or NRRD file completely, in the dtype of the file.

    Raises:
        InputError: If the file is damaged, incomplete or of another format.
    """
    import SimpleITK as sitk

    reader = _reader(path)
    nrrd = _check(path, reader)
    try:
        with quiet_itk():
            image = sitk.ReadImage(name_for_itk(path), imageIO=reader)
    except RuntimeError as error:
        raise InputError(
            f"{path}: can't be read as an image ({reason(error)}); it's damaged, "
            "incomplete or of another format, so copy or convert it again"
        ) from error
    keys = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    _check_space(path, keys, image.GetDimension())
    return _contents(image, keys, nrrd)


def _reader(path: Path) -> str:
    return _READERS[suffix_of(path, ITK_SUFFIXES) or ""]


def _check(path: Path, reader: str) -> NrrdHeader | None:
    """Checks a file before ITK reads it; NRRD's header comes back."""
    if reader != "NrrdImageIO":
        check_metaimage(path)
        return None
    header = read_nrrd_header(path)
    check_nrrd(path, header)
    return header


def _contents(
    image: "sitk.Image", keys: Mapping[str, str], nrrd: NrrdHeader | None
) -> Contents:
    ndim, components = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
    array = to_array(image)
    affine = affine_of(image)
    # The axes that NRRD calls a list are those of Slicer's sequences: volumes.
    listed = components > 1 and keys.get("NRRD_kinds[pixel]") == "list"
    timed = ndim == 4 or keys.get(f"NRRD_kinds[{ndim - 1}]") == "time"
    if timed:
        affine = np.delete(np.delete(affine, ndim - 1, 0), ndim - 1, 1)
    if ndim - timed == 2 and (timed or listed):
        array = array[:, :, None]  # as in NIfTI: time comes fourth
    matrix = in_space(affine) if len(affine) == 3 else affine
    return Contents(
        array,
        matrix,
        column_norms(matrix),
        num_components=1 if listed else components,
        time_step=float(image.GetSpacing()[-1]) if timed else 0.0,
        nrrd=nrrd,
        segments={key: keys[key] for key in sorted(keys) if key.startswith("Segment")},
    )


def _check_space(path: Path, keys: Mapping[str, str], ndim: int) -> None:
    """NRRD names its world; ITK turns RAS and LAS to LPS, though only in 3-d."""
    space = keys.get("NRRD_space", "left-posterior-superior")
    if space.removesuffix("-time") == "left-posterior-superior":
        return
    if ndim == 4 and "superior" in space:
        raise InputError(
            f"{path}: the world of a NRRD file with time must be "
            f"left-posterior-superior-time, but is {space}; convert it to NIfTI"
        )
    warnings.warn(
        f"{path}: the world of the NRRD file is {space}; took it for "
        "left-posterior-superior, as ITK does",
        stacklevel=6,
    )


def to_array(image: "sitk.Image") -> np.ndarray:
    """The voxels of an ITK image, axes i, j, k; components last."""
    import SimpleITK as sitk

    array = sitk.GetArrayFromImage(image)
    ndim = image.GetDimension()
    return np.asarray(array.transpose(*range(ndim)[::-1], *range(ndim, array.ndim)))


def affine_of(image: "sitk.Image") -> np.ndarray:
    """The voxel-to-world matrix of an ITK image, RAS+ mm."""
    ndim = image.GetDimension()
    affine = np.eye(ndim + 1)
    affine[:-1, :-1] = np.reshape(image.GetDirection(), (ndim, ndim))
    affine[:-1, :-1] *= image.GetSpacing()
    affine[:-1, -1] = image.GetOrigin()
    space = min(ndim, 3)  # a fourth axis is time and has no direction
    part = np.ix_([*range(space), ndim], [*range(space), ndim])
    affine[part] = flip_affine(affine[part])
    return affine


def to_itk(array: np.ndarray, affine: np.ndarray, time_step: float) -> "sitk.Image":
    """An ITK image of voxels, axes i, j, k and perhaps time.

    Args:
        array: `(i, j)`, `(i, j, k)` or `(i, j, k, time)`, of a dtype that ITK knows.
        affine: Voxel to world RAS+ mm, `(3, 3)` or `(4, 4)`.
        time_step: Spacing of the time axis.
    """
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array.T, isVector=False)
    matrix, space = flip_affine(affine), len(affine) - 1
    spacing = column_norms(matrix)
    direction = np.eye(array.ndim)
    direction[:space, :space] = matrix[:-1, :-1] / spacing
    image.SetDirection(direction.ravel().tolist())
    timed = array.ndim > space
    image.SetSpacing([*spacing.tolist(), *[time_step or 1.0] * timed])
    image.SetOrigin([*matrix[:-1, -1].tolist(), *[0.0] * timed])
    if timed:
        image.SetMetaData("NRRD_space", "left-posterior-superior-time")
        image.SetMetaData("NRRD_kinds[3]", "time")
    return image


@contextlib.contextmanager
def quiet_itk() -> Iterator[None]:
    """Keeps ITK from warning on stderr; what makes a file unusable, it raises."""
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(before)


@contextlib.contextmanager
def itk_writing(draft: Path) -> Iterator[None]:
    """Raises what ITK can't write as the operating system would.

    Of a failure, its C++ code tells stderr line by line, which is shut meanwhile.

    Args:
        draft: What is written, in a folder of its own.

    Raises:
        OSError: With the system's reason or, if that has none, the one that ITK gives.
    """
    try:
        with quiet_itk(), silence():
            yield
    except RuntimeError as error:
        go_on_writing(draft.parent)
        raise OSError(errno.EIO, reason(error)) from error


def with_channels(image: "sitk.Image", array: np.ndarray) -> "sitk.Image":
    """An ITK image of several numbers a voxel, at the place of another.

    Args:
        image: Whose place it gets.
        array: Axes i, j, k, and the numbers of a voxel last.
    """
    import SimpleITK as sitk

    order = (*range(array.ndim - 1)[::-1], array.ndim - 1)
    made = sitk.GetImageFromArray(array.transpose(order), isVector=True)
    made.CopyInformation(image)
    return made


def write_with_itk(path: Path, image: "sitk.Image", *, listed: bool = False) -> None:
    """Writes an ITK image, compressed, whole or not at all.

    ITK tells of no failure to write the end of a file, so what it wrote is read again.

    Args:
        path: The file.
        image: What to write.
        listed: Whether the numbers of a voxel are a list in a NRRD file, and no vector.

    Raises:
        WriteError: If the disk doesn't take it.
    """
    import SimpleITK as sitk

    with replacing(path) as draft, itk_writing(draft):
        sitk.WriteImage(image, name_for_itk(draft), useCompression=True)
        if listed:  # ITK itself knows none; the header comes first
            raw = draft.read_bytes().replace(b"kinds: vector", b"kinds: list", 1)
            draft.write_bytes(raw)
        try:
            _check(draft, _reader(draft))
        except InputError as error:
            raise incomplete(draft) from error
        written = sitk.ReadImage(str(draft))
        ours, theirs = map(sitk.GetArrayViewFromImage, (image, written))
        if not np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"):
            raise incomplete(draft)


def incomplete(draft: Path) -> OSError:
    """The error of a file that was written without one, but isn't what was meant.

    Raises:
        OSError: With the system's reason, if it has one.
    """
    go_on_writing(draft.parent)
    return OSError(errno.EIO, "what was written isn't complete")


def reason(error: RuntimeError) -> str:
    """The part of ITK's message that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # MetaImage gives the last error of the operating system, whatever it was about.
    told = [line for line in lines if not line.startswith("Reason:")]
    return told[-1].split("): ")[-1] if told else type(error).__name__
