"""Reads damaged files of every format, and says what came of it.

    python tests/robustness/fuzz.py --count 10000 --seed 1

Right is the image that was written, or one sentence of an `InputError`. Wrong is any
other exception, a signal, more than a minute, more than 1 GB beyond what the image
needs, or another image without a word where the file itself tells of the damage.
"""

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "samples"))
from mutants import mutant_of
from originals import make_originals

MOST_SECONDS, MOST_MEGABYTES = 60.0, 1000
_GUARD = Path(__file__).with_name("guard.py")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Fault:
    """A file that wasn't read right."""

    original: str
    seed: int
    how: str
    what: str


class Guard:
    """The process that reads; a new one where the last one died."""

    def __init__(self):
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, kind, path):
        """What came of reading a file."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([kind, str(path)]).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], MOST_SECONDS)
        line = process.stdout.readline() if ready else b""
        if line:
            return json.loads(line)
        if not ready:
            process.kill()
        code = process.wait()
        self._process = None
        said = f"ended with {code}" if ready else f"took over {MOST_SECONDS:g} s"
        return {"is": "wrong", "said": said, "seconds": 0, "megabytes": 0}

    def _start(self):
        path = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, str(_GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        return self._process

    def close(self):
        """Ends the process."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()


def _placed(folder, files):
    folder.mkdir()
    for name, raw in files.items():
        (folder / name).write_bytes(raw)


def _judge(answer, whole, mutant):
    """One word for a row of the table; `wrong` has its reason after it."""
    if answer["is"] == "wrong":
        return f"wrong: {answer['said']}"
    if answer["seconds"] > MOST_SECONDS or answer["megabytes"] > MOST_MEGABYTES:
        return f"wrong: {answer['seconds']} s, {answer['megabytes']} MB"
    if answer["is"] == "refused":
        return "refused"
    if answer["digest"] == whole:
        return "the same"
    if mutant.told and not answer["said"]:
        return "wrong: something else without a word"
    return "another"


def fuzz(count, first_seed, keep=None, only=""):
    """Reads so many damaged files.

    Args:
        count: How many.
        first_seed: The seed of the first; the others follow it.
        keep: A folder for the files of the faults.
        only: Part of the name of the originals to damage.

    Returns:
        For each original how often what came of it, and the faults.
    """
    originals = [o for o in make_originals() if only in o.name]
    table: dict[str, Counter] = {original.name: Counter() for original in originals}
    faults: list[Fault] = []
    guard = Guard()
    scratch = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        whole = {o.name: _read_whole(guard, scratch, o) for o in originals}
        for number in range(count):
            original = originals[number % len(originals)]
            seed = first_seed + number // len(originals)
            mutant = mutant_of(original, seed)
            folder = scratch / f"{number}"
            _placed(folder, mutant.files)
            if mutant.place is not None:
                mutant.place(folder)
            answer = guard.ask(original.kind, folder / original.name)
            verdict = _judge(answer, whole[original.name], mutant)
            table[original.name][verdict.split(":")[0]] += 1
            if verdict.startswith("wrong"):
                faults.append(Fault(original.name, seed, mutant.how, verdict))
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    kept = keep / f"{number}"
                    shutil.copytree(folder, kept, symlinks=True, ignore=_not_plain)
            shutil.rmtree(folder)
    finally:
        guard.close()
        shutil.rmtree(scratch)
    return table, faults


def _not_plain(folder, names):
    return [name for name in names if not Path(folder, name).is_file()]


def _read_whole(guard, scratch, original):
    """What the original says; it must be readable."""
    folder = scratch / "whole"
    _placed(folder, original.files)
    answer = guard.ask(original.kind, folder / original.name)
    shutil.rmtree(folder)
    if answer["is"] != "read":
        raise RuntimeError(f"{original.name}: {answer}")
    return answer["digest"]


def main():
    """Prints a table and the faults; 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for files read wrong")
    parser.add_argument("--only", default="", help="part of the original's name")
    given = parser.parse_args()
    start = time.monotonic()
    table, faults = fuzz(given.count, given.seed, given.keep, given.only)
    columns = ["the same", "refused", "another", "wrong"]
    print("| file | " + " | ".join(columns) + " |\n| --- " * 1 + "| --- " * 4 + "|")
    total: Counter = Counter()
    for name, row in table.items():
        total += row
        print(f"| {name} | " + " | ".join(str(row[c]) for c in columns) + " |")
    print("| all | " + " | ".join(str(total[c]) for c in columns) + " |")
    print(f"{total.total()} files in {time.monotonic() - start:.0f} s")
    for fault in faults:
        print(f"{fault.original}, seed {fault.seed}: {fault.how}: {fault.what}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
