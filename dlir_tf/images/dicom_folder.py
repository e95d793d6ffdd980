"""Which files of a folder make its one DICOM series."""

import re
from pathlib import Path
from typing import Any

from dlir_tf.errors import InputError
from dlir_tf.files.plain import what_is_wrong
from dlir_tf.images.headers.dicom_elements import check_elements

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

    _check_files(folder)
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


def _check_files(folder: Path) -> None:
    """Looks at all files before GDCM does, which opens whatever is in the folder."""
    wrong = what_is_wrong(folder)
    if wrong != "is a folder":
        raise InputError(f"{folder}: {wrong}; give a folder that can be read")
    damaged = []
    for path in sorted(folder.iterdir()):
        wrong = what_is_wrong(path)
        if wrong and wrong != "is a folder":
            raise InputError(
                f"{folder}: a folder of DICOM files must hold plain files only, but "
                f"{path.name} in it {wrong}; move it elsewhere"
            )
        if wrong or not _begins_as_dicom(path):
            continue
        try:
            check_elements(path)
        except (ValueError, OSError) as error:
            damaged.append((path.name, str(error)))
    if damaged:
        raise _damaged(folder, damaged)


def _begins_as_dicom(path: Path) -> bool:
    """By the mark that files have, or by the group that others begin with."""
    with path.open("rb") as stream:
        start = stream.read(132)
    return start[128:] == b"DICM" or start[:4] in (b"\x08\0\0\0", b"\x08\0\x05\0")


def _check_none_is_damaged(folder: Path, images: set[str]) -> None:
    """GDCM passes over files that it can't read, which might be the last slices.

    Whatever is called like the images, but for its number, should be one.
    """
    alike = {_without_numbers(name) for name in images}
    damaged = []
    for path in sorted(folder.iterdir()):
        if path.name in images:
            continue
        if not path.is_file():
            if _without_numbers(path.name) in alike and path.suffix:
                damaged.append((path.name, "it's a folder"))
            continue
        with path.open("rb") as stream:
            start = stream.read(2048)
        if start[128:132] != b"DICM":
            if _without_numbers(path.name) in alike:
                damaged.append((path.name, "it isn't a DICOM file"))
            continue
        _, _, rest = start.partition(b"\x02\x00\x02\x00UI")
        storage = rest[2 : 2 + int.from_bytes(rest[:2], "little")].decode("latin-1")
        if not storage.startswith(_NO_IMAGES):
            damaged.append((path.name, "it isn't an image"))
    if damaged:
        raise _damaged(folder, damaged)


def _without_numbers(name: str) -> str:
    return re.sub(r"\d+", "#", name.lower())


def _damaged(folder: Path, files: list[tuple[str, str]]) -> InputError:
    name, problem = files[0]
    return InputError(
        f"{folder}: {len(files)} of its DICOM files can't be read, such as {name}; "
        f"copy the series again ({problem})"
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
