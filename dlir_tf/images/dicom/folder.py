"""Which files of a folder make its one DICOM series, or the one that was chosen."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlir_tf.errors import InputError, counted
from dlir_tf.files import name_for_itk
from dlir_tf.files.plain import what_is_wrong
from dlir_tf.images.dicom.objects import named_object, refusal, storage_of
from dlir_tf.images.headers.dicom_elements import check_elements

_DESCRIPTION, _NUMBER, _FRAMES = "0008|103e", "0020|0011", "0028|0008"


@dataclass(frozen=True)
class _Series:
    """What a folder holds of one series.

    Attributes:
        uid: Of the series.
        files: In no certain order.
        number: The scanner's; empty if it isn't stated.
        described: What it is and how large.
    """

    uid: str
    files: tuple[str, ...]
    number: str
    described: str


def only_series(folder: Path, choice: str = "") -> tuple[str, ...]:
    """The files of one series of images in a folder, in no certain order.

    Args:
        folder: The folder.
        choice: The number that the series is listed with, or its UID; empty if there
            should be one only.

    Raises:
        InputError: If there is none or are several, if none of them was meant, or if a
            file can't be read.
    """
    import SimpleITK as sitk

    others = _check_files(folder)
    listed = sitk.ImageSeriesReader.GetGDCMSeriesIDs(name_for_itk(folder))
    files: dict[str, tuple[str, ...]] = {}
    for uid in listed:
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        files[uid] = tuple(name for name in names if Path(name).name not in others)
    files = {uid: names for uid, names in files.items() if names}
    images = {Path(name).name for names in files.values() for name in names}
    _check_none_is_damaged(folder, images, set(others))
    if not files:
        raise _no_series(folder, others)
    if len(files) == 1 and not choice:
        return next(iter(files.values()))
    series = [_look_at(uid, names) for uid, names in files.items()]
    return _chosen(folder, series, choice).files


def _chosen(folder: Path, series: list[_Series], choice: str) -> _Series:
    """The series that was meant, by number or UID."""
    numbers = [one.number for one in series]
    if "" in numbers or len(set(numbers)) < len(series):
        series = sorted(series, key=lambda one: one.uid)
        numbers = [str(n) for n in range(1, len(series) + 1)]
    else:
        series = sorted(series, key=lambda one: int(one.number))
        numbers = [one.number for one in series]
    for number, one in zip(numbers, series, strict=True):
        if choice in (number, one.uid):
            return one
    described = ", ".join(
        f"#{number} {one.described}"
        for number, one in zip(numbers, series, strict=True)
    )
    cure = f"choose one by its number or UID, as in {folder}#{numbers[0]} or --series"
    if choice:
        raise InputError(f"{folder}: there's no series {choice} in it, but {described}")
    raise InputError(
        f"{folder}: the folder must hold one DICOM series, but holds {len(series)}: "
        f"{described}; {cure} {numbers[0]}"
    )


def _look_at(uid: str, names: tuple[str, ...]) -> _Series:
    header = read_header(names[0])
    text = tag_of(header, _DESCRIPTION) or "no description"
    size = " x ".join(map(str, header.GetSize()[:2]))
    frames = tag_of(header, _FRAMES)
    many = f" x {frames}" if frames not in ("", "1") else ""
    files = counted(len(names), "file", "files")
    number = tag_of(header, _NUMBER)
    return _Series(
        uid,
        names,
        str(int(number)) if number.isdecimal() else "",
        f"({text}, {files} of {size}{many}, UID {uid})",
    )


def _no_series(folder: Path, others: dict[str, tuple[str, str]]) -> InputError:
    """The error of a folder without images; what else is in it may be what's meant."""
    if others:
        return refusal(folder, next(iter(others.values())))
    inside = any(entry.is_dir() for entry in folder.iterdir())
    hint = "; folders inside it aren't searched, so give one of those" * inside
    return InputError(
        f"{folder}: a folder must hold a DICOM series, but there is no DICOM image "
        f"in it{hint or '; give the path of an image or of another folder'}"
    )


def _check_files(folder: Path) -> dict[str, tuple[str, str]]:
    """Looks at all files before GDCM does, which opens whatever is in the folder.

    Returns:
        What is DICOM, but no image, by the names of the files.
    """
    wrong = what_is_wrong(folder)
    if wrong != "is a folder":
        raise InputError(f"{folder}: {wrong}; give a folder that can be read")
    damaged, others = [], {}
    for path in sorted(folder.iterdir()):
        wrong = what_is_wrong(path)
        if wrong and wrong != "is a folder":
            raise InputError(
                f"{folder}: a folder of DICOM files must hold plain files only, but "
                f"{path.name} in it {wrong}; move it elsewhere"
            )
        if wrong or not begins_as_dicom(path):
            continue
        try:
            check_elements(path)
            said = named_object(storage_of(path))
        except (ValueError, OSError) as error:
            damaged.append((path.name, str(error)))
            continue
        if said is not None:
            others[path.name] = said
    if damaged:
        raise _damaged(folder, damaged)
    return others


def begins_as_dicom(path: Path) -> bool:
    """By the mark that files have, or by the group that others begin with."""
    with path.open("rb") as stream:
        start = stream.read(132)
    return start[128:] == b"DICM" or start[:4] in (b"\x08\0\0\0", b"\x08\0\x05\0")


def _check_none_is_damaged(folder: Path, images: set[str], others: set[str]) -> None:
    """GDCM passes over files that it can't read, which might be the last slices.

    Whatever is called like the images, but for its number, should be one.
    """
    alike = {_without_numbers(name) for name in images}
    damaged = []
    for path in sorted(folder.iterdir()):
        if path.name in images | others:
            continue
        if not path.is_file():
            if _without_numbers(path.name) in alike and path.suffix:
                damaged.append((path.name, "it's a folder"))
            continue
        if begins_as_dicom(path):
            damaged.append((path.name, "it isn't an image"))
        elif _without_numbers(path.name) in alike:
            damaged.append((path.name, "it isn't a DICOM file"))
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
    reader.SetFileName(name_for_itk(name))
    reader.ReadImageInformation()
    return reader


def tag_of(header: Any, key: str) -> str:
    """The value of a tag, `"group|element"`; empty if the file doesn't have it."""
    return str(header.GetMetaData(key)).strip() if header.HasMetaDataKey(key) else ""
