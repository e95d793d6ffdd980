"""Reading CSV files so that no line of them gets lost."""

import csv
from collections.abc import Iterable


def rows_of(lines: Iterable[str], first: int = 1) -> list[tuple[int, list[str]]]:
    """Splits lines into cells; empty ones are left out.

    Args:
        lines: Of a CSV file.
        first: The number of the first line.

    Raises:
        csv.Error: If a quote isn't closed on its line: what follows would count as
            one cell.
    """
    # Strict, or the end of the file would close a quote.
    reader = csv.reader(lines, strict=True)
    numbered = []
    for row in reader:
        number = reader.line_num + first - 1
        if any("\n" in cell or "\r" in cell for cell in row):
            raise csv.Error(f"a quote before line {number} isn't closed on its line")
        if "".join(row).strip():
            numbered.append((number, row))
    return numbered


def hint_of_commas(header: list[str]) -> str:
    """What to say of names of columns that something else than commas separates.

    Args:
        header: The cells that were found.

    Returns:
        The end of a sentence; empty if it isn't so.
    """
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            return f"; save it with commas between cells, not {name}"
    return ""
