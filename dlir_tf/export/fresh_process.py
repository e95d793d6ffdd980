"""Running an exported model in a process that knows nothing of dlir_tf."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.export import ExportError

Arrays = dict[str, np.ndarray]

_SCRIPT = Path(__file__).with_name("replay.py")


def run_in_fresh_process(folder: Path, pairs: list[Arrays]) -> list[Arrays]:
    """Runs a SavedModel's default signature by plain TensorFlow, on the CPU.

    Args:
        folder: The SavedModel.
        pairs: The inputs of each call, by name.

    Returns:
        For each pair the outputs by name, and the `seconds` it took.

    Raises:
        ExportError: If it can't be loaded or run, or imports dlir_tf.
    """
    with tempfile.TemporaryDirectory(prefix="dlir-tf-") as exchange:
        inputs, outputs = Path(exchange, "inputs.npz"), Path(exchange, "outputs.npz")
        _write(inputs, pairs)
        _run_script(folder, inputs, outputs)
        return _read(outputs, len(pairs))


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


def _write(path: Path, pairs: list[Arrays]) -> None:
    arrays: dict[str, Any] = {
        f"{number}/{name}": array
        for number, pair in enumerate(pairs)
        for name, array in pair.items()
    }
    np.savez(path, **arrays)


def _read(path: Path, num_pairs: int) -> list[Arrays]:
    outputs: list[Arrays] = [{} for _ in range(num_pairs)]
    with np.load(path) as arrays:
        for key in arrays.files:
            number, name = key.split("/")
            outputs[int(number)][name] = arrays[key]
    return outputs
