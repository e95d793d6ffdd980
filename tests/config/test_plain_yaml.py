"""What no config has to say is refused in a sentence, and at once."""

import itertools
import os

import pytest

from dlir_tf.config import load_config, parse_config, preset_text
from dlir_tf.config.plain_yaml import DEEPEST, dump_yaml, load_yaml
from dlir_tf.errors import InputError

DEMO = preset_text("demo")
_LETTERS = "abcdefgh"

# Each with what its message names.
DANGEROUS = {
    "an alias bomb": (
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
            for old, new in itertools.pairwise(_LETTERS)
        ),
        "line 2: not valid YAML: aliases",
    ),
    "one alias": ("ndim: &n 3\nspacing: *n\n", "line 2: not valid YAML: aliases"),
    "a merge key": ("a: &a {x: 1}\nb: {<<: *a}\n", "line 2: not valid YAML: aliases"),
    "deep lists": ("ndim: " + "[" * 5000, "levels deep"),
    "deep mappings": ("{a: " * 3000, "levels deep"),
    "a long integer": (f"ndim: {'1' * 100_000}", "more than 50 digits"),
    "a long float": (f"ndim: 1.{'1' * 100_000}", "more than 50 digits"),
    "a long number with a tag": (f"ndim: !!int '{'1' * 9000}'", "more than 50 digits"),
    "a huge text": ("# " + "x" * 1_000_001, "at most 1,000,000 characters"),
    "a day that isn't": ("description: 2001-13-45", "month must be"),
    "an object": ("ndim: !!python/object/apply:os.system ['true']", "line 1"),
    "a number that isn't": ("ndim: !!int 'three'", "invalid literal"),
    "a key that is a list": ("[1, 2]: 3", "line 1"),
    "a bare tag": ("ndim: !!timestamp x", "can't be read"),
    "control characters": ("ndim: \x07", "not valid YAML"),
}


@pytest.mark.parametrize("name", DANGEROUS)
def test_danger_is_refused(name):
    text, told = DANGEROUS[name]
    with pytest.raises(InputError) as caught:
        parse_config(text, "c.yaml")
    message = str(caught.value)
    assert message.startswith("c.yaml")
    assert told in message
    assert len(message) < 1000


def test_as_deep_as_is_allowed():
    nested = "[" * (DEEPEST - 1) + "1" + "]" * (DEEPEST - 1)
    data = load_yaml(nested)
    for _ in range(DEEPEST - 1):
        (data,) = data
    assert data == 1


def test_long_values_and_many_problems_are_shortened():
    many = "".join(f"unknown_{number}: 1\n" for number in range(500))
    with pytest.raises(InputError) as caught:
        parse_config(DEMO + many + f"axes: {'x' * 5000}\n", "c.yaml")
    lines = str(caught.value).splitlines()
    assert lines[-1].endswith("more like these")
    assert len(lines) == 11
    assert max(map(len, lines)) < 400


@pytest.mark.parametrize(
    "value", ["1e-3", "yes", "null", "2001-01-01", "*x", "&y", "007"]
)
def test_texts_come_back_as_texts(value):
    assert load_yaml(dump_yaml({"description": value})) == {"description": value}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_is_no_config(tmp_path):
    os.mkfifo(tmp_path / "config.yaml")
    with pytest.raises(InputError, match="isn't a plain file"):
        load_config(tmp_path / "config.yaml")
