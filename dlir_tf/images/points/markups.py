"""Landmarks in the markups of 3D Slicer (`.mrk.json`).

Only the positions of control points are ours; all else in the file stays as it is:
names, colours, orientations of points, other programs' entries. Values that follow from
the positions, such as a length, are left out: 3D Slicer makes them anew. Markups state
their world, LPS+ or RAS+. Points without a position (status `undefined`) keep having
none.

Format: https://slicer.readthedocs.io/en/latest/developer_guide/modules/markups.html
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError
from dlir_tf.files import replacing
from dlir_tf.images.frame import flip_ras_lps

# What Slicer measures of points itself, by name, and where it keeps it.
_MEASURED = {"length", "angle", "area", "volume", "torsion"}
_MEASURED |= {"curvature mean", "curvature max"}
_VALUES = ("value", "controlPointValues")
# What a markup that isn't given by its points alone states besides them.
_OWN_GEOMETRY = {"center", "normal", "objectToBase", "orientation", "size"}


@dataclass(frozen=True, eq=False)
class MarkupPoints:
    """Landmarks as a file of markups has them.

    Attributes:
        points: Those that have a position, of all markups in the file, RAS+ mm,
            `(num_points, 3)`.
        document: The whole file.
    """

    points: npt.NDArray[np.float64]
    document: dict[str, Any]

    @property
    def num_unset(self) -> int:
        """How many landmarks have no position."""
        markups = self.document["markups"]
        num_all = sum(len(markup.get("controlPoints", [])) for markup in markups)
        return num_all - len(self.points)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of what isn't kept."""
        names = sorted({f"{one['name']}" for one in measurements(self.document)})
        if not names:
            return ()
        return (
            "measurements are left out, which 3D Slicer makes anew: "
            + ", ".join(names),
        )

    def write(self, path: Path, points: npt.NDArray[np.float64]) -> None:
        """Writes the same file with other points, `(num_points, 3)`, RAS+ mm."""
        document = copy.deepcopy(self.document)
        placed = placed_points(document)
        for (lps, control_point), point in zip(placed, points, strict=True):
            position = flip_ras_lps(point) if lps else point
            control_point["position"] = (position + 0.0).tolist()  # never -0.0
        for measurement in measurements(document):
            for key in _VALUES:
                measurement.pop(key, None)
        text = json.dumps(document, indent=4, ensure_ascii=False)
        with replacing(path) as unfinished:
            unfinished.write_text(text + "\n", encoding="utf-8")


def read_markup_points(path: Path) -> MarkupPoints:
    """Reads landmarks from the markups of 3D Slicer.

    Raises:
        InputError: If the file isn't one of markups, a position isn't three numbers,
            or there is none; if the unit isn't mm; or if a markup is a box or a
            plane, which don't follow from points alone.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(f"no such file: {path}; check the path") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: can't be read as markups of 3D Slicer ({error}); save it again"
        ) from error
    _check_document(path, document)
    points = []
    for lps, control_point in placed_points(document):
        point = _parse(path, control_point)
        points.append(flip_ras_lps(point) if lps else point)
    if not points:
        raise InputError(
            f"{path}: no landmark in it has a position; place them in 3D Slicer"
        )
    return MarkupPoints(np.array(points), document)


def _check_document(path: Path, document: Any) -> None:
    markups = document.get("markups") if isinstance(document, dict) else None
    if not isinstance(markups, list) or not all(map(_is_markup, markups)):
        raise InputError(
            f"{path}: must hold markups with controlPoints, as 3D Slicer saves them "
            "(.mrk.json), but doesn't; save the landmarks from its Markups module"
        )
    for markup in markups:
        kind = markup.get("type")
        if kind in ("ROI", "Plane") or _OWN_GEOMETRY & set(markup):
            raise InputError(
                f"{path}: holds a markup of type {kind}, which isn't given by its "
                "points alone, so no deformation can move it; remove it from the file"
            )
        world, unit = markup.get("coordinateSystem", "LPS"), _unit(markup)
        if world not in ("LPS", "RAS") or unit != "mm":
            raise InputError(
                f"{path}: coordinates must be LPS or RAS in mm, but are {world} in "
                f"{unit}; save them again from 3D Slicer"
            )


def _is_markup(markup: Any) -> bool:
    points = markup.get("controlPoints", []) if isinstance(markup, dict) else None
    return isinstance(points, list) and all(isinstance(p, dict) for p in points)


def _unit(markup: dict[str, Any]) -> Any:
    """The unit of length, which may be a code: value, scheme, meaning."""
    unit = markup.get("coordinateUnits", "mm")
    return unit[0] if isinstance(unit, list) and unit else unit


def placed_points(document: dict[str, Any]) -> Iterator[tuple[bool, dict[str, Any]]]:
    """The control points that have a position, each with whether that is LPS+."""
    for markup in document["markups"]:
        lps = markup.get("coordinateSystem", "LPS") == "LPS"
        for control_point in markup.get("controlPoints", []):
            status = control_point.get("positionStatus", "defined")
            # Slicer writes "" where there is no position.
            if status != "undefined" and control_point.get("position"):
                yield lps, control_point


def measurements(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What 3D Slicer has measured of the positions, with its values."""
    for markup in document["markups"]:
        listed = markup.get("measurements")
        for one in listed if isinstance(listed, list) else ():
            known = isinstance(one, dict) and str(one.get("name")).lower() in _MEASURED
            if known and any(key in one for key in _VALUES):
                yield one


def _parse(path: Path, control_point: dict[str, Any]) -> npt.NDArray[np.float64]:
    position = control_point["position"]
    numbers = isinstance(position, list) and all(
        isinstance(x, int | float) and not isinstance(x, bool) for x in position
    )
    try:
        point = np.array([float(x) for x in position] if numbers else [])
    except OverflowError:  # JSON knows whole numbers of any size
        point = np.zeros(0)
    if point.shape != (3,) or not np.isfinite(point).all():
        name = control_point.get("label") or control_point.get("id") or "without a name"
        raise InputError(
            f"{path}: the position of landmark {name} must be 3 finite numbers, but is "
            f"{str(position)[:100]}; place it again in 3D Slicer"
        )
    return point
