"""Two processes train one model, as one with the same global batch does."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from click.testing import CliRunner

from dlir_tf.cli.main import group
from dlir_tf.config import dump_config
from dlir_tf.errors import InputError
from dlir_tf.models.folder import load_model
from dlir_tf.training import train
from dlir_tf.training.checkpoint import load_checkpoint
from dlir_tf.training.workers import Workers

# Trains as the command does, and dies by signal 9 after so many steps.
DYING = """
    import os, signal, sys
    from dlir_tf.cli.main import main
    from dlir_tf.training.reporter import Silent

    def logged(self, phase, step, values):
        if step == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)

    Silent.logged = logged
    main(sys.argv[2:])
"""


def free_ports(count):
    """Ports that nobody listens at, and that the system hands to nobody else soon."""
    listeners = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def start(commands, *, dies_after=0):
    """Starts workers, the last of which may die; tells how each ended."""
    addresses = [f"localhost:{port}" for port in free_ports(len(commands))]
    processes = []
    for index, arguments in enumerate(commands):
        task = {"type": "worker", "index": index}
        said = json.dumps({"cluster": {"worker": addresses}, "task": task})
        program = ["-m", "dlir_tf"]
        if dies_after and index == len(commands) - 1:
            program = ["-c", textwrap.dedent(DYING), str(dies_after)]
        processes.append(
            subprocess.Popen(
                [sys.executable, *program, *arguments],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "TF_CONFIG": said,
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    ended = [process.communicate(timeout=400) for process in processes]
    return [
        (process.returncode, *texts)
        for process, texts in zip(processes, ended, strict=True)
    ]


@pytest.fixture
def two_commands(make_pairs, make_config, tmp_path):
    """Returns the commands of two workers, and the model that one process trains."""
    options = {
        "steps": 6,
        "validate_every": 2,
        "augmentation": {"relative": 0.5, "deformation": 0.5},
        "supervision": {"labels": 0.3},
    }
    pairs = make_pairs(5, labels=True)
    names = ("fixed", "moving", "fixed_labels", "moving_labels")
    rows = [",".join(str(getattr(pair, name)) for name in names) for pair in pairs]
    config, manifest, validation = (
        tmp_path / name for name in ("config.yaml", "pairs.csv", "validation.csv")
    )
    config.write_text(dump_config(make_config("bspline", batch_size=1, **options)))
    manifest.write_text("\n".join([",".join(names), *rows]))
    validation.write_text("\n".join([",".join(names), *rows[:3]]))

    def alone():
        chosen = make_config("bspline", batch_size=2, **options)
        folder = tmp_path / "alone"
        return train(chosen, pairs, folder, validation=pairs[:3], seed=5)

    files = ["--pairs", manifest, "--validation", validation, "--config", config]
    commands = [
        [*map(str, ["train", *files, "--seed", 5, "--output", tmp_path / name])]
        for name in ("model", "other")
    ]
    return commands, alone


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no signal 9")
def test_two_workers_train_like_one_though_one_is_killed(two_commands, tmp_path):
    commands, alone = two_commands
    (chief, killed) = start(commands, dies_after=4)
    assert killed[0] == -signal.SIGKILL
    code, printed, said = chief
    assert (code, printed) == (1, "")
    assert "Traceback" not in said
    *before, last = said.splitlines()
    assert re.match("Error: training stopped: (worker 1|another one) of the 2 ", last)
    assert "--resume" in last
    assert before[0].startswith("Worker 0 of 2, named by TF_CONFIG")
    step = load_checkpoint(tmp_path / "model" / "checkpoint.npz").progress.step
    assert 2 <= step <= 4

    ended = start([[*command, "--resume"] for command in commands])
    assert [code for code, *_ in ended] == [0, 0], ended
    assert [printed for _, printed, _ in ended] == [f"{tmp_path / 'model'}\n", ""]
    assert not (tmp_path / "other").exists()
    weights = load_model(tmp_path / "model").network.get_weights()
    before = np.concatenate([w.ravel() for w in weights])
    after = np.concatenate([w.ravel() for w in alone().network.get_weights()])
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert np.abs(after).max() > 1e-3
    rows = [
        (tmp_path / name / "training.csv").read_text().splitlines()
        for name in ("model", "alone")
    ]
    assert len(rows[0]) == len(rows[1]) == 4


def test_workers_that_would_train_other_models_are_refused():
    class Second(Workers):
        def exchange(self, data):
            return [b"one", data, b"one"]

    Second(None, 1, 3).check_same("one")
    with pytest.raises(InputError, match="worker 1 of 3 trains with another config"):
        Second(None, 1, 3).check_same("two")


def test_what_workers_find_comes_back_in_its_order():
    class Third(Workers):
        def exchange(self, data):
            return [b"[0, 3, 6]", b"[1, 4]", data]

    third = Third(None, 2, 3)
    assert list(third.own(7)) == [2, 5]
    assert third.collect([2, 5]) == list(range(7))
    assert Workers().collect([2, 5]) == [2, 5]


def test_pairs_that_are_made_need_a_worker_alone(tmp_path):
    cluster = {"worker": ["localhost:1", "localhost:2"]}
    said = {"cluster": cluster, "task": {"type": "worker", "index": 1}}
    environment = {"TF_CONFIG": json.dumps(said)}
    arguments = ["train", "--config", "general-2d", "--output", str(tmp_path / "m")]
    result = CliRunner().invoke(group, arguments, env=environment)
    assert isinstance(result.exception, InputError)
    assert "TF_CONFIG names 2 workers" in str(result.exception)
    assert "give --pairs, or --alone" in str(result.exception)
