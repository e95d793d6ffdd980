"""From images to what the viewer is given: volumes as text, and the rest as JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlir_tf.images import Image
from dlir_tf.metrics import dice
from dlir_tf.metrics.similarity import similarity
from dlir_tf.page.contents import PageContents
from dlir_tf.page.deformation import coarse_field, jacobian_text, nodes_of
from dlir_tf.page.landmarks import landmark_rows
from dlir_tf.page.packing import (
    DEEP_VOXELS,
    MAX_TEXT,
    Built,
    coded,
    first_window,
    grid_data,
    limits_of,
    told_resolution,
)
from dlir_tf.page.shrinking import Shrinking, shrinking_to, shrunk
from dlir_tf.page.volumes import Layout, Volume, encode, layout_of, pack
from dlir_tf.transforms import Transform

# What a browser opens within seconds.
MAX_VOXELS = 8_000_000
# Of a page, what images may take; the rest is for labels and the Jacobian.
_SHARE_OF_GREYS = 0.9

ROLES = ("fixed", "moving", "moved")


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
            size = built.size
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
        **grid_data(contents.fixed, layout),
    }
    measured: dict[str, Any] = {"similarity": _similarities(greys)}
    if contents.transform is not None:
        data["field"] = coarse_field(contents.transform, before, nodes_of(shown))
        field = contents.transform, contents.displacement
        texts["jacobian"] = jacobian_text(shrinking, *field)
    labels = _labels(contents, shrinking, before)
    if labels:
        codes = coded(labels)
        data["labels"] = codes.names
        for role, array in codes.arrays.items():
            texts[f"{role}_labels"] = pack(layout.lay(array), layout.affine)
        measured["dice"] = _overlaps(labels)
    if contents.landmarks is not None:
        after = contents.transform
        data["landmarks"] = landmark_rows(contents.landmarks, before, after)
    told = told_resolution(shrinking, volumes["fixed"].bits)
    notes = (*contents.notes, *filter(None, [note]), told)
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
    deep = greys["fixed"].size <= DEEP_VOXELS
    ranges = {role: limits_of(array, deep=deep) for role, array in greys.items()}
    windows = {role: first_window(array) for role, array in greys.items()}
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
