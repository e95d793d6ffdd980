"""niivue, the viewer that a page holds: where it came from, and whether it's whole.

`python -m dlir_tf.page.vendor` fetches the version that is named here from the npm
registry, by `npm`, and puts its built file beside this module, compressed and with its
checksum. It is run to change the version; whoever installs dlir-tf has the file.
"""

import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

VERSION = "0.69.0"
PACKAGE = "@niivue/niivue"
LICENSE = "BSD-2-Clause"
FOLDER = Path(__file__).parent / "niivue"
BUILT = "niivue.umd.js"
STORED = f"{BUILT}.gz"
ORIGIN = "origin.json"


@dataclass(frozen=True)
class Viewer:
    """The viewer's code, or why there is none.

    Attributes:
        code: A script that makes a global `niivue`; empty if there is none.
        version: As its origin states it.
        problem: Why there is no code, a sentence; empty if there is.
    """

    code: str
    version: str
    problem: str = ""


def read_viewer(folder: Path = FOLDER) -> Viewer:
    """Reads niivue, if it's there and is what was vendored.

    Args:
        folder: Where it lies.
    """
    try:
        origin = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
        stored = (folder / STORED).read_bytes()
    except (OSError, ValueError):
        return Viewer(
            "",
            "",
            f"The viewer niivue isn't installed with dlir-tf ({STORED} is missing), so "
            "this page holds the report without images; install dlir-tf again.",
        )
    try:
        code = gzip.decompress(stored)
    except (OSError, EOFError, zlib.error):
        code = b""
    if hashlib.sha256(code).hexdigest() != origin["sha256"]:
        return Viewer(
            "",
            origin["version"],
            f"The viewer niivue is damaged (the checksum of {STORED} is another one), "
            "so this page holds the report without images; install dlir-tf again.",
        )
    return Viewer(code.decode("utf-8"), origin["version"])


def main() -> None:
    """Fetches niivue, and replaces what is there."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm isn't installed; niivue comes from its registry")
    with tempfile.TemporaryDirectory() as scratch:
        subprocess.run(  # noqa: S603 (a command of ours)
            [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent"], cwd=scratch, check=True
        )
        (archive,) = Path(scratch).glob("*.tgz")
        with tarfile.open(archive) as files:
            stated = json.load(_member(files, "package.json"))
            code = _member(files, f"dist/{BUILT}").read()
    if (stated["version"], stated["license"]) != (VERSION, LICENSE):
        raise SystemExit(f"niivue says {stated['version']} {stated['license']}")
    if b"</script" in code or b"<!--" in code:
        raise SystemExit("the code would end the script that it stands in")
    origin = {
        "package": PACKAGE,
        "version": VERSION,
        "license": LICENSE,
        "file": f"dist/{BUILT}",
        "sha256": hashlib.sha256(code).hexdigest(),
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / STORED).write_bytes(gzip.compress(code, 9, mtime=0))
    text = json.dumps(origin, indent=2) + "\n"
    (FOLDER / ORIGIN).write_text(text, encoding="utf-8")


def _member(files: tarfile.TarFile, name: str) -> IO[bytes]:
    stream = files.extractfile(f"package/{name}")
    if stream is None:
        raise SystemExit(f"niivue's package has no {name}")
    return stream


if __name__ == "__main__":
    main()
