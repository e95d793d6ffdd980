"""Loads NIfTI, and what else nibabel reads: Analyze, MGH, MINC, PAR/REC, AFNI."""

import contextlib
import gzip
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel import imageglobals
from nibabel.brikhead import AFNIHeader
from nibabel.filebasedimages import ImageFileError, SerializableImage
from nibabel.freesurfer.mghformat import MGHHeader
from nibabel.spatialimages import SpatialImage

from dlir_tf.errors import InputError
from dlir_tf.images.contents import Contents
from dlir_tf.images.frame import in_mm, mm_per_unit
from dlir_tf.images.headers.nibabel_claims import (
    check_claims,
    check_end,
    check_partners,
)

_AFNI_UNITS = {77001: "msec", 77002: "sec"}


def load_with_nibabel(path: Path) -> Contents:
    """Loads a file completely.

    The dtype of the file is kept, except where it states a slope or an intercept:
    then the values are float32. Units of metres or microns become mm. Of sform and
    qform the first one that is set counts, as in nibabel.

    Raises:
        InputError: If the file is damaged, incomplete or of another format.
    """
    try:
        with _quiet_nibabel():
            source, array = _load(path)
            matrix = np.asarray(source.affine, dtype=np.float64)
            zooms = np.array(source.header.get_zooms(), dtype=np.float64)
    except InputError:
        raise
    except Exception as error:  # damaged headers let nibabel raise nearly anything
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(
            f"{path}: can't be read as an image ({said}); it's damaged, incomplete or "
            "in a format other than NIfTI, MetaImage, NRRD, Analyze, MGH, PNG, TIFF, "
            "JPEG or a DICOM folder, so copy or convert it again"
        ) from error
    header = source.header
    if not isinstance(header, nib.Nifti1Header):
        if isinstance(header, nib.AnalyzeHeader):
            warnings.warn(
                f"{path}: an Analyze file doesn't say where left is; took the "
                "format's convention, the first axis from right to left",
                stacklevel=5,
            )
        step, unit = _time_elsewhere(header, zooms)
        return Contents(array, matrix, zooms, time_step=step, time_unit=unit)
    scale = mm_per_unit(header)
    zooms[:3] *= scale
    return Contents(
        array,
        in_mm(matrix, header),
        zooms,
        header,
        time_step=float(zooms[3]) if len(zooms) > 3 else 0.0,
        time_unit=_time_unit(header),
    )


def _time_elsewhere(header: Any, zooms: np.ndarray) -> tuple[float, str]:
    """Step and unit of the time of formats that state it elsewhere than NIfTI."""
    if len(zooms) < 4 or not (np.isfinite(zooms[3]) and zooms[3] > 0):
        return 0.0, "unknown"
    if isinstance(header, MGHHeader):
        return float(zooms[3]), "msec"
    if isinstance(header, AFNIHeader):
        units = header.info.get("TAXIS_NUMS", [0, 0, 0])[2]
        return float(zooms[3]), _AFNI_UNITS.get(int(units), "unknown")
    return float(zooms[3]), "unknown"


def _time_unit(header: nib.Nifti1Header) -> str:
    try:
        return str(header.get_xyzt_units()[1])
    except KeyError:  # a code that NIfTI doesn't define
        return "unknown"


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
    check_partners(path)
    image = nib.load(path, mmap=False)
    if not isinstance(image, SpatialImage):
        raise ImageFileError("no voxels on a grid in it")
    check_claims(path, image)
    compressed = path.suffix.lower() in (".gz", ".mgz")
    if not compressed or not isinstance(image, SerializableImage):
        return image, _voxels(image)
    with gzip.open(path) as stream:
        image = type(image).from_stream(stream)
        array = _voxels(image)
        check_end(image, stream)
    return image, array


def _voxels(image: SpatialImage) -> np.ndarray:
    """The voxels in native byte order; float32 where the file scales them."""
    proxy = image.dataobj
    slope, inter = getattr(proxy, "slope", 1.0), getattr(proxy, "inter", 0.0)
    if np.any(np.not_equal(slope, 1)) or np.any(np.not_equal(inter, 0)):
        return image.get_fdata(dtype=np.float32, caching="unchanged")
    array = np.asarray(proxy)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
