"""Python 3.11 with TensorFlow 2.15.1 and TensorFlow Addons, run as a subprocess."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
# They import what today's environment hasn't got.
collect_ignore_glob = ["run_*.py"]
ENVIRONMENT = HERE.parents[1] / ".venv-legacy"

Arrays = dict[str, np.ndarray]
RunLegacy = Callable[..., Arrays]


@pytest.fixture(scope="session")
def run_legacy(tmp_path_factory: pytest.TempPathFactory) -> RunLegacy:
    """Runs a script of this folder there; gives it arrays and returns its own."""
    if not (ENVIRONMENT / "ready").is_file():
        pytest.skip(f"{ENVIRONMENT.name} isn't there (make legacy says why)")

    def run(script: str, inputs: Arrays, *arguments: str) -> Arrays:
        folder = tmp_path_factory.mktemp("legacy")
        np.savez(folder / "inputs.npz", **inputs)
        command = [ENVIRONMENT / "bin" / "python", "-P", HERE / script]
        files = [folder / "inputs.npz", folder / "outputs.npz"]
        # Nothing of today's environment must be found there.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        done = subprocess.run(
            [*command, *files, *arguments],
            env={**kept, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        with np.load(files[1]) as outputs:
            return dict(outputs)

    return run
