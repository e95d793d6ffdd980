"""What MkDocs can't do by itself: the repository's own pages, and the commands.

Pages in `docs/` are read on GitHub, too, so they link to files of the repository. Here,
those that are pages come along (`BESIDE`), and links to others become plain text. The
reference of all commands is made of what click knows, so it can't be out of date.
"""

import inspect
import os
import re
from pathlib import Path
from typing import Any

import click
from mkdocs.structure.files import File

from dlir_tf.cli.main import COMMANDS, group

ROOT = Path(__file__).resolve().parents[1]
BESIDE = {
    "ARCHITECTURE.md": "project/architecture.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "README.md": "project/readme.md",
    "SECURITY.md": "project/security.md",
    "benchmarks/README.md": "project/benchmark-scripts.md",
}
_SOURCES = {page: source for source, page in BESIDE.items()}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:)([^)#\s]*)(#[^)\s]*)?\)")
_CODE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_COMMANDS = "<!-- all commands -->"


def on_files(files: Any, config: Any) -> Any:
    """Adds the repository's own pages."""
    for source, page in BESIDE.items():
        text = (ROOT / source).read_text("utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Leads links to where their pages are on the site, and lists the commands."""
    here = page.file.src_uri
    if here == "reference/commands.md":
        markdown = markdown.replace(_COMMANDS, all_commands())
    source = _SOURCES.get(here, f"docs/{here}")
    # Links that stand in code are code.
    parts = _CODE.split(markdown)
    for number in range(0, len(parts), 2):
        parts[number] = _LINK.sub(
            lambda match: _led(match, source, here), parts[number]
        )
    return "".join(parts)


def _led(match: re.Match[str], source: str, here: str) -> str:
    """A link of a file of the repository, as it has to be on the site."""
    image, text, target, anchor = match.groups(default="")
    if not target:
        return match[0]
    path = os.path.normpath(os.path.join(os.path.dirname(source), target))
    page = BESIDE.get(path, path.removeprefix("docs/"))
    if page == path:  # not one of the site
        if not (ROOT / path).exists():
            return match[0]  # which the strict build refuses
        return text
    return f"{image}[{text}]({os.path.relpath(page, os.path.dirname(here))}{anchor})"


def all_commands() -> str:
    """The reference of all commands, as Markdown."""
    context = click.Context(group, info_name="dlir-tf")
    parts = []
    for name in COMMANDS:
        command = group.get_command(context, name)
        if command is None:
            raise LookupError(f"dlir-tf {name}: there is no such command")
        parts.append(_command(command, click.Context(command, context, name)))
    return "\n\n".join(parts)


def _command(command: click.Command, context: click.Context) -> str:
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [f"## dlir-tf {context.info_name}", ""]
    lines += ["```text", f"dlir-tf {context.info_name} {usage}", "```", ""]
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("Example:"):
            example = paragraph.removeprefix("Example:").strip()
            joined = re.sub(r"\s*\\?\n\s*", " ", example)
            lines += ["```text", joined, "```", ""]
        else:
            lines += [paragraph, ""]
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            names, text = record
            lines += [f"`{names}`", f":   {_plain(text)}", ""]
    return "\n".join(lines).rstrip()


def _plain(text: str) -> str:
    """A help text in which nothing counts as Markdown or HTML."""
    text = " ".join(text.split())
    return re.sub(r"([\\`*_{}\[\]<>|])", r"\\\1", text)
