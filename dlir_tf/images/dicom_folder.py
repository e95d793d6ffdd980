"""Which files of a folder make its one DICOM series."""

from pathlib import Path
from typing import Any

from dlir_tf.errors import InputError

_DESCRIPTION = "0008|103e"
# Storage classes of what lies beside images: directories, reports, contours, curves.
_CLASS = "1.2.840.10008.5.1.4.1.1."
_NO_IMAGES = (
    "1.2.840.10008.1.3.10",
    *(_CLASS + kind for kind in ("88.", "481.", "104.", "66", "67", "11.", "9.")),
)


def only_series(folder: Path) -> tuple[str, ...]:
    """The files of the one series of images in a folder, in no certain order.

    Raises:
        InputError: If there is none or are several, or if a file can't be read.
    """
    import SimpleITK as sitk

    listed = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    series = {
        uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        for uid in listed
    }
    _check_none_is_damaged(folder, {Path(n).name for s in series.values() for n in s})
    if not series:
        inside = any(entry.is_dir() for entry in folder.iterdir())
        hint = "; folders inside it aren't searched, so give one of those" * inside
        raise InputError(
            f"{folder}: a folder must hold a DICOM series, but there is no DICOM image "
            f"in it{hint or '; give the path of an image or of another folder'}"
        )
    if len(series) > 1:
        described = [_describe(uid, names) for uid, names in series.items()]
        raise InputError(
            f"{folder}: the folder must hold one DICOM series, but holds "
            f"{len(series)}: {', '.join(described)}; move the one that is meant into "
            "its own folder"
        )
    return next(iter(series.values()))


def _describe(uid: str, names: tuple[str, ...]) -> str:
    text = tag_of(read_header(names[0]), _DESCRIPTION) or "no description"
    return f"{uid} ({text}, {len(names)} file{'s' * (len(names) > 1)})"


def _check_none_is_damaged(folder: Path, images: set[str]) -> None:
    """GDCM passes over files that it can't read, which might be the last slices."""
    damaged = []
    for path in sorted(folder.iterdir()):
        if path.name in images or not path.is_file():
            continue
        with path.open("rb") as stream:
            start = stream.read(2048)
        if start[128:132] != b"DICM":
            continue
        _, _, rest = start.partition(b"\x02\x00\x02\x00UI")
        storage = rest[2 : 2 + int.from_bytes(rest[:2], "little")].decode("latin-1")
        if not storage.startswith(_NO_IMAGES):
            damaged.append(path.name)
    if damaged:
        raise InputError(
            f"{folder}: {len(damaged)} of its DICOM files can't be read, such as "
            f"{damaged[0]}; copy the series again"
        )


def read_header(name: str) -> Any:
    """An ITK reader that has read what a file says, though not its voxels."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(name)
    reader.ReadImageInformation()
    return reader


def tag_of(header: Any, key: str) -> str:
    """The value of a tag, `"group|element"`; empty if the file doesn't have it."""
    return str(header.GetMetaData(key)).strip() if header.HasMetaDataKey(key) else ""
