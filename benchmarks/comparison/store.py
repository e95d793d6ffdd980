"""The file of results: what an interrupted run goes on from, and what tables show.

Every result is bound to the data of its pair, the settings of its method, the versions
of the programs and the number of threads. What is bound otherwise is measured again.
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files import replacing

# Raised when the same transform would be measured otherwise.
MEASURES_VERSION = 1


def digest(value: object) -> str:
    """16 digits that stand for a JSON value."""
    text = json.dumps([MEASURES_VERSION, value], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def folder_digest(folder: Path, pattern: str) -> str:
    """16 digits that stand for the files of a folder, and those in it."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob(pattern)):
        if path.is_file():
            total.update(path.relative_to(folder).as_posix().encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]


class Store:
    """Results in one JSON file, one line each; several runs may share it.

    Args:
        path: It is made when the first result comes.
        manifest: Name of the manifest that the pairs are from.

    Raises:
        InputError: If there is another file.
    """

    def __init__(self, path: Path, manifest: str) -> None:
        self.path, self.manifest = path, manifest
        self.contents = {"manifest": manifest, "methods": {}, "results": []}
        self._refresh()

    def find(self, pair: str, method: str, binding: dict, data: str) -> dict | None:
        """The result of a pair and method, if there is one that is bound alike."""
        bound = {"binding": digest(binding), "data": data}
        for result in self.contents["results"]:
            if (result["pair"], result["method"]) == (pair, method):
                return result if bound.items() <= result.items() else None
        return None

    def add(
        self, pair: str, method: str, binding: dict, data: str, numbers: dict
    ) -> dict:
        """Puts a result in the place of an older one, and writes the file."""
        bound = {"binding": digest(binding), "data": data}
        result = {"pair": pair, "method": method, **bound, **numbers}
        with self._locked():
            self._refresh()
            others = [
                other
                for other in self.contents["results"]
                if (other["pair"], other["method"]) != (pair, method)
            ]
            self.contents["results"] = sorted(
                [*others, result], key=lambda r: (r["method"], r["pair"])
            )
            self.contents["methods"][method] = {**binding, "digest": bound["binding"]}
            with replacing(self.path) as unfinished:
                unfinished.write_text(as_json(self.contents))
        return result

    def _refresh(self) -> None:
        if not self.path.exists():
            return
        try:
            contents = json.loads(self.path.read_text())
            manifest = contents["manifest"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self.path}: isn't a file of results; choose another --output"
            ) from error
        if manifest != self.manifest:
            raise InputError(
                f"{self.path}: has results for {manifest}, not for {self.manifest}; "
                "choose another --output"
            )
        self.contents = contents

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keeps other runs from writing between our reading and our writing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def current_results(contents: dict) -> dict[str, dict[str, dict]]:
    """Method to pair to result, of the binding that each method was last run with."""
    found: dict[str, dict[str, dict]] = {}
    for result in contents["results"]:
        method = result["method"]
        if result["binding"] == contents["methods"][method]["digest"]:
            found.setdefault(method, {})[result["pair"]] = result
    return found


def as_json(contents: dict) -> str:
    """JSON with one line a result, so that changes can be read."""
    lines = [json.dumps(result) for result in contents["results"]]
    head = json.dumps({k: v for k, v in contents.items() if k != "results"}, indent=2)
    body = ",\n    ".join(lines)
    return f'{head[:-2]},\n  "results": [\n    {body}\n  ]\n}}\n'
