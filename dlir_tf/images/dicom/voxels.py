"""The voxels of DICOM slices, whatever way they are packed; GDCM unpacks them.

GDCM applies one slope to all frames of a file. Where frames have scales of their own,
it's given a copy of the file that states none, and no more of the header than it needs.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.dicom.frames import Scale
from dlir_tf.images.dicom.mosaic import tiles
from dlir_tf.images.dicom.plane import Plane
from dlir_tf.images.headers.dicom_elements import (
    BIG_ENDIAN,
    EXPLICIT,
    IMPLICIT,
    UNDEFINED,
    VOXELS,
)
from dlir_tf.images.headers.dicom_values import Values, open_values
from dlir_tf.images.itk_files import to_array

# Plain grey frames: "multi-frame grayscale word secondary capture".
_PLAIN_CLASS = b"1.2.840.10008.5.1.4.1.1.7.3"
_UID = b"1.2.826.0.1.3680043.2.1125.7.1"
_SHORTS = (0x0028, 0x0010), (0x0028, 0x0011), (0x0028, 0x0100), (0x0028, 0x0101)
_MORE_SHORTS = (0x0028, 0x0102), (0x0028, 0x0103)


def voxels_of(planes: Sequence[Plane], scales: Sequence[Scale]) -> np.ndarray:
    """The voxels of slices, `(i, j, slices)`, in their order.

    Of slices in colours, `(i, j, colours, slices)`.

    Args:
        planes: The slices, all of one size.
        scales: Of each, if they are frames of files; else none.

    Raises:
        RuntimeError: If GDCM can't read a file.
    """
    if scales:
        return _of_frames(planes, scales)
    if any(plane.frame >= 0 for plane in planes):
        return _of_mosaics(planes)
    return _of_files(planes)


def _of_files(planes: Sequence[Plane]) -> np.ndarray:
    """Of slices in files of their own, which GDCM rescales one by one."""
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames([plane.path for plane in planes])
    types = {plane.pixel_type for plane in planes}
    # The first slice's type would be forced on the others.
    if len(types) > 1 or types & {sitk.sitkFloat32, sitk.sitkFloat64}:
        reader.SetOutputPixelType(sitk.sitkFloat32)
    array = to_array(reader.Execute())
    return array if array.ndim == 3 else array.swapaxes(2, 3)


def _of_mosaics(planes: Sequence[Plane]) -> np.ndarray:
    files = sorted({plane.path for plane in planes})
    wholes = [planes[[p.path for p in planes].index(path)] for path in files]
    pictures = _of_files(wholes)
    count = max(plane.frame for plane in planes) + 1
    cut = {
        path: tiles(pictures[..., n], wholes[n].size, count)
        for n, path in enumerate(files)
    }
    return np.stack([cut[p.path][..., p.frame] for p in planes], axis=-1)


def _of_frames(planes: Sequence[Plane], scales: Sequence[Scale]) -> np.ndarray:
    stored = {path: _stored(Path(path)) for path in {plane.path for plane in planes}}
    raw = np.stack([stored[p.path][..., p.frame] for p in planes], axis=-1)
    slopes = np.array([scale.slope for scale in scales])
    intercepts = np.array([scale.intercept for scale in scales])
    if (slopes == 1).all() and (intercepts == 0).all():
        return raw
    alike = (slopes == slopes[0]).all() and (intercepts == intercepts[0]).all()
    whole = (slopes % 1 == 0).all() and (intercepts % 1 == 0).all()
    if not (alike and whole):
        return (raw * slopes + intercepts).astype(np.float32)
    values = raw.astype(np.int64) * int(slopes[0]) + int(intercepts[0])
    low, high = int(values.min()), int(values.max())
    for kind in (np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return values.astype(kind)
    return values.astype(np.float32)


def _stored(path: Path) -> np.ndarray:
    """What is stored for each voxel of a file, `(i, j, frames)`, without any scale."""
    import SimpleITK as sitk

    with open_values(path) as values:
        if values.syntax == BIG_ENDIAN:
            raise InputError(
                f"{path}: its frames are big-endian, which nobody writes any more; "
                "convert it to NIfTI (dcm2niix)"
            )
        plain = _plain_file(values)
    with tempfile.TemporaryDirectory(prefix="dlir-tf-") as folder:
        copy = Path(folder) / "frames.dcm"
        copy.write_bytes(plain)
        del plain
        image = sitk.ReadImage(str(copy), imageIO="GDCMImageIO")
    array = to_array(image)
    return array if array.ndim == 3 else array[..., None]


def _plain_file(values: Values) -> bytes:
    """A file with the same frames and nothing else."""
    syntax = EXPLICIT if values.syntax == IMPLICIT else values.syntax
    meta = b"".join(
        [
            _element((0x0002, 0x0001), b"OB", b"\0\1"),
            _element((0x0002, 0x0002), b"UI", _PLAIN_CLASS),
            _element((0x0002, 0x0003), b"UI", _UID),
            _element((0x0002, 0x0010), b"UI", syntax),
            _element((0x0002, 0x0012), b"UI", _UID),
        ]
    )
    shorts = [
        _element(tag, b"US", int(values.number(tag, 0)).to_bytes(2, "little"))
        for tag in (*_SHORTS, *_MORE_SHORTS)
    ]
    packed = syntax != EXPLICIT
    kind = b"OB" if packed or values.number((0x0028, 0x0100), 16) <= 8 else b"OW"
    frames = values.raw(VOXELS)
    return b"".join(
        [
            bytes(128) + b"DICM",
            _element((0x0002, 0x0000), b"UL", len(meta).to_bytes(4, "little")),
            meta,
            _element((0x0008, 0x0016), b"UI", _PLAIN_CLASS),
            _element((0x0008, 0x0018), b"UI", _UID),
            _element((0x0008, 0x0060), b"CS", b"OT"),
            _element((0x0028, 0x0002), b"US", (1).to_bytes(2, "little")),
            _element((0x0028, 0x0004), b"CS", b"MONOCHROME2"),
            _element((0x0028, 0x0008), b"IS", values.raw((0x0028, 0x0008)) or b"1 "),
            *shorts,
            _element(VOXELS, kind, frames, UNDEFINED if packed else len(frames)),
        ]
    )


def _element(
    tag: tuple[int, int], kind: bytes, value: bytes, length: int | None = None
) -> bytes:
    """An element, explicit and little-endian, padded to an even length."""
    value += (b"\0" if kind in (b"UI", b"OB") else b" ") * (len(value) % 2)
    head = tag[0].to_bytes(2, "little") + tag[1].to_bytes(2, "little") + kind
    length = len(value) if length is None else length
    if kind in (b"OB", b"OW"):
        return head + bytes(2) + length.to_bytes(4, "little") + value
    return head + length.to_bytes(2, "little") + value
