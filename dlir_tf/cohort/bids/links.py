"""Datasets that images come from, and what these images are called by a BIDS URI."""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote

from dlir_tf.pairs.manifest import Pair

DESCRIPTION = "dataset_description.json"
_OTHERS = re.compile(r"[^0-9a-zA-Z_.-]+")


class Links:
    """Names for the datasets that a derivative's images come from.

    Args:
        output: The folder of the derivative. What its description calls datasets
            already, they stay called.
        pairs: All pairs that there are.
    """

    def __init__(self, output: Path, pairs: Iterable[Pair]) -> None:
        self._output = Path(os.path.abspath(output))
        self._described: dict[Path, Path | None] = {}
        self.names: dict[Path, str] = {}
        for name, where in linked_datasets(read_description(output)).items():
            root = os.path.normpath(self._output / unquote(where))
            self.names.setdefault(Path(root), name)
        for pair in pairs:
            for file in pair.files:
                self._add(self._root_of(Path(os.path.abspath(file))))

    def uri(self, path: Path) -> str:
        """What a file is called: `bids:DATASET:PATH`.

        Args:
            path: Of one of the pairs, or of the derivative.
        """
        path = Path(os.path.abspath(path))
        root = self._root_of(path)
        name = "" if root == self._output else self.names[root]
        return f"bids:{name}:{quote(path.relative_to(root).as_posix())}"

    def as_json(self) -> dict[str, str]:
        """The datasets by their names, as paths from the derivative's folder."""
        told = {}
        for root, name in self.names.items():
            try:
                where = os.path.relpath(root, self._output)
                told[name] = quote(Path(where).as_posix())
            except ValueError:  # another drive of Windows
                told[name] = root.as_uri()
        return told

    def _add(self, root: Path) -> None:
        if root == self._output or root in self.names:
            return
        plain = _OTHERS.sub("", root.name) or "dataset"
        taken, name, number = set(self.names.values()), plain, 2
        while name in taken:
            name, number = f"{plain}{number}", number + 1
        self.names[root] = name

    def _root_of(self, path: Path) -> Path:
        """The dataset that a file is in.

        That is the nearest folder with a description; else the one that has the
        subject's folder, or the file.
        """
        folder = path.parent
        if (root := self._described_above(folder)) is not None:
            return root
        for each in (folder, *folder.parents):
            if each.name.startswith(("sub-", "tpl-")):
                return each.parent
        return folder

    def _described_above(self, folder: Path) -> Path | None:
        """The nearest folder with a description; each is looked at once."""
        if folder not in self._described:
            is_root = (folder / DESCRIPTION).is_file()
            is_top = folder.parent == folder
            above = None if is_root or is_top else self._described_above(folder.parent)
            self._described[folder] = folder if is_root else above
        return self._described[folder]


def read_description(folder: Path) -> dict[str, object] | None:
    """What a dataset's description says; `None` if there is none that can be read."""
    try:
        told = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def linked_datasets(description: dict[str, object] | None) -> dict[str, str]:
    """The datasets that a description names."""
    links = (description or {}).get("DatasetLinks")
    if not isinstance(links, dict):
        return {}
    return {name: where for name, where in links.items() if isinstance(where, str)}
