"""Results as a table in Markdown: means over pairs that all methods have."""

import statistics
from collections.abc import Iterable

from pages import markdown

from comparison.methods import METHODS
from comparison.store import current_results

# Column to how its number is made from a result, and its digits.
_COLUMNS = {
    "Dice": (lambda r: mean_of(r.get("dice")), 3),
    "HD95 (mm)": (lambda r: mean_of(r.get("hd95")), 2),
    "surface (mm)": (lambda r: mean_of(r.get("surface_distance")), 2),
    "landmarks (mm)": (lambda r: mean_of(r.get("landmark_errors")), 2),
    "folded (%)": (lambda r: r["folded_percent"], 4),
    "std log J": (lambda r: r["std_log_jacobian"], 3),
    "seconds": (lambda r: r["seconds"], 2),
    "CPU seconds": (lambda r: r["cpu_seconds"], 2),
    "memory (GB)": (lambda r: r["peak_gb"], 2),
}
# What a method that does nothing has no number for.
_COSTS = ("seconds", "CPU seconds", "memory (GB)")


def tables(contents: dict) -> str:
    """A table of the pairs that all methods have; more, where some have more pairs.

    Args:
        contents: Of a file of results.
    """
    found = current_results(contents)
    ordered = {name: found[name] for name in METHODS if name in found}
    if not ordered:
        return "no results yet\n"
    everything = set.union(*(set(pairs) for pairs in ordered.values()))
    common = set.intersection(*(set(pairs) for pairs in ordered.values()))
    parts = [_table(ordered, common)] if common else []
    fuller = {name: p for name, p in ordered.items() if len(p) > len(common)}
    for pairs in _groups(fuller) if everything != common else []:
        rows = {name: p for name, p in fuller.items() if pairs <= set(p)}
        if set(rows) != {"before"}:
            parts.append(_table(rows, pairs))
    return "\n".join(parts)


def mean_of(values: dict | list | None) -> float | None:
    """The mean of what could be measured."""
    if values is None:
        return None
    listed: Iterable = values.values() if isinstance(values, dict) else values
    known = [value for value in listed if value is not None]
    return statistics.fmean(known) if known else None


def _groups(found: dict[str, dict[str, dict]]) -> list[set[str]]:
    """The different sets of pairs that methods have, small ones first."""
    groups: list[set[str]] = []
    for pairs in found.values():
        if set(pairs) not in groups:
            groups.append(set(pairs))
    return sorted(groups, key=lambda pairs: (len(pairs), sorted(pairs)))


def _table(found: dict[str, dict[str, dict]], pairs: set[str]) -> str:
    rows = {
        name: [results[pair] for pair in sorted(pairs)]
        for name, results in found.items()
    }
    columns = [
        column
        for column, (number, _) in _COLUMNS.items()
        if any(number(r) is not None for results in rows.values() for r in results)
    ]
    count = "1 pair" if len(pairs) == 1 else f"mean over {len(pairs)} pairs"
    lines = (
        [METHODS[name].title, *(_cell(name, column, results) for column in columns)]
        for name, results in rows.items()
    )
    return markdown([count, *columns], lines)


def _cell(name: str, column: str, results: list[dict]) -> str:
    number, digits = _COLUMNS[column]
    values = [number(result) for result in results]
    known = [value for value in values if value is not None]
    if not known or (name == "before" and column in _COSTS):
        return ""
    text = f"{statistics.fmean(known):.{digits}f}"
    if column == "Dice" and len(known) > 1:
        text += f" ({statistics.stdev(known):.{digits}f})"
    if column == "folded (%)":
        text = "0" if not any(known) else f"{statistics.fmean(known):.2g}"
        if any(known):
            text += f" (at most {max(known):.2g})"
    return text
