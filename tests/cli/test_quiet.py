"""What TensorFlow says while it's imported is kept off the screen, nothing else."""

import logging
import os
import subprocess
import sys

import pytest

from dlir_tf.cli import main

LOAD = """
import logging
import os
import sys
from dlir_tf.cli.work.quiet import load_keras
load_keras()
print("keras" in sys.modules)
if "keras" in sys.modules:
    import tensorflow as tf
    tf.zeros(1)
if "TELL_ONEDNN" in os.environ:
    print(os.environ["TF_ENABLE_ONEDNN_OPTS"])
print("of our own", file=sys.stderr)
"""


def _run(**environment):
    own = ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS")
    kept = {k: v for k, v in os.environ.items() if k not in own}
    return subprocess.run(
        [sys.executable, "-c", LOAD],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("environment", [{}, {"TF_CPP_MIN_LOG_LEVEL": "2"}])
def test_keras_is_loaded_in_silence(environment):
    done = _run(**environment)
    assert (done.stdout, done.stderr) == ("True\n", "of our own\n")


def test_who_wants_to_read_all_of_it_can():
    """Then it's left to whoever needs Keras to import it, with stderr open."""
    done = _run(TF_CPP_MIN_LOG_LEVEL="0")
    assert (done.stdout, done.stderr) == ("False\n", "of our own\n")


def test_an_import_that_fails_opens_stderr_again(tmp_path):
    (tmp_path / "keras.py").write_text("raise ImportError('no keras here')\n")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        _run(PYTHONPATH=str(tmp_path))
    assert caught.value.stderr.endswith("ImportError: no keras here\n")


@pytest.mark.parametrize(
    ("environment", "expected"), [({}, "1"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "0")]
)
def test_onednn_is_on_unless_the_user_says_otherwise(environment, expected):
    done = _run(TELL_ONEDNN="yes", **environment)
    assert done.stdout.splitlines()[-1] == expected


@pytest.mark.parametrize("library", ["tensorflow", "matplotlib"])
@pytest.mark.parametrize(("level", "shown"), [("2", False), ("0", True)])
def test_hints_to_programmers_are_kept_off_the_screen(
    library, level, shown, monkeypatch
):
    logger = logging.getLogger(library)
    before = logger.level
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    try:
        logger.setLevel(logging.WARNING)
        main(["info", "--preset", "demo"])
        assert logger.isEnabledFor(logging.WARNING) == shown
        assert logger.isEnabledFor(logging.ERROR)
    finally:
        logger.setLevel(before)
