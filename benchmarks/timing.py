"""Timing side by side: rounds of all candidates in turn, medians, ratios."""

import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from pages import markdown


def time_in_turn(
    candidates: dict[str, Callable[[], object]], rounds: int
) -> dict[str, list[float]]:
    """Calls every candidate once per round, after one round that doesn't count.

    A machine that gets slower for a while then slows all of them down alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(rounds + 1):
        for name, function in candidates.items():
            start = time.perf_counter()
            function()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def report(title: str, seconds: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Prints medians and their ratios to the first candidate; returns them."""
    reference = statistics.median(next(iter(seconds.values())))
    rows = {}
    print(f"\n{title}")
    for name, values in seconds.items():
        median = statistics.median(values)
        rows[name] = {
            "median_s": median,
            "min_s": min(values),
            "ratio": median / reference,
        }
        print(
            f"  {name:44} {median:9.4f} s  (fastest {min(values):.4f})"
            f"  {median / reference:7.1f} times the first"
        )
    return rows


def tables(groups: dict[str, dict]) -> str:
    """Tables of what `report` returned, by the titles of the groups."""
    parts = (
        markdown(
            [title, "seconds", "times the first"],
            (
                [name, f"{row['median_s']:.3f}", f"{row['ratio']:.1f}"]
                for name, row in rows.items()
            ),
        )
        for title, rows in groups.items()
    )
    return "\n".join(parts)


def write_json(path: Path | None, results: dict[str, object]) -> None:
    """Writes the results with a word on the machine."""
    if path is not None:
        machine = {"machine": platform.machine(), "python": platform.python_version()}
        path.write_text(json.dumps({**machine, **results}, indent=2) + "\n")
