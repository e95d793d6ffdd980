"""The page itself: one file of HTML that needs no other and no network."""

import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from dlir_tf._version import __version__
from dlir_tf.files import replacing
from dlir_tf.page.building import ROLES, build
from dlir_tf.page.contents import PageContents
from dlir_tf.page.facts import facts_html, notes_html, verdict_html
from dlir_tf.page.vendor import Viewer, read_viewer

SUFFIXES = (".html", ".htm")
_VIEWER = Path(__file__).parent / "viewer"
_SCRIPTS = ("decode.js", "panes.js", "ink.js", "modes.js", "controls.js", "start.js")
_CAPTIONS = {
    "fixed": "Fixed",
    "moving": "Moving, before",
    "moved": "Moved, after",
}


def write_page(
    path: Path | str, contents: PageContents, *, viewer: Viewer | None = None
) -> None:
    """Writes a page, whole or not at all.

    Args:
        path: The `.html` file; an existing one is replaced.
        contents: What is to be seen.
        viewer: niivue; `None` for the one that is installed. Without its code the page
            says why there are no images.
    """
    with replacing(Path(path)) as unfinished:
        unfinished.write_text(make_page(contents, viewer=viewer), encoding="utf-8")


def make_page(contents: PageContents, *, viewer: Viewer | None = None) -> str:
    """The page as text; see `write_page`."""
    viewer = viewer or read_viewer()
    built = build(contents)
    notes = [*filter(None, [viewer.problem]), *built.notes]
    shown = bool(viewer.code)
    blocks = "\n".join(
        f'<script type="text/plain" id="volume-{name}">{text}</script>'
        for name, text in (built.texts if shown else {}).items()
    )
    roles = [role for role in ROLES if role in built.texts]
    scripts = [viewer.code, *map(part, _SCRIPTS)] if shown else []
    return fill(
        part("page.html"),
        {
            "title": escape(contents.title),
            "style": part("page.css"),
            "verdict": verdict_html(contents.report),
            "viewer": fill(part("viewer.html"), {"panes": _panes(roles)})
            if shown
            else "",
            "facts": facts_html(contents.report, built),
            "notes": notes_html(notes),
            "made": f"dlir-tf {escape(__version__)}"
            + (f", niivue {escape(viewer.version)} (BSD-2-Clause)" if shown else ""),
            "data": as_script_data(built.data),
            "volumes": blocks,
            "scripts": "\n".join(f"<script>\n{code}\n</script>" for code in scripts),
        },
    )


def fill(template: str, values: Mapping[str, str]) -> str:
    """Puts values, which are HTML, into the `{{names}}` of a template, each once.

    Args:
        template: With every name of `values`, and no other.
        values: By their names.
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def as_script_data(data: Mapping[str, Any]) -> str:
    """JSON that can stand in a script block, whatever strings are in it."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def part(name: str) -> str:
    """A part of pages, by the name of its file."""
    return (_VIEWER / name).read_text(encoding="utf-8")


def _panes(roles: list[str]) -> str:
    """A place for each image: niivue's canvas, and one above it to draw on."""
    return "\n".join(
        f'<figure class="pane" data-role="{role}">'
        f"<figcaption>{_CAPTIONS[role]}</figcaption>"
        '<div class="view"><div class="gl"><canvas></canvas></div>'
        '<canvas class="ink" aria-hidden="true"></canvas></div></figure>'
        for role in roles
    )
