"""What pages of pairs and of series pack in one way: greys, labels, the grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlir_tf.images import Image
from dlir_tf.page.shrinking import Shrinking
from dlir_tf.page.volumes import Layout, window_of

# What a page may weigh, beside its code.
MAX_TEXT = 21_000_000
# Up to so many voxels, 16 bits a voxel cost nothing that counts.
DEEP_VOXELS = 2_000_000

_RANGE, _WINDOW = (0.05, 99.95), (0.5, 99.5)


@dataclass(frozen=True)
class Built:
    """What the viewer is given.

    Attributes:
        texts: Volumes by their names, each a compressed NIfTI in base64.
        data: Everything else, as JSON knows it.
        notes: What is to be said of it, a sentence each.
        measured: What was measured on the grid that is shown, by its name.
    """

    texts: Mapping[str, str]
    data: Mapping[str, Any]
    notes: tuple[str, ...]
    measured: Mapping[str, Any]

    @property
    def size(self) -> int:
        """How many characters all volumes together have."""
        return sum(map(len, self.texts.values()))


@dataclass(frozen=True)
class Codes:
    """Labels by their places in a list of all that occur, the background first."""

    names: list[int]
    arrays: dict[str, np.ndarray]


def coded(labels: Mapping[str, np.ndarray]) -> Codes:
    """Gives labels codes that are small, the same for all of a page.

    Args:
        labels: Of any shapes, by whose they are.
    """
    found = set().union(*(np.unique(array).tolist() for array in labels.values()))
    names = np.array(sorted(found | {0}, key=lambda name: (name != 0, name)))
    order = np.argsort(names)
    stored = np.uint8 if len(names) <= 256 else np.uint16
    places = {
        role: np.searchsorted(names, array, sorter=order)
        for role, array in labels.items()
    }
    arrays = {role: order[place].astype(stored) for role, place in places.items()}
    return Codes([int(name) for name in names], arrays)


def limits_of(array: np.ndarray, *, deep: bool) -> tuple[float, float]:
    """The values that are kept: all with 16 bits, most with 8."""
    if not deep:
        return window_of(array, _RANGE)
    known = array[np.isfinite(array)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return low, high if high > low else low + 1.0


def first_window(array: np.ndarray) -> tuple[float, float]:
    """Between which values an image is shown to begin with."""
    return window_of(array, _WINDOW)


def grid_data(fixed: Image, layout: Layout) -> dict[str, Any]:
    """What the viewer has to know of the grid that is shown.

    Args:
        fixed: The image whose own voxels are told.
        layout: Of the grid that is shown.
    """
    return {
        "grid": {"shape": layout.shape, "inverse": layout.inverse.tolist(),
                 "affine": layout.affine.tolist()},
        "voxel": _own_voxels(fixed, layout),
        "flat": [axis for axis in range(3) if layout.shape[axis] == 1],
    }  # fmt: skip


def _own_voxels(fixed: Image, layout: Layout) -> list[list[float]]:
    """From shown voxels to the fixed image's own, `(ndim, 4)`."""
    ndim = fixed.ndim
    to_world = layout.affine[[*range(ndim), 3]]
    return [[float(v) for v in row] for row in (fixed.grid.inverse @ to_world)[:ndim]]


def told_resolution(
    shrinking: Shrinking, bits: int, grid: str = "the fixed image's grid"
) -> str:
    """How the shown images differ from the files, in a sentence.

    Args:
        shrinking: To the grid that is shown.
        bits: A voxel has.
        grid: What the full one is.
    """
    depth = (
        "16 bits a voxel"
        if bits == 16
        else "8 bits a voxel, the brightest and darkest 0.05 % clipped"
    )
    if shrinking.is_whole:
        return f"Images are shown on {grid}, at {depth}."
    spacing = " × ".join(f"{value:.3g}" for value in shrinking.coarse.spacing)
    full = " × ".join(f"{value:.3g}" for value in shrinking.grid.spacing)
    return (
        f"Images are shown at {spacing} mm a voxel instead of {full} mm, at {depth}, "
        "so that the page stays small; the report is about the full images."
    )
