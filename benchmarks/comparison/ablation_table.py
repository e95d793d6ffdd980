"""What variants of a config achieve, as a table in Markdown."""

import statistics

from pages import markdown

from comparison.variants import VARIANTS

# Column to its name in the CSV of `dlir-tf evaluate`, and its digits.
COLUMNS = {
    "Dice": ("dice_after", 3),
    "HD95 (mm)": ("hd95_after", 2),
    "surface (mm)": ("surface_distance_after", 2),
    "folded (%)": ("folded_percent", 2),
    "std log J": ("std_log_jacobian", 3),
}


def table(results: dict[str, list[dict]]) -> str:
    """A table in Markdown, a line for each variant."""
    ordered = [(VARIANTS[n].title, results[n]) for n in VARIANTS if n in results]
    if not ordered:
        return "no results yet\n"
    count = len(ordered[0][1])
    lines = [
        line("before", ordered[0][1], "before"),
        *(line(title, rows, "after") for title, rows in ordered),
    ]
    return markdown([f"mean over {count} pairs", *COLUMNS], lines)


def line(title: str, rows: list[dict], side: str) -> list[str]:
    cells = [title]
    for column, (key, digits) in COLUMNS.items():
        name = key.replace("after", side)
        after_only = side == "before" and name == key
        values = [] if after_only else [row[name] for row in rows if name in row]
        text = f"{statistics.fmean(values):.{digits}f}" if values else ""
        if column == "Dice" and len(values) > 1:
            text += f" ({statistics.stdev(values):.{digits}f})"
        if column == "folded (%)" and values:
            text = "0"
            if any(values):
                text = f"{statistics.fmean(values):.2g} (at most {max(values):.2g})"
        cells.append(text)
    return cells
