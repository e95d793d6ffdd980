"""A training as one page to look at: curves, and pairs before and after.

It stands alone: no network, no scripts, no other files.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np

from dlir_tf.figures.curves import Curve, draw_bars, draw_curves
from dlir_tf.figures.sheet import PICTURES

_CHARTS = (
    ("Loss", "loss", "validation_loss"),
    ("Similarity loss", "similarity_loss", "validation_similarity_loss"),
    ("Dice of labels", "dice", "validation_dice"),
    ("Label loss", "label_loss", ""),
    ("Landmark error", "landmark_loss", "validation_landmark_error"),
    ("Folded voxels (%)", "folded_percent", "validation_folded_percent"),
    ("Bending energy", "bending_energy", ""),
    ("Folding penalty", "folding_penalty", ""),
    ("Learning rate", "learning_rate", ""),
)

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1e24; --muted: #5a606b;
  --faint: #d9dce2; --first: #2563c9; --second: #c2570c; --bad: #c81e3a; }
@media (prefers-color-scheme: dark) { :root { --paper: #14161a; --ink: #eceef2;
  --muted: #a3a9b5; --faint: #343943; --first: #79a8f7; --second: #f2a25c;
  --bad: #ff6b81; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem;
  padding: 1rem; color: var(--ink); background: var(--paper); }
h1, h2, h3 { line-height: 1.2; overflow-wrap: anywhere; }
p, figcaption, td, th { overflow-wrap: anywhere; }
.muted, figcaption { color: var(--muted); }
.charts, .pairs { display: grid; gap: 1rem 1.5rem;
  grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); }
.pairs { grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); }
figure { margin: 0; } figure img { width: 100%; border-radius: 4px; background: #000; }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--muted); }
.first, .second { font-weight: 600; } .first { color: var(--first); }
.second { color: var(--second); }
section { border-top: 1px solid var(--faint); margin-top: 2rem; }
"""


@dataclass(frozen=True)
class Shown:
    """A pair on the page.

    Attributes:
        name: What it's called.
        row: What was measured, by its names in the log.
        png: Its picture.
    """

    name: str
    row: dict[str, float]
    png: bytes


@dataclass
class Stage:
    """What the page shows of a phase.

    Attributes:
        name: As in the log.
        steps: How many it has in all.
        seen_at: The step of the validation that the rest is of.
        shown: The same few pairs after every phase.
        best: Those of the smallest loss.
        worst: Those of the largest loss.
        histograms: Title, counts, edges, and up to where values are bad.
    """

    name: str
    steps: int
    seen_at: int = 0
    shown: Sequence[Shown] = ()
    best: Sequence[Shown] = ()
    worst: Sequence[Shown] = ()
    histograms: Sequence[tuple[str, np.ndarray, np.ndarray, float]] = field(
        default_factory=list
    )


def make_page(
    title: str, about: str, stages: Sequence[Stage], rows: Sequence[dict[str, str]]
) -> str:
    """Returns the page as HTML.

    Args:
        title: Of the page.
        about: A sentence below it.
        stages: In their order; those that haven't begun are left out.
        rows: Of the log, as in `training.csv`.
    """
    sections = [
        _section(stage, found)
        for stage in stages
        if (found := [row for row in rows if row["phase"] == stage.name])
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="muted">{escape(about)}</p>\n'
        + "".join(sections)
        + "</body>\n</html>\n"
    )


def _section(stage: Stage, rows: Sequence[dict[str, str]]) -> str:
    last = rows[-1]["step"]
    charts = [_chart(*chart, rows) for chart in _CHARTS]
    parts = [
        f"<section>\n<h2>{escape(stage.name)}</h2>\n"
        f'<p class="muted">{escape(last)} of {stage.steps} steps</p>\n'
        f'<div class="charts">{"".join(charts)}</div>\n'
    ]
    groups = (
        ("The same pairs after each stage", stage.shown),
        ("Best validation pairs", stage.best),
        ("Worst validation pairs", stage.worst),
    )
    parts += [
        f"<h3>{heading}</h3>\n{_legend(stage.seen_at)}"
        f'<div class="pairs">{"".join(map(_pair, pairs))}</div>\n'
        for heading, pairs in groups
        if pairs
    ]
    if stage.histograms:
        bars = [
            f"<figure>{draw_bars(name, counts, edges, bad)}<figcaption>{escape(name)}"
            ", % of voxels</figcaption></figure>"
            for name, counts, edges, bad in stage.histograms
        ]
        parts.append(
            f"<h3>All validation pairs, at step {stage.seen_at}</h3>\n"
            f'<div class="charts">{"".join(bars)}</div>\n'
        )
    return "".join(parts) + "</section>\n"


def _chart(title: str, name: str, other: str, rows: Sequence[dict[str, str]]) -> str:
    curves: list[Curve] = []
    columns = (("training", "first", name), ("validation", "second", other))
    for label, colour, column in columns:
        points = [
            (int(row["step"]), float(row[column])) for row in rows if row.get(column)
        ]
        if points:
            curves.append((label, colour, points))
    if not curves:
        return ""
    marks = " ".join(
        f'<span class="{colour}">{label} {points[-1][1]:.4g}</span>'
        for label, colour, points in curves
    )
    return (
        f"<figure>{draw_curves(title, curves)}<figcaption>{escape(title)}: {marks}"
        "</figcaption></figure>"
    )


def _legend(step: int) -> str:
    above, below = (", ".join(row) for row in PICTURES)
    return f'<p class="muted">At step {step}. Above: {above}; below: {below}.</p>\n'


def _pair(pair: Shown) -> str:
    data = base64.b64encode(pair.png).decode("ascii")
    name = escape(pair.name)
    values = ", ".join(
        f"{escape(key.replace('_', ' '))} {value:.4g}"
        for key, value in pair.row.items()
    )
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{name}, before and after'
        f'"><figcaption><strong>{name}</strong><br>{values}</figcaption></figure>'
    )
