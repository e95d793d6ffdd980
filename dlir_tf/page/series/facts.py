"""What the page of a series says in words, numbers and curves, as HTML."""

from html import escape
from typing import Any

from dlir_tf.page.facts import KINDS
from dlir_tf.page.markup import items, millimetres, number, pairs, percent, section
from dlir_tf.page.markup import table as plain_table
from dlir_tf.page.series.contents import Rows, SeriesContents
from dlir_tf.page.series.curves import Curves, curves_of

_UNIT = "unit"
_HEADS = {
    "label": "Label",
    "largest_frame": "Largest in frame",
    "largest": _UNIT,
    "smallest_frame": "Smallest in frame",
    "smallest": _UNIT,
    "fraction": "Ejection fraction",
}


def verdict_html(contents: SeriesContents) -> str:
    """Whether there are frames that aren't to be used, and why not."""
    failed = _failures(contents.outcomes)
    if not contents.outcomes:
        return '<p class="verdict none">No report: judge by what you see.</p>'
    total = len(contents.outcomes)
    if not failed:
        return (
            f'<p class="verdict pass"><strong>PASS</strong> None of {total} frames '
            "failed; look before you use them</p>"
        )
    reasons = [f"Frame {row['frame']}: {row['failure']}" for row in failed]
    return (
        f'<p class="verdict fail"><strong>FAIL</strong> Don\'t use {len(failed)} of '
        f"{total} frames</p>{items(reasons)}"
    )


def facts_html(contents: SeriesContents) -> str:
    """All sections beside the images."""
    curves = {one.name: one for one in curves_of(contents)}
    unit = curves["volumes"].unit if "volumes" in curves else ""
    sections = [
        _curves(curves.get("volumes")),
        section("Ejection fraction", _ejection(contents.ejection, unit)),
        _curves(curves.get("strain"), _strain(contents.strain)),
        _curves(curves.get("landmarks")),
        _curves(curves.get("similarity")),
        section("Frames", _frames(contents.outcomes)),
        section("How it was done", _making(contents)),
        section("Versions", _versions(contents.run)),
    ]
    return "\n".join(filter(None, sections))


def _failures(rows: Rows) -> Rows:
    return [row for row in rows if row.get("failure")]


def _curves(curves: Curves | None, more: str = "") -> str:
    if curves is None:
        return ""
    return section(curves.title, f"{curves.html}{more}")


def _ejection(rows: Rows, unit: str) -> str:
    if not rows:
        return ""
    digits = {"largest": 1, "smallest": 1}
    told = []
    for row in rows:
        cells = [
            percent(100 * float(value))
            if name == "fraction"
            else _told(value, digits.get(name))
            for name, value in row.items()
        ]
        told.append(cells)
    heads = [_HEADS.get(name, name.replace("_", " ")) for name in rows[0]]
    heads = [unit if head == _UNIT else head for head in heads]
    return plain_table(heads, told, "Ejection fractions")


def _strain(rows: Rows) -> str:
    if not rows:
        return ""
    heads = [name.replace("_", " ").capitalize() for name in rows[0]]
    told = [
        [_told(value, None if name == "frame" else 3) for name, value in row.items()]
        for row in rows
    ]
    return (
        "<details><summary>Numbers of all frames</summary>"
        f"{plain_table(heads, told, 'Strain')}</details>"
    )


def _frames(rows: Rows) -> str:
    """A row a frame; its button goes there."""
    if not rows:
        return ""
    lines = []
    for row in rows:
        cells = [
            f'<button type="button" class="frame" data-frame="{escape(row["frame"])}">'
            f"{escape(row['frame'])}</button>",
            escape(_told(row.get("similarity_before"), 3)),
            escape(_told(row.get("similarity_after"), 3)),
            escape(_told(row.get("mean_displacement"), 1)),
            escape(_told(row.get("largest_displacement"), 1)),
            escape(_told(row.get("smallest_jacobian"), 2)),
            escape(_told(row.get("folded_percent"), 2)),
        ]
        failed = ' class="failed"' if row.get("failure") else ""
        inner = "".join(f"<td>{cell}</td>" for cell in cells)
        lines.append(f'<tr data-frame="{escape(row["frame"])}"{failed}>{inner}</tr>')
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in (
            *("Frame", "Alike before", "after", "Moves (mm)", "at most"),
            *("Smallest Jacobian", "Folds (%)"),
        )
    )
    kind = rows[0].get("similarity_kind", "")
    kind = escape(KINDS.get(kind, kind))
    return (
        f"<p>A click goes there. {kind}; the higher, the better.</p>"
        '<div class="scroll"><table id="frame-table"><caption>Frames</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _making(contents: SeriesContents) -> str:
    reference = contents.reference_frame
    rows = {
        "Frames": len(contents.frames),
        "Reference": "mean over time" if reference is None else f"frame {reference}",
    }
    if contents.seconds:
        rows["Between two frames"] = f"{number(contents.seconds, 3)} s"
    if contents.labels is not None:
        rows["Labels were given in"] = f"frame {contents.run.get('labels_frame')}"
    moves = [float(row["largest_displacement"]) for row in contents.outcomes]
    if moves:
        rows["Largest displacement"] = millimetres(max(moves))
    return pairs(rows) + items(contents.run.get("choices") or ())


def _versions(run: Any) -> str:
    versions = run.get("versions")
    return pairs(versions) if isinstance(versions, dict) and versions else ""


def _told(value: str | None, digits: int | None) -> str:
    """A cell of a CSV file with so many digits; as it is if it's no number."""
    if value is None or value == "":
        return "–"
    if digits is None:
        return value
    try:
        return number(float(value), digits)
    except ValueError:
        return value
