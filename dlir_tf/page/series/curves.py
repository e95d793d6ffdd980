"""Curves over the frames of a series, as drawings (SVG) in which a click goes there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from dlir_tf.page.series.contents import Rows, SeriesContents

_WIDTH, _HEIGHT = 320, 130
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 8, 20
_TICKS = 4
_MOST_LANDMARKS = 8


@dataclass(frozen=True)
class Curves:
    """Numbers over frames that share an axis.

    Attributes:
        name: A word that tells them from others of the page.
        title: What is said above them.
        unit: Of the numbers; may be empty.
        lines: A number for each frame by the line's name; NaN where there's none.
        labels: Lines that belong to a label, by their names; they have its colour.
    """

    name: str
    title: str
    unit: str
    lines: Mapping[str, Sequence[float]]
    labels: Mapping[str, int]

    @property
    def data(self) -> dict[str, Any]:
        """What the viewer has to know to write the current numbers."""
        return {
            "name": self.name,
            "unit": self.unit,
            "values": [
                [float(value) if np.isfinite(value) else None for value in values]
                for values in self.lines.values()
            ],
            "labels": [self.labels.get(name) for name in self.lines],
        }

    @property
    def html(self) -> str:
        """The drawing, with a mark at a frame, and what its lines are."""
        count = max(map(len, self.lines.values()))
        low, high, ticks = _axis(self.lines.values())
        span = _WIDTH - _LEFT - _RIGHT

        def place(frame: int, value: float) -> str:
            x = _LEFT + span * frame / max(count - 1, 1)
            share = (value - low) / (high - low)
            return f"{x:.1f},{_HEIGHT - _BOTTOM - share * _tall():.1f}"

        drawn = "".join(
            f'<polyline data-line="{index}" points="{points}"/>'
            for index, values in enumerate(self.lines.values())
            if (
                points := " ".join(
                    place(frame, value)
                    for frame, value in enumerate(values)
                    if np.isfinite(value)
                )
            )
        )
        told = "".join(
            f'<li><span class="swatch" data-line="{index}"></span>{escape(name)} '
            f'<span class="now" data-line="{index}"></span></li>'
            for index, name in enumerate(self.lines)
        )
        names = ", ".join(self.lines)
        return (
            f'<figure class="curves" data-name="{escape(self.name)}">'
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" data-left="{_LEFT}" '
            f'data-span="{span}" aria-label="{escape(f"{self.title}: {names}")}, '
            f'frames 0 to {count - 1}">'
            f"{_grid(ticks, low, high)}{_frame_numbers(count, span)}{drawn}"
            f'<line class="mark" x1="{_LEFT}" x2="{_LEFT}" y1="{_TOP}" '
            f'y2="{_HEIGHT - _BOTTOM}"/></svg>'
            f"<figcaption><ul>{told}</ul></figcaption></figure>"
        )


def curves_of(contents: SeriesContents) -> list[Curves]:
    """Everything of a series that is a number in each frame, and worth a look."""
    count = len(contents.frames)
    found = []
    if contents.volumes:
        area = "area_mm2" in contents.volumes[0]
        column, unit = ("area_mm2", "mm²") if area else ("volume_ml", "ml")
        numbers = sorted({int(row["label"]) for row in contents.volumes})
        lines = {
            f"label {number}": _values(
                [row for row in contents.volumes if int(row["label"]) == number],
                column,
                count,
            )
            for number in numbers
        }
        labels = {f"label {number}": number for number in numbers}
        title = "Areas" if area else "Volumes"
        found.append(Curves("volumes", f"{title} ({unit})", unit, lines, labels))
    found += _distances(contents.displacements, count)
    for name, title, rows in (
        ("strain", "Strain (Green-Lagrange)", contents.strain),
        ("similarity", "Similarity to the reference", contents.outcomes),
    ):
        columns = ("radial", "circumferential")
        if name == "similarity":
            columns = ("similarity_before", "similarity_after")
        if rows and all(column in rows[0] for column in columns):
            lines = {
                column.removeprefix("similarity_"): _values(rows, column, count)
                for column in columns
            }
            found.append(Curves(name, title, "", lines, {}))
    return [
        one for one in found if any(np.isfinite(v).any() for v in one.lines.values())
    ]


def _distances(rows: Rows, count: int) -> list[Curves]:
    """How far landmarks are from where they were given; of many, how far the most."""
    if not rows or "distance" not in rows[0]:
        return []
    points = sorted({int(row["point"]) for row in rows})
    lines = {
        f"landmark {point}": _values(
            [row for row in rows if int(row["point"]) == point], "distance", count
        )
        for point in points[:_MOST_LANDMARKS]
    }
    if len(points) > _MOST_LANDMARKS:
        order = {point: place for place, point in enumerate(points)}
        distances = np.zeros((count, len(points)))
        for row in rows:
            place = int(row["frame"]), order[int(row["point"])]
            distances[place] = float(row["distance"] or "nan")
        lines = {
            "mean": np.nanmean(distances, axis=1).tolist(),
            "most": np.nanmax(distances, axis=1).tolist(),
        }
    return [Curves("landmarks", "How far landmarks move (mm)", "mm", lines, {})]


def _values(rows: Rows, column: str, count: int) -> list[float]:
    """A column as a number for each frame; NaN where there's none."""
    values = [float("nan")] * count
    for row in rows:
        frame = int(row["frame"])
        if 0 <= frame < count:
            values[frame] = float(row[column] or "nan")
    return values


def _axis(lines: Any) -> tuple[float, float, list[float]]:
    """From where to where an axis goes, and what is written at it."""
    known = np.concatenate([np.asarray(values, float) for values in lines])
    known = known[np.isfinite(known)]
    low, high = float(known.min()), float(known.max())
    if high <= low:
        low, high = low - 0.5, high + 0.5
    rough = (high - low) / _TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first, last = np.floor(low / step), np.ceil(high / step)
    ticks = [float(step * n) for n in np.arange(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def _tall() -> int:
    return _HEIGHT - _TOP - _BOTTOM


def _grid(ticks: Sequence[float], low: float, high: float) -> str:
    parts = []
    for tick in ticks:
        y = _HEIGHT - _BOTTOM - (tick - low) / (high - low) * _tall()
        parts.append(
            f'<line class="tick" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" '
            f'y2="{y:.1f}"/><text x="{_LEFT - 5}" y="{y + 4:.1f}" '
            f'text-anchor="end">{tick:.6g}</text>'
        )
    return "".join(parts)


def _frame_numbers(count: int, span: int) -> str:
    step = max(1, round((count - 1) / 5))
    return "".join(
        f'<text x="{_LEFT + span * frame / max(count - 1, 1):.1f}" '
        f'y="{_HEIGHT - 5}" text-anchor="middle">{frame}</text>'
        for frame in range(0, count, step)
    )
