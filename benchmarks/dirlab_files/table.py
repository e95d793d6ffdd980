"""Landmark errors case by case, ours beside what others published."""

import statistics

import numpy as np
from comparison.methods import METHODS
from comparison.store import current_results
from comparison.table import tables
from pages import markdown
from registration import title_of

from dirlab_files.published import PUBLISHED
from dirlab_files.scans import Found
from dlir_tf.pairs.manifest import Pair

# A result's key to what its table says, and whether landmarks are moved to voxels.
_ERRORS = {
    "landmark_errors": ("landmark error (mm), mean (SD)", False),
    "snapped_errors": ("the same, mapped landmarks moved to the nearest voxel", True),
}


def case_tables(found: Found, pairs: list[Pair], contents: dict) -> str:
    """All tables of a set: errors by case, what is published, folds and seconds.

    Args:
        found: The cases; those that are missing are named.
        pairs: Of the manifest, in the order of the cases.
        contents: Of a file of results.
    """
    results = current_results(contents)
    rows = {
        METHODS[name].title: [results[name].get(title_of(pair)) for pair in pairs]
        for name in METHODS
        if name in results
    }
    names = [case.name for case in found.cases][: len(pairs)]
    parts = [
        _by_case(found.key, names, rows, key)
        for key in _ERRORS
        if any(key in (r or {}) for row in rows.values() for r in row)
    ]
    if PUBLISHED.get(found.key):
        parts.append(_published(found.key))
    if not parts:
        parts.append(_similarities(names, rows))
    if found.missing:
        said = "; ".join(f"{name}: {what}" for name, what in found.missing.items())
        parts.append(f"Missing, so not in any mean but the published ones: {said}\n")
    return "\n".join([*parts, tables(contents)])


def _by_case(key: str, names: list[str], rows: dict, errors: str) -> str:
    title, snapped = _ERRORS[errors]
    others = [
        other
        for other in PUBLISHED.get(key, ())
        if other.by_case and other.snapped is snapped
    ]
    header = [title, *rows, *(f"{other.title}, published" for other in others)]
    listed = {
        title: [(result or {}).get(errors) for result in row]
        for title, row in rows.items()
    }
    lines = []
    for index, name in enumerate(names):
        number = int("".join(filter(str.isdigit, name)) or 0)
        cells = [_cell(row[index]) for row in listed.values()]
        lines.append([name, *cells, *(f"{o.by_case[number - 1]:.2f}" for o in others)])
    means = [
        _cell([e for case in row for e in case]) if all(row) else ""
        for row in listed.values()
    ]
    count = "1 case" if len(names) == 1 else f"all {len(names)} cases"
    lines.append([count, *means, *(f"{o.mean:.2f} (of 10)" for o in others)])
    return markdown(header, lines)


def _cell(errors: list[float] | None) -> str:
    if not errors:
        return ""
    return f"{statistics.fmean(errors):.2f} ({np.std(errors, ddof=1):.2f})"


def _published(key: str) -> str:
    lines = []
    for other in PUBLISHED[key]:
        deviation = f" ({other.deviation:.2f})" if other.deviation else ""
        snapped = {True: "yes", False: "no", None: "not said"}[other.snapped]
        lines.append(
            [other.title, f"{other.mean:.2f}{deviation}", snapped, other.source]
        )
    return markdown(
        ["published, ten cases", "mean (SD), mm", "to voxels", "source"], lines
    )


def _similarities(names: list[str], rows: dict) -> str:
    lines = [
        [name, *("" if r is None else f"{r['ncc']:.4f}" for r in results)]
        for name, *results in zip(names, *rows.values(), strict=True)
    ]
    return markdown(["correlation", *rows], lines)
