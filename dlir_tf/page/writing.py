"""The page itself: one file of HTML that needs no other and no network."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from dlir_tf._version import __version__
from dlir_tf.files import TEXT, replacing
from dlir_tf.page.building import ROLES, build
from dlir_tf.page.contents import PageContents
from dlir_tf.page.facts import facts_html, verdict_html
from dlir_tf.page.markup import items
from dlir_tf.page.packing import Built
from dlir_tf.page.vendor import Viewer, read_viewer

SUFFIXES = (".html", ".htm")
_VIEWER = Path(__file__).parent / "viewer"
# In this order: each may use what is before it.
_SCRIPTS = ["decode", "lean", "panes", "ink", "modes", "frames", "controls", "start"]
_FRAME_KEYS = (
    "<div><dt>, .</dt><dd>previous, next frame</dd></div>\n"
    "<div><dt>Space</dt><dd>play, pause</dd></div>\n"
)
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
        unfinished.write_text(make_page(contents, viewer=viewer), **TEXT)


def make_page(contents: PageContents, *, viewer: Viewer | None = None) -> str:
    """The page as text; see `write_page`."""
    built = build(contents)
    said = Said(
        contents.title,
        verdict_html(contents.report),
        facts_html(contents.report, built),
        _CAPTIONS,
    )
    return assemble(built, said, viewer)


@dataclass(frozen=True)
class Said:
    """What a page says around its images.

    Attributes:
        title: The headline, text.
        verdict: Below it, HTML.
        facts: The sections beside the images, HTML.
        captions: Of the images, by their roles, text.
        frames: What chooses the frame of a series, HTML.
    """

    title: str
    verdict: str
    facts: str
    captions: Mapping[str, str]
    frames: str = ""


def assemble(built: Built, said: Said, viewer: Viewer | None = None) -> str:
    """Puts a page together.

    Args:
        built: What the viewer is given.
        said: What is said around it.
        viewer: As in `write_page`.
    """
    viewer = viewer or read_viewer()
    notes = [*filter(None, [viewer.problem]), *built.notes]
    shown = bool(viewer.code)
    blocks = "\n".join(
        f'<script type="text/plain" id="volume-{name}">{text}</script>'
        for name, text in (built.texts if shown else {}).items()
    )
    captions = {role: said.captions[role] for role in ROLES if role in built.texts}
    places = {
        "panes": _panes(captions),
        "frames": said.frames,
        "frame_keys": _FRAME_KEYS if said.frames else "",
    }
    scripts = [viewer.code, *(part(f"{name}.js") for name in _SCRIPTS)] if shown else []
    return fill(
        part("page.html"),
        {
            "title": escape(said.title),
            "style": part("page.css"),
            "verdict": said.verdict,
            "viewer": fill(part("viewer.html"), places) if shown else "",
            "facts": said.facts,
            "notes": items(notes),
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


def _panes(captions: Mapping[str, str]) -> str:
    """A place for each image: niivue's canvas, and one above it to draw on."""
    return "\n".join(
        f'<figure class="pane" data-role="{role}">'
        f"<figcaption>{escape(caption)}</figcaption>"
        '<div class="view"><div class="gl"><canvas></canvas></div>'
        '<canvas class="ink" aria-hidden="true"></canvas></div></figure>'
        for role, caption in captions.items()
    )
