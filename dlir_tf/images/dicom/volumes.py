"""Which slices of a series make a volume, and in which order its volumes come.

Where several slices lie in one place, something must tell them apart: their place in
time, the time after the heartbeat, the b-value, the echo. The number of the image
decides where nothing else does. Slices that are the same count once.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError, counted
from dlir_tf.images.dicom.plane import Plane

# Of positions that are the same but for rounding: mm, and of the slice's thickness.
_SAME_PLACE, _SHARE_OF_SLICE = 1e-3, 0.002
# In this order. The volumes of the first have the same values in all places; times
# may be other ones in each.
_SAME_EVERYWHERE = (
    "temporal position",
    "b-value",
    "echo time",
    "place along its dimensions",
)
_TIMES = ("trigger time", "time offset")
# What differs between copies of one slice, too.
_WEAK = ("acquisition number", "acquisition time", "instance number")


@dataclass(frozen=True)
class Volumes:
    """How slices make volumes.

    Attributes:
        order: `(volumes, slices)`: which slice, of those that were given.
        step: Time between two volumes, in `unit`; 0 if it isn't known.
        unit: `"sec"`, `"msec"` or `"unknown"`.
    """

    order: np.ndarray
    step: float = 0.0
    unit: str = "unknown"


def in_volumes(place: Path, planes: Sequence[Plane], voxels: np.ndarray) -> Volumes:
    """Puts the slices of a series into volumes; says so where it's more than one.

    Args:
        place: The folder or file, for messages.
        planes: The slices.
        voxels: Theirs, slices along the last axis.

    Raises:
        InputError: If nothing tells slices in one place apart, or some are missing.
    """
    groups = _by_place(planes)
    if max(map(len, groups)) == 1:
        return Volumes(np.array(groups).T)
    _check_kinds(place, planes, groups)
    told = (*_SAME_EVERYWHERE, *_TIMES)
    groups = _without_copies(place, groups, planes, voxels, told)
    if max(map(len, groups)) == 1:
        return Volumes(np.array(groups).T)
    key = _telling_apart(planes, groups, (*told, *_WEAK))
    if key is None:
        raise _mixed(place, groups, "files" if planes[0].frame < 0 else "frames")
    if key in _WEAK:
        _check_echoes(place, planes, groups)
    ordered = [sorted(g, key=lambda n: planes[n].keys[key]) for g in groups]
    warnings.warn(
        f"{place}: the series holds {len(ordered[0])} volumes of "
        f"{counted(len(groups), 'slice', 'slices')} each; they are ordered by {key}",
        stacklevel=4,
    )
    order = np.array(ordered).T
    if key in ("b-value", "echo time"):
        return Volumes(order)
    return Volumes(order, *_step([planes[n] for n in order[:, 0]]))


def _by_place(planes: Sequence[Plane]) -> list[list[int]]:
    """The slices of each place, along the normal."""
    along = np.array([plane.position @ planes[0].axes[:, 2] for plane in planes])
    order = np.argsort(along, kind="stable")
    apart = max(_SAME_PLACE, _SHARE_OF_SLICE * planes[0].thickness)
    starts = np.flatnonzero(np.diff(along[order]) > apart) + 1
    return [group.tolist() for group in np.split(order, starts)]


def _check_kinds(place: Path, planes: Sequence[Plane], groups: list[list[int]]) -> None:
    """Magnitude and phase, water and fat are no volumes in time."""
    for group in groups:
        kinds = sorted({planes[n].kind for n in group} - {""})
        if len(kinds) > 1:
            raise InputError(
                f"{place}: a series must hold images of one kind, but holds "
                f"{', '.join(kinds)} (magnitude, phase, water, fat and the like) in "
                "one place; separate them (dcm2niix does)"
            )


def _check_echoes(
    place: Path, planes: Sequence[Plane], groups: list[list[int]]
) -> None:
    """Echoes at several times have two orders, of which a 4-d image has one."""
    echoes = {planes[n].keys.get("echo time", ()) for group in groups for n in group}
    if len(echoes) > 1:
        times = ", ".join(f"{echo[0]:g}" for echo in sorted(filter(None, echoes)))
        raise InputError(
            f"{place}: a series must hold volumes of one echo, or one volume of each, "
            f"but holds several of {times} ms; separate them (dcm2niix does)"
        )


def _without_copies(
    place: Path,
    groups: list[list[int]],
    planes: Sequence[Plane],
    voxels: np.ndarray,
    names: tuple[str, ...],
) -> list[list[int]]:
    """Leaves out slices that are there already, if the rest then makes sense.

    The same in their place are those with the same voxels, where also what `names`
    says of them is the same. Of volumes in time, some slices may well be alike, as
    those beyond the patient.
    """
    if _telling_apart(planes, groups, names):
        return groups
    kept = []
    for group in groups:
        chosen: list[int] = []
        for number in group:
            said = [planes[number].keys.get(name) for name in names]
            if not any(
                said == [planes[other].keys.get(name) for name in names]
                and np.array_equal(voxels[..., number], voxels[..., other])
                for other in chosen
            ):
                chosen.append(number)
        kept.append(chosen)
    uneven = len(set(map(len, groups))) > 1
    single = max(map(len, kept)) == 1
    if not (single or uneven or _telling_apart(planes, kept, names)):
        return groups
    before, after = sum(map(len, groups)), sum(map(len, kept))
    gone = before - after
    if gone:
        warnings.warn(
            f"{place}: "
            + counted(gone, f"of {before} slices is", f"of {before} slices are")
            + " there twice, with the same voxels in the same place; each counts once",
            stacklevel=5,
        )
    return kept


def _telling_apart(
    planes: Sequence[Plane], groups: list[list[int]], names: tuple[str, ...]
) -> str | None:
    """What has another value for every slice in a place, in all places."""
    if len(set(map(len, groups))) > 1 or len(groups[0]) < 2:
        return None
    for name in names:
        values = [[planes[n].keys.get(name) for n in group] for group in groups]
        if any(None in found or len(set(found)) < len(found) for found in values):
            continue
        if name in _SAME_EVERYWHERE and len({frozenset(v) for v in values}) > 1:
            continue
        return name
    return None


def _mixed(place: Path, groups: list[list[int]], what: str) -> InputError:
    counts = sorted(set(map(len, groups)))
    total, double = sum(map(len, groups)), sum(len(g) - 1 for g in groups)
    if len(counts) > 1:
        problem = (
            f"some places have {counts[0]} and others {counts[-1]} (several volumes, "
            "of which slices are missing, or images of other kinds)"
        )
    else:
        problem = "the series holds several volumes (times, echoes) that nothing in it"
        problem += " tells apart"
    return InputError(
        f"{place}: each slice must have its own place, but {double} of {total} {what} "
        f"lie where another does; {problem}, so separate them"
    )


def _step(first: list[Plane]) -> tuple[float, str]:
    """The time between volumes, by the slices of each in one place."""

    def even(name: str) -> float:
        times = [plane.keys.get(name, (np.nan,))[0] for plane in first]
        gaps = np.diff(times)
        if not len(gaps) or not (gaps > 0).all():
            return 0.0
        mean = float(gaps.mean())
        return mean if np.abs(gaps - mean).max() <= 0.1 * mean else 0.0

    if step := even("trigger time"):
        return step, "msec"
    resolution = first[0].keys.get("temporal resolution", (0.0,))[0]
    if resolution > 0:
        return resolution, "msec"
    if step := even("time offset"):
        return step, "sec"
    step = even("acquisition time")
    return step, "sec" if step else "unknown"
