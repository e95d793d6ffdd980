"""From a series to what the viewer is given: frames one behind the other."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from dlir_tf.images import Image
from dlir_tf.page.deformation import (
    NUM_LINES,
    coarse_field,
    jacobian_steps,
    nodes_of,
    pack_jacobian,
)
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
from dlir_tf.page.series.contents import SeriesContents
from dlir_tf.page.series.curves import curves_of
from dlir_tf.page.series.landmarks import landmark_data
from dlir_tf.page.shrinking import Shrinking, shrinking_to
from dlir_tf.page.volumes import Layout, Volume, encode, layout_of, pack
from dlir_tf.transforms import Affine, Transform

# Of all frames together; more would take a browser's memory.
_MAX_VOXELS = 40_000_000
# Displacements of all frames together: a tenth of the page.
_MAX_NODES = 200_000
_FEWEST_LINES = 6
# Up to so many voxels a frame, folds are looked for on the reference's own grid.
_MAX_FINE_VOXELS = 8_000_000


def build_series(contents: SeriesContents, max_text: int = MAX_TEXT) -> Built:
    """Brings a series to a resolution that fits, and packs it.

    Args:
        contents: The series, and what became of it.
        max_text: How many characters all volumes together may have.
    """
    grid, count = contents.reference.grid, len(contents.frames)
    max_voxels = _MAX_VOXELS / count
    while True:
        shrinking = shrinking_to(grid, max_voxels)
        last = shrinking.coarse_size == 1
        volumes = _greys(contents, shrinking)
        size = sum(len(volume.text) for volume in volumes.values())
        if size <= max_text or last:
            built = _built(contents, shrinking, volumes)
            size = built.size
            if size <= max_text or last:
                return built
        max_voxels = shrinking.coarse_size * min(0.9, 0.95 * max_text / size)


def _greys(contents: SeriesContents, shrinking: Shrinking) -> dict[str, Volume]:
    """The images packed; all share one window, to be comparable."""
    layout = layout_of(shrinking.coarse)
    laid = {
        "fixed": layout.lay(shrinking.mean(contents.reference.array)),
        "moving": _stacked(layout, map(shrinking.mean, _arrays(contents.frames))),
        "moved": _stacked(layout, map(shrinking.mean, _arrays(contents.corrected))),
    }
    deep = laid["moving"].size <= DEEP_VOXELS
    limits = limits_of(laid["moving"], deep=deep)
    if deep:  # a mean or a fill value may lie beyond
        others = [limits_of(array, deep=True) for array in laid.values()]
        limits = min(low for low, _ in others), max(high for _, high in others)
    window = first_window(laid["moving"])
    return {
        role: encode(array, layout.affine, limits, window, deep=deep)
        for role, array in laid.items()
    }


def _built(
    contents: SeriesContents, shrinking: Shrinking, volumes: dict[str, Volume]
) -> Built:
    """Everything, once the images are packed."""
    layout = layout_of(shrinking.coarse)
    texts = {role: volume.text for role, volume in volumes.items()}
    data: dict[str, Any] = {
        "volumes": {
            role: {"window": volume.window, "limits": (volume.low, volume.high)}
            for role, volume in volumes.items()
        },
        **grid_data(contents.reference, layout),
        "frames": {
            "count": len(contents.frames),
            "first": _most_telling(contents),
            "seconds": contents.seconds,
        },
        "curves": [curve.data for curve in curves_of(contents)],
    }
    data["field"], texts["jacobian"] = _deformations(contents, shrinking)
    labels = _labels(contents, shrinking, layout)
    if labels:
        codes = coded(labels)
        data["labels"] = codes.names
        data["start"] = _middle(labels["fixed"])
        for role, array in codes.arrays.items():
            texts[f"{role}_labels"] = pack(array, layout.affine)
    if (landmarks := landmark_data(contents)) is not None:
        data["landmarks"] = landmarks
    bits = volumes["fixed"].bits
    told = told_resolution(shrinking, bits, "the grid of the frames")
    return Built(texts, data, (*contents.notes, told), {})


def _deformations(
    contents: SeriesContents, shrinking: Shrinking
) -> tuple[dict[str, Any], str]:
    """Displacements of all frames as the viewer draws them, and the Jacobians."""
    ndim, shown = contents.reference.ndim, shrinking.coarse
    still = Transform((Affine(np.eye(ndim + 1)),))
    spread = _nodes(shown, len(contents.transforms))
    fields, steps = [], []
    fine = contents.reference.array.size <= _MAX_FINE_VOXELS
    for transform in contents.transforms:
        fields.append(coarse_field(transform, still, spread))
        whole = transform.displacement(contents.reference) if fine else None
        steps.append(jacobian_steps(shrinking, transform, whole))
    alike = {name: fields[0][name] for name in ("shape", "steps", "first")}
    told = {
        **alike,
        "largest": max(field["largest"] for field in fields),
        "frames": [{name: field[name] for name in ("scale", "data")}
                   for field in fields],
    }  # fmt: skip
    stacked = np.stack(steps, axis=-1)
    return told, pack_jacobian(stacked, layout_of(shown).affine)


def _nodes(shown: Any, count: int) -> Shrinking:
    """The nodes of a frame, fewer the more frames there are."""
    lines = NUM_LINES
    while lines > _FEWEST_LINES:
        spread = nodes_of(shown, lines)
        if spread.coarse_size * count <= _MAX_NODES:
            return spread
        lines -= 2
    return nodes_of(shown, _FEWEST_LINES)


def _labels(
    contents: SeriesContents, shrinking: Shrinking, layout: Layout
) -> dict[str, np.ndarray]:
    """Labels as laid out: of the reference, and of all frames as they were."""
    if contents.labels is None or contents.reference_labels is None:
        return {}
    return {
        "fixed": layout.lay(shrinking.middle(contents.reference_labels.array)),
        "moving": _stacked(layout, map(shrinking.middle, _arrays(contents.labels))),
    }


def _most_telling(contents: SeriesContents) -> int:
    """The frame that is least like the reference, where a page begins."""
    texts = [row.get("similarity_before") or "nan" for row in contents.outcomes]
    known = np.array([float(text) for text in texts])
    if len(known) != len(contents.frames) or np.isnan(known).all():
        return 0
    return int(np.nanargmin(known))


def _middle(labels: np.ndarray) -> list[float] | None:
    """The middle of the box around labels, in shown voxels."""
    places = np.argwhere(labels)
    if not len(places):
        return None
    return [float(v) for v in (places.min(axis=0) + places.max(axis=0)) / 2]


def _arrays(frames: Sequence[Image]) -> Iterable[np.ndarray]:
    return (frame.array for frame in frames)


def _stacked(layout: Layout, arrays: Iterable[np.ndarray]) -> np.ndarray:
    """Frames as laid out, `(x, y, z, frame)`."""
    return np.stack([layout.lay(array) for array in arrays], axis=-1)
