"""An option that is given twice counts for nobody: which of the two was meant?"""

import importlib

import click
import pytest

from dlir_tf.cli.main import COMMANDS, main
from dlir_tf.cli.server import chosen_server
from dlir_tf.errors import InputError


def command_of(name):
    return importlib.import_module(f"dlir_tf.cli.{name}").command


def once(option):
    return not (option.multiple or option.count or option.is_eager)


OPTIONS = [
    (name, option)
    for name in COMMANDS
    for option in command_of(name).params
    if isinstance(option, click.Option) and once(option)
]


def value_of(option):
    """Some values that the option takes; none if it's a flag."""
    if option.is_flag:
        return []
    kind = option.type
    if isinstance(kind, click.Choice):
        return [kind.choices[0]]
    return ["1"] * option.nargs


def test_every_command_is_there():
    assert {name for name, _ in OPTIONS} == set(COMMANDS)


@pytest.mark.parametrize(
    ("name", "option"), OPTIONS, ids=[f"{name}{o.opts[0]}" for name, o in OPTIONS]
)
def test_an_option_given_twice_is_refused(name, option, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [option.opts[0], *value_of(option)]
    with pytest.raises(SystemExit) as ended:
        main([name, *given, *given])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert f"{option.opts[0]} is given 2 times" in told
    assert list(tmp_path.iterdir()) == []


def test_an_option_that_may_be_repeated_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    repeated = ["--points", "a", "--points", "b"]
    with pytest.raises(SystemExit):
        main(["transform", *repeated, "--transform", "t", "--output", "o"])
    assert "times" not in capsys.readouterr().err


def with_empty(command):
    """The arguments that leave one parameter empty each, and how it is called then."""
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    for index, argument in enumerate(arguments):
        yield ["--", *["1"] * index, ""], argument.make_metavar(click.Context(command))
    for option in command.params:
        if isinstance(option, click.Option) and not option.is_flag:
            yield [option.opts[0], *[""] * option.nargs], option.opts[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_an_empty_value_is_refused(name, capsys, tmp_path, monkeypatch):
    """As of `--output "$RESULTS"` whose variable isn't set: it was the folder here."""
    monkeypatch.chdir(tmp_path)
    for given, called in with_empty(command_of(name)):
        with pytest.raises(SystemExit) as ended:
            main([name, *given])
        assert ended.value.code == 2
        told = capsys.readouterr().err
        assert f"{called} is empty" in told.replace("'", "")
    assert list(tmp_path.iterdir()) == []


def test_one_empty_value_of_several_is_refused(capsys):
    for several in (
        ["transform", "--points", "a", "--points", ""],
        ["transform", "a", "", "--transform", "t", "--output", "o"],
        ["info", "--pair", "a", ""],
    ):
        with pytest.raises(SystemExit) as ended:
            main(several)
        assert ended.value.code == 2
        assert "is empty" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--version", "--max-voxels"])
def test_numbers_that_no_export_can_hold_are_refused(option, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export", "--format", "savedmodel", option, str(10**30)])
    assert ended.value.code == 2
    assert f"'{option}': {10**30} is not in the range" in capsys.readouterr().err


def test_no_time_at_all_is_not_the_usual_time():
    """0 equals False, as which a flag that isn't given comes."""
    options = {"server": "localhost:1", "timeout": 0.0, "insecure": False}
    with (
        click.Context(command_of("register")),
        pytest.raises(InputError, match=r"--timeout: must be above 0 s"),
    ):
        chosen_server(options, local=())


NUMBERS = [
    (name, option)
    for name, option in OPTIONS
    if isinstance(option.type, click.types.FloatParamType)
]


def test_nan_is_no_number(capsys):
    """It is neither below nor above any bound."""
    assert {option.name for _, option in NUMBERS} > {"timeout", "workers_timeout"}
    for name, option in NUMBERS:
        for value in ("nan", "-NaN"):
            with pytest.raises(SystemExit) as ended:
                main([name, f"{option.opts[0]}={value}"])
            assert ended.value.code == 2
            told = capsys.readouterr().err
            assert f"{option.opts[0]} must be a number. Received: {value}" in told
