"""Files of many frames, whose places are in groups: shared, or for every frame.

These are the enhanced images of CT, MR and PET. A value is looked for in the groups of
the frame, then in those that all frames share, and then at the top of the file.

Format: https://dicom.nema.org/medical/dicom/current/output/chtml/part03/sect_C.7.6.16.html
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.dicom.plane import Plane, axes_of, kind_of, no_place, seconds_of
from dlir_tf.images.headers.dicom_values import Tag, Values, open_values

_SHARED, _PER_FRAME = (0x5200, 0x9229), (0x5200, 0x9230)
_DIMENSIONS, _POINTER = (0x0020, 0x9222), (0x0020, 0x9165)
_INDEX = (0x0020, 0x9157)
_FRAMES, _ROWS, _COLUMNS = (0x0028, 0x0008), (0x0028, 0x0010), (0x0028, 0x0011)
_SAMPLES, _IMAGE_TYPE, _UID = (0x0028, 0x0002), (0x0008, 0x0008), (0x0008, 0x0018)
_POSITION, _ORIENTATION = (0x0020, 0x0032), (0x0020, 0x0037)
_SPACING, _THICKNESS = (0x0028, 0x0030), (0x0018, 0x0050)
_SLOPE, _INTERCEPT = (0x0028, 0x1053), (0x0028, 0x1052)
_FRAME_TYPE, _COMPONENT = (0x0008, 0x9007), (0x0008, 0x9208)
_ACQUIRED, _INSTANCE = (0x0018, 0x9074), (0x0020, 0x0013)
# Dimensions that say where a slice lies, and not which volume it's of.
_OF_PLACE = {(0x0020, 0x9057), (0x0020, 0x0032), (0x0020, 0x9056)}
_KEYS = {
    "temporal position": (0x0020, 0x9128),
    "trigger time": (0x0020, 0x9153),
    "b-value": (0x0018, 0x9087),
    "echo time": (0x0018, 0x9082),
}
_OFFSET = (0x0020, 0x930D)
# The groups in which these values are.
_GROUPS = (
    (0x0020, 0x9113),  # position of the plane
    (0x0020, 0x9116),  # its orientation
    (0x0028, 0x9110),  # spacing and thickness
    (0x0028, 0x9145),  # slope and intercept
    (0x0020, 0x9111),  # content of the frame
    (0x0018, 0x9118),  # heartbeat
    (0x0018, 0x9117),  # diffusion
    (0x0018, 0x9114),  # echo
    (0x0020, 0x9310),  # place in time
    (0x0018, 0x9226),  # type of an MR image
    (0x0018, 0x9329),  # of a CT image
    (0x0018, 0x9751),  # of a PET image
)


@dataclass(frozen=True)
class Scale:
    """What stored values are multiplied with, and what is added."""

    slope: float
    intercept: float


def read_frames_of(path: Path) -> tuple[list[Plane], list[Scale]]:
    """The slices in a file of many frames, and the scale of each.

    Raises:
        InputError: If a frame doesn't state its place.
    """
    with open_values(path) as top:
        groups = list(top.items(_PER_FRAME))
        shared = top.first(_SHARED)
        count = int(top.number(_FRAMES, 1))
        if shared is None and not groups:
            what = "doesn't state where its slice lies"
            if count > 1:
                what = f"holds {count} frames that don't state where each lies"
            raise InputError(
                f"{path}: {what} in the patient, so it's of no volume (a photograph, "
                "a projection, ultrasound?); give the slices of a series, or export it "
                "as PNG or TIFF to register it as a picture"
            )
        if len(groups) != count:
            raise InputError(
                f"{path}: must describe each of its {count} frames, but describes "
                f"{len(groups)}; copy or export it again"
            )
        pointers, common = _pointers(top), [*_parts(shared), top]
        found = [
            _frame(path, number, [*_parts(group), *common], pointers)
            for number, group in enumerate(groups)
        ]
    return [plane for plane, _ in found], [scale for _, scale in found]


def _parts(group: Values | None) -> list[Values]:
    """The groups of a frame, or those of all frames."""
    found = (group.first(tag) for tag in _GROUPS) if group is not None else ()
    return [part for part in found if part is not None]


def _pointers(top: Values) -> list[Tag]:
    """What each dimension of a file is, as the tag of a value."""
    pointers = (item.numbers(_POINTER) for item in top.items(_DIMENSIONS))
    return [(int(p[0]), int(p[1])) for p in pointers if len(p) == 2]


def _frame(
    path: Path, number: int, places: list[Values], pointers: list[Tag]
) -> tuple[Plane, Scale]:
    top = places[-1]

    def where(tag: Tag) -> Values:
        return next((place for place in places if tag in place), top)

    try:
        position = where(_POSITION).numbers(_POSITION)
        axes = axes_of(where(_ORIENTATION).numbers(_ORIENTATION))
        rows, columns = where(_SPACING).numbers(_SPACING)
        scale = Scale(
            where(_SLOPE).number(_SLOPE, 1.0), where(_INTERCEPT).number(_INTERCEPT, 0.0)
        )
        thickness = where(_THICKNESS).number(_THICKNESS, 0.0)
        keys = _keys(where, number, pointers)
    except ValueError as error:
        raise no_place(path, f"frame {number + 1}") from error
    numbers = np.array([*position, rows, columns, scale.slope, scale.intercept])
    if position.shape != (3,) or not np.isfinite(numbers).all() or rows * columns <= 0:
        raise no_place(path, f"frame {number + 1}")
    component = where(_COMPONENT).text(_COMPONENT)
    frame_type = where(_FRAME_TYPE).text(_FRAME_TYPE) or top.text(_IMAGE_TYPE)
    plane = Plane(
        str(path),
        (int(top.number(_COLUMNS, 0)), int(top.number(_ROWS, 0))),
        (float(columns), float(rows)),
        position,
        axes,
        thickness,
        frame=number,
        num_components=int(top.number(_SAMPLES, 1)),
        uid=top.text(_UID),
        kind=f"{kind_of(frame_type)} {component}".strip(),
        keys=keys,
    )
    return plane, scale


def _keys(
    where: Callable[[Tag], Values], number: int, pointers: list[Tag]
) -> dict[str, tuple[float, ...]]:
    keys: dict[str, tuple[float, ...]] = {}
    for name, tag in _KEYS.items():
        found = where(tag).numbers(tag)
        if len(found):
            keys[name] = (float(found[0]),)
    index = where(_INDEX).numbers(_INDEX)
    further = [n for n, tag in enumerate(pointers) if tag not in _OF_PLACE]
    if further and len(index) == len(pointers):
        keys["place along its dimensions"] = tuple(float(index[n]) for n in further)
    offset = where(_OFFSET).numbers(_OFFSET)
    if len(offset):
        keys["time offset"] = (float(offset[0]),)
    seconds = seconds_of(where(_ACQUIRED).text(_ACQUIRED))
    if seconds is not None:
        keys["acquisition time"] = (seconds,)
    keys["instance number"] = (where(_INSTANCE).number(_INSTANCE, 0.0), float(number))
    return keys
