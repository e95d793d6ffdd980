"""Histograms as small pictures of lines and boxes (SVG)."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

_WIDTH, _HEIGHT, _BINS = 240, 90, 24


def histogram_svg(name: str, series: Mapping[str, Sequence[float]]) -> str:
    """How often values occur, for up to two series on one axis.

    Args:
        name: Of the measure.
        series: Values by what they are, such as before and after.

    Returns:
        A figure; empty if there are no values, or all are the same.
    """
    known = {
        what: np.array([v for v in values if np.isfinite(v)])
        for what, values in series.items()
    }
    everything = np.concatenate([*known.values(), np.empty(0)])
    if not everything.size or everything.min() == everything.max():
        return ""
    edges = np.linspace(everything.min(), everything.max(), _BINS + 1)
    counts = {what: np.histogram(values, edges)[0] for what, values in known.items()}
    highest = max(int(count.max()) for count in counts.values())
    step = _WIDTH / _BINS
    bars = "".join(
        f'<rect class="{escape(what or "after")}" x="{index * step:.1f}" '
        f'y="{_HEIGHT * (1 - count / highest):.1f}" width="{step - 1:.1f}" '
        f'height="{_HEIGHT * count / highest:.1f}"/>'
        for what, numbers in counts.items()
        for index, count in enumerate(numbers)
        if count
    )
    medians = "; ".join(
        f"{what + ': ' if what else ''}median {np.median(values):.3g}"
        for what, values in known.items()
        if values.size
    )
    return (
        f"<figure><figcaption>{escape(name)}<br><small>{escape(medians)}</small>"
        f'</figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT + 14}" role="img" '
        f'aria-label="{escape(name)}, {escape(medians)}">{bars}'
        f'<text x="0" y="{_HEIGHT + 12}">{edges[0]:.3g}</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT + 12}" text-anchor="end">{edges[-1]:.3g}'
        "</text></svg></figure>"
    )
