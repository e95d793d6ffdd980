"""Running an exported model in a process that knows nothing of dlir_tf."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.export import ExportError

Arrays = dict[str, np.ndarray]

_SCRIPT = Path(__file__).with_name("replay.py")


@dataclass(frozen=True, eq=False)
class Replay:
    """What a fresh process received.

    Attributes:
        outputs: For each call the outputs by name, and `seconds`: of the first call,
            and the median of some later ones.
        peak_mb: The most memory that the process had, TensorFlow included.
    """

    outputs: list[Arrays]
    peak_mb: float


def run_in_fresh_process(folder: Path, calls: list[tuple[str, Arrays]]) -> Replay:
    """Calls signatures of a SavedModel by plain TensorFlow, on the CPU.

    Args:
        folder: The SavedModel.
        calls: The signature and the inputs of each call.

    Raises:
        ExportError: If it can't be loaded or run, or needs dlir_tf or Keras for it.
    """
    with tempfile.TemporaryDirectory(prefix="dlir-tf-") as exchange:
        inputs, outputs = Path(exchange, "inputs.npz"), Path(exchange, "outputs.npz")
        arrays: dict[str, Any] = {
            f"{number}/{signature}/{name}": array
            for number, (signature, given) in enumerate(calls)
            for name, array in given.items()
        }
        np.savez(inputs, **arrays)
        _run_script(folder, inputs, outputs)
        return _read(outputs, len(calls))


def _run_script(folder: Path, inputs: Path, outputs: Path) -> None:
    # A GPU's memory belongs to the process that started this one.
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    # -P: neither the script's folder nor the current one is searched for modules,
    # whatever lies there under the name of one.
    command = [sys.executable, "-P", str(_SCRIPT), str(folder), str(inputs)]
    run = subprocess.run(  # noqa: S603 - our own script and our own files
        [*command, str(outputs)],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
        raise ExportError(
            "the exported model can't be loaded and run by TensorFlow alone, in a "
            f"fresh process: {lines[-1]}"
        )


def _read(path: Path, num_calls: int) -> Replay:
    outputs: list[Arrays] = [{} for _ in range(num_calls)]
    with np.load(path) as arrays:
        for key in arrays.files:
            if "/" in key:
                number, _, name = key.split("/")
                outputs[int(number)][name] = arrays[key]
        return Replay(outputs, float(arrays["peak_mb"]))
