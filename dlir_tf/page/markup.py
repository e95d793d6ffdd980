"""Words and numbers as HTML; everything that is given is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np


def section(title: str, body: str) -> str:
    """A section with its headline; nothing without a body.

    Args:
        title: Text.
        body: HTML.
    """
    if not body:
        return ""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def pairs(rows: Mapping[str, Any]) -> str:
    """Names, and what belongs to them."""
    lines = "".join(
        f"<div><dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd></div>"
        for name, value in rows.items()
    )
    return f"<dl>{lines}</dl>"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table that scrolls if it's long.

    Args:
        heads: Of its columns.
        rows: Of texts, one a column.
        caption: For who can't see it.
    """
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def items(sentences: Iterable[str]) -> str:
    """A list; nothing without anything to list."""
    lines = "".join(f"<li>{escape(str(text))}</li>" for text in sentences)
    return f"<ul>{lines}</ul>" if lines else ""


def number(value: float | None, digits: int) -> str:
    """A number with so many digits behind the point; a dash if it isn't known."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.{digits}f}"


def millimetres(value: float | None) -> str:
    """A length."""
    return f"{number(value, 2)} mm"


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent."""
    return f"{number(value, digits)} %"
