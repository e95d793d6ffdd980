"""Curves and histograms as SVG, which a page holds without any other file.

Colours are those of the page's style: `var(--ink)`, `var(--faint)`, `var(--first)`,
`var(--second)` and `var(--bad)`.
"""

from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib.ticker import MaxNLocator

_WIDTH, _HEIGHT = 340, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 10, 24

# Its name, its colour (`first` or `second`), and its points.
Curve = tuple[str, str, Sequence[tuple[float, float]]]


def draw_curves(title: str, curves: Sequence[Curve], what: str = "step") -> str:
    """Draws curves in one frame.

    Args:
        title: What they show, for who can't see them.
        curves: At least one.
        what: What lies along the axis to the right.
    """
    points = np.array([point for *_, each in curves for point in each], float)
    frame = _Frame(points[:, 0], points[:, 1])
    lines = []
    for name, colour, each in curves:
        places = [frame.place(x, y) for x, y in each]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        end = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in places)
        lines.append(
            f'<g fill="var(--{colour})" stroke="var(--{colour})">'
            f"<title>{escape(name)}</title>"
            f'<polyline points="{line}" fill="none" stroke-width="2"/>'
            f"{end if len(places) <= 30 else ''}</g>"
        )
    said = "; ".join(
        f"{name}: {each[-1][1]:.4g} at the end" for name, _, each in curves
    )
    return _svg(f"{title}, by {what}. {said}", frame.axes() + "".join(lines))


def draw_bars(
    title: str, counts: np.ndarray, edges: np.ndarray, bad_until: float = -np.inf
) -> str:
    """Draws a histogram, in parts of all that was counted.

    Args:
        title: What it shows, for who can't see it.
        counts: `(n,)`.
        edges: `(n + 1,)`.
        bad_until: Bins that end here or before are drawn as bad ones.
    """
    shares = 100 * counts / max(int(counts.sum()), 1)
    frame = _Frame(edges, np.append(shares, 0.0))
    bars = []
    for share, left, right in zip(shares, edges, edges[1:], strict=False):
        (x, top), (end, bottom) = frame.place(left, share), frame.place(right, 0.0)
        colour = "var(--bad)" if right <= bad_until + 1e-9 else "var(--first)"
        bars.append(
            f'<rect x="{x:.1f}" y="{top:.1f}" width="{max(end - x - 1, 0.5):.1f}" '
            f'height="{bottom - top:.1f}" fill="{colour}"/>'
        )
    return _svg(f"{title}, percent of voxels", frame.axes() + "".join(bars))


class _Frame:
    """Where values lie on the paper, and the axes beside them."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self._x, self._y = _ticks(x, 5), _ticks(y, 4)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Returns pixels to the right and down."""
        (left, *_, right), (low, *_, high) = self._x, self._y
        width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
        across = _LEFT + width * (x - left) / (right - left)
        return across, _TOP + height * (high - y) / (high - low)

    def axes(self) -> str:
        """Returns lines and numbers."""
        parts = []
        for value in self._y:
            y = self.place(self._x[0], value)[1]
            parts.append(
                f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                f'stroke="var(--faint)"/><text x="{_LEFT - 6}" y="{y + 4:.1f}" '
                f'text-anchor="end">{value:.4g}</text>'
            )
        for value in self._x:
            x = self.place(value, self._y[0])[0]
            parts.append(
                f'<text x="{x:.1f}" y="{_HEIGHT - 6}" text-anchor="middle">'
                f"{value:.6g}</text>"
            )
        return "".join(parts)


def _ticks(values: np.ndarray, number: int) -> np.ndarray:
    """Round numbers, from one below all values to one above."""
    low, high = float(np.min(values)), float(np.max(values))
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = 0.1 * abs(low)
        low, high = (low - margin, high + margin) if margin else (0.0, 1.0)
    return np.asarray(MaxNLocator(number).tick_values(low, high))


def _svg(title: str, content: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{content}</svg>'
    )
