"""From images to what the viewer is given: volumes as text, and the rest as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlir_tf.images import Image
from dlir_tf.metrics import dice
from dlir_tf.metrics.similarity import similarity
from dlir_tf.page.contents import PageContents
from dlir_tf.page.deformation import coarse_field, jacobian_text
from dlir_tf.page.landmarks import landmark_rows
from dlir_tf.page.shrinking import Shrinking, shrinking_to, shrunk
from dlir_tf.page.volumes import Layout, Volume, encode, layout_of, pack, window_of
from dlir_tf.transforms import Transform

# What a page may weigh, beside its code, and what a browser opens within seconds.
MAX_TEXT = 21_000_000
MAX_VOXELS = 8_000_000
# Of that, what images may take; the rest is for labels and the Jacobian.
_SHARE_OF_GREYS = 0.9
# Up to so many voxels, 16 bits a voxel cost nothing that counts.
_DEEP_VOXELS = 2_000_000

_RANGE, _WINDOW = (0.05, 99.95), (0.5, 99.5)
ROLES = ("fixed", "moving", "moved")


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


def build(contents: PageContents, max_text: int = MAX_TEXT) -> Built:
    """Brings a pair to a resolution that fits, and packs it.

    Args:
        contents: The pair, and what became of it.
        max_text: How many characters all volumes together may have.
    """
    before, note = contents.before()
    max_voxels = float(MAX_VOXELS)
    while True:
        shrinking = shrinking_to(contents.fixed.grid, max_voxels)
        greys = _greys(contents, shrinking, before)
        volumes = _volumes(greys, layout_of(shrinking.coarse))
        size = sum(len(volume.text) for volume in volumes.values())
        if size <= _SHARE_OF_GREYS * max_text or shrinking.coarse_size == 1:
            built = _built(contents, shrinking, before, note, greys, volumes)
            size = sum(len(text) for text in built.texts.values())
            if size <= max_text or shrinking.coarse_size == 1:
                return built
        gain = min(0.9, 0.95 * _SHARE_OF_GREYS * max_text / size)
        max_voxels = shrinking.coarse_size * gain


def _built(
    contents: PageContents,
    shrinking: Shrinking,
    before: Transform,
    note: str | None,
    greys: Mapping[str, np.ndarray],
    volumes: Mapping[str, Volume],
) -> Built:
    """Everything, once the images are packed."""
    shown = shrinking.coarse
    layout = layout_of(shown)
    texts = {role: volume.text for role, volume in volumes.items()}
    data: dict[str, Any] = {
        "volumes": {
            role: {"window": volume.window, "limits": (volume.low, volume.high)}
            for role, volume in volumes.items()
        },
        "grid": {"shape": layout.shape, "inverse": layout.inverse.tolist(),
                 "affine": layout.affine.tolist()},
        "voxel": _own_voxels(contents.fixed, layout),
        "flat": [axis for axis in range(3) if layout.shape[axis] == 1],
    }  # fmt: skip
    measured: dict[str, Any] = {"similarity": _similarities(greys)}
    if contents.transform is not None:
        data["field"] = coarse_field(contents.transform, before, shown)
        field = contents.transform, contents.displacement
        texts["jacobian"] = jacobian_text(shrinking, *field)
    labels = _labels(contents, shrinking, before)
    if labels:
        codes = _coded(labels)
        data["labels"] = codes.names
        for role, array in codes.arrays.items():
            texts[f"{role}_labels"] = pack(layout.lay(array), layout.affine)
        measured["dice"] = _overlaps(labels)
    if contents.landmarks is not None:
        after = contents.transform
        data["landmarks"] = landmark_rows(contents.landmarks, before, after)
    notes = (*contents.notes, *filter(None, [note]), _resolution(shrinking, volumes))
    return Built(texts, data, notes, measured)


def _greys(
    contents: PageContents, shrinking: Shrinking, before: Transform
) -> dict[str, np.ndarray]:
    """The images on the grid that is shown, by what they are."""
    shown = shrinking.coarse
    # Means first: picking single voxels of a finer image would be noise.
    moving = contents.moving
    if not shrinking.is_whole:
        moving = shrunk(moving, max(shown.spacing))
    moving = moving.with_array(moving.array.astype(np.float32))
    outside = float(np.nanmin(moving.array))
    greys = {
        "fixed": shrinking.mean(contents.fixed.array),
        "moving": before.resample(moving, shown, fill_value=outside).array,
    }
    if contents.moved is not None:
        greys["moved"] = shrinking.mean(contents.moved.array)
    elif contents.transform is not None:
        moved = contents.transform.resample(moving, shown, fill_value=outside)
        greys["moved"] = moved.array
    return greys


def _volumes(greys: Mapping[str, np.ndarray], layout: Layout) -> dict[str, Volume]:
    """All images packed; moving and moved share one window, to be comparable."""
    deep = greys["fixed"].size <= _DEEP_VOXELS
    ranges = {
        role: _whole_range(array) if deep else window_of(array, _RANGE)
        for role, array in greys.items()
    }
    windows = {role: window_of(array, _WINDOW) for role, array in greys.items()}
    if "moved" in greys:
        windows["moved"] = windows["moving"]
        pairs = zip(ranges["moving"], ranges["moved"], strict=True)
        (low, other_low), (high, other_high) = pairs
        ranges["moving"] = ranges["moved"] = min(low, other_low), max(high, other_high)
    return {
        role: encode(
            layout.lay(array), layout.affine, ranges[role], windows[role], deep=deep
        )
        for role, array in greys.items()
    }


def _whole_range(array: np.ndarray) -> tuple[float, float]:
    known = array[np.isfinite(array)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return low, high if high > low else low + 1.0


def _labels(
    contents: PageContents, shrinking: Shrinking, before: Transform
) -> dict[str, np.ndarray]:
    """Labels on the grid that is shown, by whose they are."""
    found: dict[str, np.ndarray] = {}
    if contents.fixed_labels is not None:
        found["fixed"] = shrinking.middle(contents.fixed_labels.array)
    if contents.moving_labels is not None:
        labels: Image = contents.moving_labels
        carriers = {"moving": before, "moved": contents.transform}
        for role, carrier in carriers.items():
            if carrier is not None:
                found[role] = carrier.resample(
                    labels, shrinking.coarse, interpolation="nearest"
                ).array
    return found


@dataclass(frozen=True)
class _Codes:
    """Labels by their places in a list of all that occur, the background first."""

    names: list[int]
    arrays: dict[str, np.ndarray]


def _coded(labels: Mapping[str, np.ndarray]) -> _Codes:
    found = set().union(*(np.unique(array).tolist() for array in labels.values()))
    names = np.array(sorted(found | {0}, key=lambda name: (name != 0, name)))
    order = np.argsort(names)
    stored = np.uint8 if len(names) <= 256 else np.uint16
    places = {
        role: np.searchsorted(names, array, sorter=order)
        for role, array in labels.items()
    }
    arrays = {role: order[place].astype(stored) for role, place in places.items()}
    return _Codes([int(name) for name in names], arrays)


def _overlaps(labels: Mapping[str, np.ndarray]) -> dict[str, dict[int, float]]:
    """Dice of each structure before and after, where both images have labels."""
    if "fixed" not in labels:
        return {}
    others = {role: labels[role] for role in ("moving", "moved") if role in labels}
    return {role: dice(labels["fixed"], other) for role, other in others.items()}


def _similarities(greys: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Cross-correlation with the fixed image, before and after."""
    scaled = {role: np.nan_to_num(array) for role, array in greys.items()}
    return {
        role: similarity("ncc", scaled["fixed"], scaled[role])
        for role in ("moving", "moved")
        if role in greys
    }


def _own_voxels(fixed: Image, layout: Layout) -> list[list[float]]:
    """From shown voxels to the fixed image's own, `(ndim, 4)`."""
    ndim = fixed.ndim
    to_world = layout.affine[[*range(ndim), 3]]
    return [[float(v) for v in row] for row in (fixed.grid.inverse @ to_world)[:ndim]]


def _resolution(shrinking: Shrinking, volumes: Mapping[str, Volume]) -> str:
    """How the shown images differ from the files, in a sentence."""
    bits = volumes["fixed"].bits
    depth = (
        "16 bits a voxel"
        if bits == 16
        else "8 bits a voxel, the brightest and darkest 0.05 % clipped"
    )
    if shrinking.is_whole:
        return f"Images are shown on the fixed image's grid, at {depth}."
    spacing = " × ".join(f"{value:.3g}" for value in shrinking.coarse.spacing)
    full = " × ".join(f"{value:.3g}" for value in shrinking.grid.spacing)
    return (
        f"Images are shown at {spacing} mm a voxel instead of {full} mm, at {depth}, "
        "so that the page stays small; the report is about the full images."
    )
