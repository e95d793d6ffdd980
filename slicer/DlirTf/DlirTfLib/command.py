"""Runs `dlir-tf register` as a program of its own, and tells how far it is.

Slicer has a Python of its own, 3.9 in older versions, in which TensorFlow need not be;
so nothing of dlir-tf is imported here, and no module of Slicer either.
"""

import json
import queue
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

# What is written into the folder of a registration, by the options of the command.
FILES = {
    "--output": "moved.nrrd",
    "--transform": "transform.h5",
    "--report": "report.json",
    "--page": "result.html",
}

# How long a command that is cancelled may clear up.
_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Choice:
    """What registers the two volumes.

    Attributes:
        model: A model folder, a `.tflite` file or the name of a model that ships.
        preset: A preset or a config file, instead of a model. With neither, settings
            are chosen by the two volumes.
        refine: Steps of refinement at most; `None` for what the command does by itself.
    """

    model: str = ""
    preset: str = ""
    refine: Optional[int] = None


def command_line(
    program: str, fixed: Path, moving: Path, folder: Path, choice: Choice
) -> list[str]:
    """The words of the command.

    Args:
        program: `dlir-tf`, or where it is.
        fixed: The file of the fixed volume.
        moving: That of the moving one.
        folder: Where the results go.
        choice: What registers them.

    Raises:
        ValueError: If there is no program, or both a model and a preset.
    """
    if not program.strip():
        raise ValueError("Say where the program dlir-tf is (pip install dlir-tf).")
    if choice.model and choice.preset:
        raise ValueError("Choose a model or a preset, not both.")
    words = [program, "register", str(fixed), str(moving)]
    for option, name in FILES.items():
        words += [option, str(folder / name)]
    if choice.model:
        words += ["--model", choice.model]
    if choice.preset:
        words += ["--preset", choice.preset]
    if choice.refine is not None:
        words += ["--refine", str(choice.refine)]
    return words


class Run:
    """A command that is running.

    Args:
        words: The command.
        environment: In which it runs: Slicer's own would lead it to Slicer's libraries.
    """

    def __init__(self, words: list[str], environment: Mapping[str, str]) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        self.said: list[str] = []
        try:
            self._process = subprocess.Popen(  # noqa: S603, words that the user chose
                words,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=dict(environment),
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise ValueError(
                f"{words[0]} can't be started: {error.strerror}."
            ) from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        stream = self._process.stderr
        if stream is not None:
            for line in stream:
                self._lines.put(line.rstrip())

    def new_lines(self) -> list[str]:
        """What was said since the last call; returns at once."""
        found = []
        while not self._lines.empty():
            found.append(self._lines.get())
        self.said += found
        return found

    @property
    def finished(self) -> bool:
        """Whether it has ended, and all that it said was read."""
        return self._process.poll() is not None and not self._reader.is_alive()

    @property
    def problem(self) -> Optional[str]:
        """Why it failed, once it's finished; `None` if it didn't."""
        self.new_lines()
        if self._process.returncode == 0:
            return None
        errors = [line for line in self.said if line.startswith("Error: ")]
        last = (errors or self.said or ["it ended without a word"])[-1]
        return last.removeprefix("Error: ")

    def cancel(self) -> None:
        """Ends it; what it had begun to write goes."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:  # Slicer's windows stand still meanwhile
            self._process.kill()
            self._process.wait()


def missing_file(folder: Path) -> Optional[str]:
    """The name of a file that a command was to write and didn't, if there is one."""
    return next((n for n in FILES.values() if not (folder / n).is_file()), None)


def verdict_of(folder: Path) -> str:
    """The verdict of a report and its reasons, as a sentence."""
    report = json.loads((folder / FILES["--report"]).read_text("utf-8"))
    reasons = "; ".join(report.get("reasons", ()))
    return f"{report['verdict']}: {reasons}" if reasons else report["verdict"]
