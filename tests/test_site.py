"""The documentation as a site: every page is there, no link is dead."""

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import click
import pytest
import yaml

import dlir_tf
from dlir_tf.cli.main import COMMANDS, group

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
NAV = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """All pages, built as `make docs` builds them: a warning is an error."""
    for name in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(name, reason=f"{name} isn't installed (extra docs)")
    folder = tmp_path_factory.mktemp("site")
    words = ["-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {
        **os.environ,
        "NO_MKDOCS_2_WARNING": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def named(entries):
    """All pages of a part of the navigation."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            yield from named(next(iter(entry.values())))


def test_the_site_builds_without_a_warning(site):
    for page in named(NAV):
        text = (site / page).with_suffix(".html").read_text("utf-8")
        assert "<h1" in text, page


def test_nothing_is_loaded_from_elsewhere(site):
    """Neither fonts nor scripts: a page opens without a network."""
    asks = re.compile(
        r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\s>]*"
        r"|<link\b(?![^>]*rel=[\"']?canonical)[^>]*\bhref=[\"']?(?:https?:)?//[^\s>]*"
        r"|url\([\"']?(?:https?:)?//[^)]*|@import[^;]*//[^;]*"
    )
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        assert asks.findall(path.read_text("utf-8")) == [], path.name


def test_links_and_pictures_lead_to_files_of_the_site(site):
    links = re.compile(r"(?:href|src)=\"?([^\"\s>]+)")
    for path in site.rglob("*.html"):
        if path.name == "404.html":
            continue  # its links are from the root of a server
        for target in links.findall(path.read_text("utf-8")):
            file = unescape(target).split("#")[0].split("?")[0]
            if file and not re.match(r"\w+:", file):
                assert (path.parent / file).exists(), f"{path.name}: {target}"


def test_all_commands_and_their_options_are_described(site):
    text = unescape((site / "reference" / "commands.html").read_text("utf-8"))
    context = click.Context(group)
    for name in COMMANDS:
        assert f'id="dlir-tf-{name}"' in text
        for parameter in group.get_command(context, name).params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                longest = max(parameter.opts, key=len)
                assert re.search(rf"<code>[^<]*{longest}\b", text), (name, longest)


def test_all_public_names_are_described(site):
    text = (site / "reference" / "python.html").read_text("utf-8")
    modules = {"layers", "losses", "__version__"}
    for name in set(dlir_tf.__all__) - modules:
        found = getattr(dlir_tf, name)
        assert f'id="{found.__module__}.{found.__qualname__}"' in text, name
    for part in (dlir_tf.layers, dlir_tf.losses):
        public = [name for name in vars(part) if callable(getattr(part, name))]
        assert len(public) >= 5
        for name in public:
            assert re.search(rf'id="{part.__name__}\.[\w.]*{name}"', text), name


def test_every_picture_of_the_site_is_drawn_by_the_script():
    script = (DOCS / "draw.py").read_text("utf-8")
    pictures = sorted((DOCS / "assets").iterdir())
    assert len(pictures) >= 3
    for picture in pictures:
        assert f'"{picture.stem}"' in script or f'"{picture.name}"' in script
