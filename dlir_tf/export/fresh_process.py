"""Running an exported model in a process that knows nothing of dlir_tf."""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

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
    inputs = {
        f"{number}/{signature}/{name}": array
        for number, (signature, given) in enumerate(calls)
        for name, array in given.items()
    }
    arrays = run_script(_SCRIPT, folder, inputs, "model", "TensorFlow")
    peak_mb = float(arrays.pop("peak_mb"))
    outputs: list[Arrays] = [{} for _ in calls]
    for key, array in arrays.items():
        number, _, name = key.split("/")
        outputs[int(number)][name] = array
    return Replay(outputs, peak_mb)


def run_script(
    script: Path, exported: Path, inputs: Arrays, what: str, runtime: str
) -> Arrays:
    """Runs `script EXPORTED INPUTS OUTPUTS` and returns the arrays in its outputs.

    Args:
        script: It imports nothing but NumPy and the runtime.
        exported: What was exported.
        inputs: Stored for it as .npz.
        what: For errors, what was exported.
        runtime: For errors, what runs it.

    Raises:
        ExportError: If it fails.
    """
    # A GPU's memory belongs to the process that started this one.
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **os.environ,
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    with tempfile.TemporaryDirectory(prefix="dlir-tf-") as exchange:
        files = [Path(exchange, "inputs.npz"), Path(exchange, "outputs.npz")]
        np.savez(files[0], **inputs)  # type: ignore[arg-type]
        # -P: neither the script's folder nor the current one is searched for modules,
        # whatever lies there under the name of one.
        command = [sys.executable, "-P", *map(str, (script, exported, *files))]
        run = subprocess.run(  # noqa: S603 - our own script and our own files
            command, env=environment, capture_output=True, text=True, errors="replace"
        )
        if run.returncode != 0:
            lines = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
            raise ExportError(
                f"the exported {what} can't be loaded and run by {runtime} alone, in a "
                f"fresh process: {lines[-1]}"
            )
        with np.load(files[1]) as outputs:
            return dict(outputs)
