"""Tables in Markdown, and the pages that show them."""

from collections.abc import Iterable
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files import replacing


def markdown(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; numbers come as text."""
    columns = list(header)
    lines = [columns, ["---"] * len(columns), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def put_into_page(text: str, mark: str, page: Path) -> None:
    """Puts tables in the place of those between a page's marks.

    Args:
        text: The tables.
        mark: What the first mark says: the manifest, say.
        page: In Markdown.

    Raises:
        InputError: If the page has no such marks.
    """
    start, end = f"<!-- {mark} -->\n", "<!-- end -->"
    head, opening, rest = page.read_text("utf-8").partition(start)
    _, closing, tail = rest.partition(end)
    if not (opening and closing):
        raise InputError(
            f"{page}: the tables belong between {start.strip()} and {end}, which it "
            "doesn't have; put these lines where you want them"
        )
    with replacing(page) as unfinished:
        unfinished.write_text(f"{head}{start}\n{text}\n{end}{tail}", "utf-8")
