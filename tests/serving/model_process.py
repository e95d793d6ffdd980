"""A server for the tests: our stand-in, or a real one that DLIR_TF_SERVING names.

For a real one, write the models first and let it serve them:

    python tests/serving/served_models.py /srv/models
    docker run -p 8500:8500 -p 8501:8501 -v /srv/models:/models \
        tensorflow/serving:2.20.0 --model_config_file=/models/models.config
    DLIR_TF_SERVING=localhost:8500 pytest tests/serving

Its REST is looked for at the next port, as the image has it.
"""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

HERE = Path(__file__).parent


@contextlib.contextmanager
def served(write, folder):
    """Starts a server of the models that `write` writes, or takes the real one."""
    real = os.environ.get("DLIR_TF_SERVING")
    if real:
        host, _, port = real.rpartition(":")
        rest = f"http://{host}:{int(port) + 1}"
        yield SimpleNamespace(grpc=real, rest=rest, own=False)
        return
    write(folder)
    command = [sys.executable, str(HERE / "model_server.py"), str(folder)]
    process = subprocess.Popen(
        [*command, "--loading", "slow"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        yield SimpleNamespace(**json.loads(process.stdout.readline()), own=True)
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()
