"""Transparency that a PNG file states by one grey value or colour (`tRNS`).

Pillow tells the value and leaves the pixels as they are; ITK adds a channel with the
opacity, and so is done here, since a result has no such value any more: interpolated
pixels aren't it.
"""

from pathlib import Path
from typing import Any

import numpy as np


def depth_of(path: Path, picture: Any) -> int:
    """How many bits each number of a PNG file has; 8 for other files."""
    if picture.format != "PNG":
        return 8
    with path.open("rb") as stream:  # after the width and the height
        return stream.read(25)[-1]


def clear_value(picture: Any) -> np.ndarray | None:
    """The grey value or colour, as it's stored, that is transparent; or none."""
    if picture.format != "PNG" or picture.mode not in ("1", "L", "I;16", "RGB"):
        return None
    value = picture.info.get("transparency")
    return None if value is None else np.asarray(value)


def with_opacity(array: np.ndarray, clear: np.ndarray | None, depth: int) -> np.ndarray:
    """Adds a channel that is 0 where pixels have the value that is transparent.

    Args:
        array: `(rows, columns)` or `(rows, columns, channels)`, of 8 or 16 bits.
        clear: From `clear_value`.
        depth: From `depth_of`; Pillow spreads fewer bits than 8 over these.

    Returns:
        The pixels with the opacity as another channel, or as they are.
    """
    if clear is None:
        return array
    most = np.iinfo(array.dtype).max
    if depth < 8:
        clear = clear * (most // (2**depth - 1))
    seen = array[..., None] if array.ndim == 2 else array
    opacity = np.where((seen == clear).all(axis=-1, keepdims=True), 0, most)
    return np.concatenate([seen, opacity.astype(array.dtype)], axis=-1)
