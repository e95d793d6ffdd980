"""Settings of Keras that somebody made for other programs."""

import json
import os
import subprocess
import sys

import pytest

COMMAND = """
from dlir_tf.cli.work.quiet import load_keras
from dlir_tf.errors import InputError
try:
    load_keras()
except InputError as error:
    print(error)
else:
    import keras
    config = keras.config
    print(keras.backend.backend(), config.floatx(), config.image_data_format())
"""
LIBRARY = """
import sys
import dlir_tf
from dlir_tf.errors import InputError
try:
    dlir_tf.build_model(dlir_tf.load_config("demo"))
except InputError as error:
    print(error)
"""


def run(program, folder=None, *arguments, **environment):
    own = ("KERAS_BACKEND", "KERAS_HOME")
    kept = {k: v for k, v in os.environ.items() if k not in own}
    if folder is not None:
        kept["KERAS_HOME"] = str(folder)
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture
def keras_home(tmp_path):
    """A folder with somebody's keras.json."""

    def make(**settings):
        (tmp_path / "keras.json").write_text(json.dumps(settings))
        return tmp_path

    return make


def test_commands_do_not_read_what_others_have_set(keras_home):
    settings = {
        "backend": "torch",
        "floatx": "float16",
        "image_data_format": "channels_first",
        "epsilon": 1e-3,
    }
    told = run(COMMAND, keras_home(**settings))
    assert told == "tensorflow float32 channels_last\n"


@pytest.mark.parametrize("program", [COMMAND, LIBRARY])
@pytest.mark.parametrize("name", ["torch", "theano", "\x1b[2J"])
def test_a_backend_that_does_not_do_is_named(program, name):
    (told,) = run(program, KERAS_BACKEND=name).splitlines()
    assert told.startswith(
        f"KERAS_BACKEND is {name!r} in this environment, but dlir-tf"
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"image_data_format": "channels_first"}, "image_data_format is 'channels_"),
        ({"floatx": "float64"}, "floatx is 'float64'"),
    ],
)
def test_programs_that_import_us_are_told_which_setting_it_is(
    keras_home, settings, told
):
    assert told in run(LIBRARY, keras_home(**settings))


def test_an_empty_backend_is_none():
    assert run(COMMAND, KERAS_BACKEND="").startswith("tensorflow ")
