"""Running an exported model in a process that knows nothing of dlir_tf."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlir_tf.errors import REPORT_IT, ExportError
from dlir_tf.export.replay import NOT_WRITTEN
from dlir_tf.export.scratch import scratch_folder

Arrays = dict[str, np.ndarray]

_KILLED = 9  # what the system does when memory runs out
_SCRIPT = Path(__file__).with_name("replay.py")


@dataclass(frozen=True, eq=False)
class Call:
    """What a fresh process is asked.

    Attributes:
        signature: The signature's name.
        inputs: By name; those that the signature of a SavedModel doesn't have are
            left out.
        timed: Whether the call is made some times more, to know how long it takes.
    """

    signature: str
    inputs: Arrays
    timed: bool = False


@dataclass(frozen=True, eq=False)
class Answer:
    """What a fresh process answered to a call.

    Attributes:
        outputs: By name.
        peak_mb: The most memory that the process had until then, its runtime included.
        first_seconds: How long the call took; 0 if it wasn't timed.
        seconds: The median of some later ones.
    """

    outputs: Arrays
    peak_mb: float
    first_seconds: float = 0.0
    seconds: float = 0.0


def run_in_fresh_process(exported: Path, calls: list[Call]) -> list[Answer]:
    """Calls signatures of an exported model by its runtime alone, on the CPU.

    Args:
        exported: The folder of a SavedModel, or a TFLite file.
        calls: Made in this order; answered likewise.

    Raises:
        ExportError: If it can't be loaded or run, or needs dlir_tf or Keras for it.
        WriteError: If the disk for temporary files has no room for what is exchanged.
    """
    inputs = {
        f"{number}/{call.signature}/{name}": array
        for number, call in enumerate(calls)
        for name, array in call.inputs.items()
    }
    inputs["timed"] = np.flatnonzero([call.timed for call in calls])
    answered: list[Arrays] = [{} for _ in calls]
    for key, array in _run_script(exported, inputs).items():
        number, _, name = key.split("/")
        answered[int(number)][name] = array
    return [_answer(arrays) for arrays in answered]


def _answer(arrays: Arrays) -> Answer:
    first, later = arrays.pop("seconds", (0.0, 0.0))
    peak_mb = float(arrays.pop("peak_mb"))
    return Answer(arrays, peak_mb, float(first), float(later))


def _failure(exported: Path, code: int, said: str) -> ExportError:
    """Makes an error of the exit code of the script and of what it said last."""
    what, runtime, package = (
        ("model", "TensorFlow", "tensorflow")
        if exported.is_dir()
        else ("file", "LiteRT", "ai-edge-litert")
    )
    lines = said.strip().splitlines()
    why = lines[-1] if lines else f"exit code {code}"
    cure = (
        f"install {package} in the version that dlir-tf asks for; if that is there, "
        f"{REPORT_IT}"
    )
    if code == -_KILLED:
        why, cure = "it was killed", "if memory ran out, export where there is more"
    return ExportError(
        f"the exported {what} can't be loaded and run by {runtime} alone, in a fresh "
        f"process: {why}; {cure}"
    )


def _run_script(exported: Path, inputs: Arrays) -> Arrays:
    """Runs the script and returns the arrays in its outputs."""
    # A GPU's memory belongs to the process that started this one.
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    with scratch_folder() as exchange:
        files = [exchange / "inputs.npz", exchange / "outputs.npz"]
        np.savez(files[0], **inputs)  # type: ignore[arg-type]
        # -P: neither the script's folder nor the current one is searched for modules,
        # whatever lies there under the name of one.
        command = [sys.executable, "-P", *map(str, (_SCRIPT, exported, *files))]
        run = subprocess.run(  # noqa: S603 - our own script and our own files
            command, env=environment, capture_output=True, text=True, errors="replace"
        )
        if run.returncode == NOT_WRITTEN:
            code = int(run.stderr.split()[-1])
            raise OSError(code, os.strerror(code), str(files[1]))
        if run.returncode != 0:
            raise _failure(exported, run.returncode, run.stderr)
        with np.load(files[1]) as outputs:
            return dict(outputs)
