"""How large the pixels of a picture are, in mm.

TIFF states pixels per inch or cm, JPEG too (in its JFIF header), and ITK reads both.
PNG states pixels per metre (`pHYs`), which ITK doesn't read: it writes and reads a
chunk of its own for the size itself (`sCAL`, in mm). That counts where it's there, as
then both agree; `pHYs` alone is taken with a word, because ITK takes 1 mm there. So is
what a JPEG file says in EXIF alone.
Where a file states nothing, pixels of 1 mm are taken, with a word.
"""

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np

# PNG: width and height of a pixel as text. 1 is the unit, a metre by the format; ITK
# writes mm.
SCALE_CHUNK, _SCALE_UNIT = b"sCAL", b"\x01"
MM_PER_INCH = 25.4
_TIFF_X, _TIFF_Y, _TIFF_UNIT = 282, 283, 296
_MM_PER_TIFF_UNIT = {2: MM_PER_INCH, 3: 10.0}
_MM_PER_JPEG_UNIT = {1: MM_PER_INCH, 2: 10.0}


def spacing_of(path: Path, picture: Any) -> tuple[float, float]:
    """Width and height of a pixel, by the rules of this module.

    Args:
        path: The file.
        picture: As Pillow has opened it.
    """
    per_mm = _STATED[picture.format](path, picture)
    if per_mm is not None and np.isfinite(per_mm).all() and min(per_mm) > 0:
        return 1 / per_mm[0], 1 / per_mm[1]
    return unstated(path)


def unstated(path: Path) -> tuple[float, float]:
    """The size of a pixel that is taken where a file states none, with a word."""
    warnings.warn(
        f"{path}: states no resolution; its pixels were taken for 1 mm wide and high",
        stacklevel=8,
    )
    return 1.0, 1.0


def _of_png(path: Path, picture: Any) -> tuple[float, float] | None:
    """In pixels per mm, as for the others."""
    scale = _scale_chunk(path)
    if scale is not None:
        return scale
    dpi = picture.info.get("dpi")
    if dpi is None or min(dpi) <= 0:
        return None
    return _not_for_itk(path, (dpi[0] / MM_PER_INCH, dpi[1] / MM_PER_INCH), "pHYs")


def _not_for_itk(
    path: Path, per_mm: tuple[float, float], stated_by: str
) -> tuple[float, float]:
    """The same, with a word on that ITK doesn't read it."""
    warnings.warn(
        f"{path}: {1 / per_mm[0]:.4g} mm was taken as the width of a pixel, as "
        f"its resolution says ({stated_by}); ITK doesn't read that and takes 1 mm, so "
        "set the spacing there before a transform of this picture is applied",
        stacklevel=9,
    )
    return per_mm


def _scale_chunk(path: Path) -> tuple[float, float] | None:
    """ITK's chunk of a PNG file, which comes before its pixels."""
    with path.open("rb") as stream:
        stream.seek(8)
        while len(head := stream.read(8)) == 8:
            size, kind = struct.unpack(">I4s", head)
            if kind == b"IDAT":
                break
            if kind != SCALE_CHUNK:
                stream.seek(size + 4, 1)
                continue
            try:
                width, height = map(float, stream.read(min(size, 99))[1:].split(b"\0"))
                return 1 / width, 1 / height
            except (ValueError, ZeroDivisionError):
                break
    return None


def _of_tiff(path: Path, picture: Any) -> tuple[float, float] | None:
    return _of_tags(picture.tag_v2)


def _of_tags(tags: Any) -> tuple[float, float] | None:
    """What the tags of a TIFF file say, or EXIF, which has the same."""
    unit = _MM_PER_TIFF_UNIT.get(tags.get(_TIFF_UNIT, 2))  # inches, unless it says so
    if unit is None or _TIFF_X not in tags or _TIFF_Y not in tags:
        return None
    return float(tags[_TIFF_X]) / unit, float(tags[_TIFF_Y]) / unit


def _of_jpeg(path: Path, picture: Any) -> tuple[float, float] | None:
    # Of the JFIF header; Pillow's `dpi` may come from EXIF, which ITK doesn't read.
    unit = _MM_PER_JPEG_UNIT.get(picture.info.get("jfif_unit", 0))
    if unit is None:
        per_mm = _of_tags(picture.getexif())
        if per_mm is None or not (np.isfinite(per_mm).all() and min(per_mm) > 0):
            return None
        return _not_for_itk(path, per_mm, "EXIF")
    along, down = picture.info["jfif_density"]
    return along / unit, down / unit


_STATED = {"PNG": _of_png, "TIFF": _of_tiff, "JPEG": _of_jpeg}


def scale_chunk(spacing: tuple[float, float]) -> bytes:
    """What ITK's chunk of a PNG file says of a pixel's width and height, in mm."""
    return _SCALE_UNIT + b"\0".join(f"{size:.9g}".encode() for size in spacing)


def jpeg_density(spacing: tuple[float, float]) -> tuple[int, tuple[int, int], float]:
    """The unit and the whole numbers of a JFIF header that come nearest to a spacing.

    Args:
        spacing: Width and height of a pixel, in mm.

    Returns:
        1 for pixels per inch or 2 per cm; how many, along a row and down; and how far
        they are off at most, as a share.
    """
    found = []
    for unit, size in _MM_PER_JPEG_UNIT.items():
        exact = size / np.asarray(spacing)
        whole = np.clip(np.rint(exact), 1, 65535)
        off = float(np.abs(whole / exact - 1).max())
        found.append((off, unit, (int(whole[0]), int(whole[1]))))
    off, unit, density = min(found)
    return unit, density, off
