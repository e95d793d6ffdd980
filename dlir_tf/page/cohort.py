"""The page of a cohort: a table of all pairs, worst first, and how measures are spread.

It's plain HTML that a few lines of script sort and filter; without them it's still the
table. Thumbnails and the pairs' pages lie beside it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import quote

from dlir_tf._version import __version__
from dlir_tf.errors import counted
from dlir_tf.files import TEXT, replacing
from dlir_tf.page.histograms import histogram_svg
from dlir_tf.page.writing import as_script_data, fill, part

_VERDICTS = ("ERROR", "FAIL", "WARN", "PASS")
# By which of two pairs of one verdict is the worse, the first that is known.
_WORTH = (
    ("dice_after", 1.0),
    ("landmark_error_after", -1.0),
    ("similarity_after", 1.0),
    ("ncc_after", 1.0),
)
_OF_LABEL = re.compile(r"(before|after)_-?\d+$")


@dataclass(frozen=True)
class CohortRow:
    """A pair of a cohort.

    Attributes:
        id: What it's called.
        verdict: `"PASS"`, `"WARN"`, `"FAIL"`, or `"ERROR"` if it couldn't be
            registered.
        reasons: Why it isn't `"PASS"`, a sentence each.
        numbers: What was measured, by its name.
        page: The page of the pair, relative to the cohort's; or none.
        thumbnail: A picture of it, likewise.
    """

    id: str
    verdict: str
    reasons: tuple[str, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    page: str | None = None
    thumbnail: str | None = None

    @property
    def badness(self) -> tuple[float, float]:
        """What the table is sorted by to begin with, the smallest first."""
        known = self.verdict in _VERDICTS
        rank = _VERDICTS.index(self.verdict) if known else len(_VERDICTS)
        for name, sign in _WORTH:
            if name in self.numbers:
                return rank, sign * self.numbers[name]
        return rank, 0.0


def write_cohort_page(
    path: Path | str, rows: Sequence[CohortRow], *, title: str = "Cohort"
) -> None:
    """Writes the page of a cohort, whole or not at all.

    Args:
        path: The `.html` file; an existing one is replaced.
        rows: Its pairs.
        title: The headline.
    """
    with replacing(Path(path)) as unfinished:
        unfinished.write_text(make_cohort_page(rows, title=title), **TEXT)


def make_cohort_page(rows: Sequence[CohortRow], *, title: str = "Cohort") -> str:
    """The page as text; see `write_cohort_page`."""
    ordered = sorted(rows, key=lambda row: row.badness)
    names = _columns(ordered)
    pictures = any(row.thumbnail for row in ordered)
    return fill(
        part("cohort.html"),
        {
            "title": escape(title),
            "style": part("page.css") + part("cohort.css"),
            "counts": _counts(ordered),
            "spreads": _spreads(ordered, names),
            "heads": _heads(names, pictures),
            "rows": "\n".join(_row(row, names, pictures) for row in ordered),
            "made": f"dlir-tf {escape(__version__)}",
            "data": as_script_data({"title": title}),
            "script": part("cohort.js"),
        },
    )


def _columns(rows: Sequence[CohortRow]) -> list[str]:
    """Numbers that any pair has, in their order, without those of single labels."""
    names = dict.fromkeys(name for row in rows for name in row.numbers)
    return [name for name in names if not _OF_LABEL.search(name)]


def _counts(rows: Sequence[CohortRow]) -> str:
    counts = dict.fromkeys(_VERDICTS, 0)
    for row in rows:
        counts[row.verdict] = counts.get(row.verdict, 0) + 1
    told = " ".join(
        f'<span class="verdict {escape(verdict.lower())}"><strong>{escape(verdict)}'
        f"</strong>{count}</span>"
        for verdict, count in counts.items()
        if count
    )
    pairs = counted(len(rows), "pair", "pairs")
    return f"<p>{pairs}: {told}</p>"


def _spreads(rows: Sequence[CohortRow], names: Sequence[str]) -> str:
    """A histogram of each measure, before and after in one."""
    figures = []
    for name in names:
        if name.endswith("_before"):
            continue
        stem = name.removesuffix("_after")
        series = {"after" if name != stem else "": _values(rows, name)}
        before = _values(rows, f"{stem}_before")
        if name != stem and before:
            series = {"before": before, **series}
        figures.append(histogram_svg(_told(stem), series))
    return "".join(filter(None, figures))


def _values(rows: Sequence[CohortRow], name: str) -> list[float]:
    return [float(row.numbers[name]) for row in rows if name in row.numbers]


def _heads(names: Sequence[str], pictures: bool) -> str:
    heads = ['<th scope="col">Mark</th>']
    if pictures:
        heads.append('<th scope="col">Picture</th>')
    for column, name in enumerate(["Pair", "Verdict", *map(_told, names)]):
        heads.append(
            '<th scope="col" aria-sort="none"><button type="button" class="sort" '
            f'data-column="{column}">{escape(name)}</button></th>'
        )
        if column == 1:
            heads.append('<th scope="col">Why</th>')
    return "".join(heads)


def _row(row: CohortRow, names: Sequence[str], pictures: bool) -> str:
    name = escape(row.id)
    cells = [
        "<td>"
        + "".join(
            f'<button type="button" class="mark" data-mark="{mark}" '
            f'aria-pressed="false" aria-label="{mark}: {name}">{sign}</button>'
            for mark, sign in (("good", "✓"), ("bad", "✗"))
        )
        + "</td>"
    ]
    if pictures:
        cells.append(f"<td>{_picture(row)}</td>")
    link = f'<a href="{escape(quote(row.page))}">{name}</a>' if row.page else name
    rank = _VERDICTS.index(row.verdict) if row.verdict in _VERDICTS else 9
    cells.append(f'<th scope="row" data-value="{name}">{link}</th>')
    cells.append(
        f'<td class="verdict {escape(row.verdict.lower())}" data-value="{rank}">'
        f"{escape(row.verdict)}</td>"
    )
    cells.append(f'<td class="why">{escape("; ".join(row.reasons))}</td>')
    for number in names:
        value = row.numbers.get(number)
        exact = "" if value is None else f"{float(value):.9g}"
        shown = "" if value is None else f"{float(value):.4g}"
        label = f'data-name="{escape(_told(number))}"'
        cells.append(f'<td data-value="{exact}" {label}>{shown}</td>')
    verdict = escape(row.verdict)
    return f'<tr data-id="{name}" data-verdict="{verdict}">{"".join(cells)}</tr>'


def _picture(row: CohortRow) -> str:
    if not row.thumbnail:
        return ""
    picture = (
        f'<img src="{escape(quote(row.thumbnail))}" loading="lazy" width="240" '
        f'height="80" alt="fixed, moved, and both: {escape(row.id)}">'
    )
    if not row.page:
        return picture
    return f'<a href="{escape(quote(row.page))}" tabindex="-1">{picture}</a>'


def _told(name: str) -> str:
    """A measure's name as people say it."""
    return name.replace("_", " ").replace("percent", "%")
