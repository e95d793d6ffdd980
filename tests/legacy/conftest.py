"""Python 3.11 with TensorFlow 2.15.1 and TensorFlow Addons, run as a subprocess.

Nothing of that environment is ever imported here, nor the other way round: only
files of NumPy arrays pass between the two.
"""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
# It imports what today's environment hasn't got.
collect_ignore_glob = ["run_*.py"]
MADE_BY_MAKE = HERE.parents[1] / ".venv-legacy"


@pytest.fixture(scope="session")
def legacy_python():
    """The interpreter: `DLIR_TF_LEGACY_PYTHON`, or that of `make legacy`."""
    chosen = os.environ.get("DLIR_TF_LEGACY_PYTHON")
    if chosen:
        return Path(chosen)
    if not (MADE_BY_MAKE / "ready").is_file():
        pytest.skip("no environment with TensorFlow 2.15.1: `make legacy` makes it")
    return MADE_BY_MAKE / "bin" / "python"


@pytest.fixture(scope="session")
def run_legacy(legacy_python, tmp_path_factory):
    """Runs `SCRIPT ARGUMENT... INPUTS OUTPUTS` there, and returns its arrays."""

    def run(script, *arguments, inputs):
        folder = tmp_path_factory.mktemp("legacy")
        files = [folder / "inputs.npz", folder / "outputs.npz"]
        np.savez(files[0], **inputs)
        # Nothing of today's environment must be found there, hence -P as well.
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        done = subprocess.run(
            [legacy_python, "-P", script, *arguments, *files],
            env={**kept, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        with np.load(files[1]) as outputs:
            return dict(outputs)

    return run
