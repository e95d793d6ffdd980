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
