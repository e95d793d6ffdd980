"""The group of commands: help without waiting, errors without tracebacks."""

import ast
import errno
import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import click
import pytest

import dlir_tf
from dlir_tf.cli.main import COMMANDS, MAX_SHOWN, group, main
from dlir_tf.errors import ExportError, InputError, WriteError

FULL = (
    "Error: a.nii: can't be written (No space left on device): the disk is full; make "
    "room and try again, the files that are there are whole\n"
)
QUOTA = FULL.replace("No space left on device", "Disk quota exceeded")
LARGE = FULL.replace("No space left on device", "File too large")

HELP_OF_EVERY_COMMAND = """
import contextlib, io, sys
from dlir_tf.cli.main import COMMANDS, main
for name in (None, *COMMANDS):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main([name, "--help"] if name else ["--help"])
    text = printed.getvalue()
    assert text.startswith("Usage: dlir-tf"), text
    assert "Example:" in text, name
    for command, line in COMMANDS.items():
        assert name or (command in text and line in " ".join(text.split())), command
slow = {"tensorflow", "keras", "scipy", "nibabel", "matplotlib", "pydantic", "numpy"}
slow |= {"SimpleITK", "h5py", "yaml", "rich", "grpc", "google.protobuf", "jinja2"}
assert not slow & set(sys.modules), slow & set(sys.modules)
"""


def test_help_of_every_command_has_an_example_and_imports_nothing_slow():
    done = subprocess.run(
        [sys.executable, "-c", HELP_OF_EVERY_COMMAND],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_imports_one_module_and_only_when_it_is_called(name):
    """Its options and its help are there at once; what they need isn't looked for."""
    module = importlib.import_module(f"dlir_tf.cli.{name}")
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    imports = {
        node: node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    late = [what for node, what in imports.items() if node not in tree.body]
    assert late == [f"dlir_tf.cli.work.{name}"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name):
    command = group.get_command(click.Context(group), name)
    assert command.help.splitlines()[0].endswith(".")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def _exit_code(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    return caught.value.code


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("regsiter",),
        ("register",),
        ("register", "a.nii", "b.nii"),
        ("register", "a.nii", "b.nii", "c.nii", "--output", "d.nii"),
        ("register", "a.nii", "b.nii", "--output", "d.nii", "--wrong"),
        ("train", "--steps", "0"),
    ],
)
def test_wrong_usage_is_exit_code_2(capsys, arguments):
    assert _exit_code(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Usage: dlir-tf" in printed.err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("a.nii: is broken"), 1, "Error: a.nii: is broken\n"),
        (MemoryError(), 1, "Error: not enough memory for these images\n"),
        (OSError(errno.ENOSPC, "No space left on device", "a.nii"), 1, FULL),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            FULL.replace("a.nii:", "what this command prints"),
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "a.nii"), 1, QUOTA),
        (OSError(errno.EFBIG, "File too large", "a.nii"), 1, LARGE),
        (
            ExportError("the exported model is another one"),
            1,
            "Error: the exported model is another one; no export was written\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "a.nii"),
            1,
            "Error: a.nii: can't be read: Permission denied; ask for the right to read "
            "it, or copy it to a folder of your own\n",
        ),
        (
            WriteError("a.nii", PermissionError(errno.EACCES, "Permission denied")),
            1,
            "Error: a.nii: can't be written (Permission denied); choose another "
            "folder\n",
        ),
        (
            ModuleNotFoundError("No module named 'keras'", name="keras"),
            1,
            "Error: this needs keras, which isn't installed; `pip install dlir-tf` "
            "brings it (only .tflite files without --refine register without it)\n",
        ),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
    ],
)
def test_failures_are_one_sentence(capsys, monkeypatch, error, code, message):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("dlir_tf.cli.work.info.preset_names", fail)
    assert _exit_code("info") == code
    printed = capsys.readouterr()
    assert printed.err.strip() == message.strip()
    assert printed.out == ""


def test_a_gpu_without_memory_is_one_sentence(capsys, monkeypatch):
    tf = pytest.importorskip("tensorflow")

    def fail(*_, **__):
        raise error

    monkeypatch.setattr("dlir_tf.cli.work.info.preset_names", fail)
    error = tf.errors.ResourceExhaustedError(None, None, "OOM\n when allocating")
    assert _exit_code("info") == 1
    message = capsys.readouterr().err
    assert message.startswith("Error: not enough memory on the device; use a GPU")
    assert "smaller batch_size or patch_size" in message
    assert message.count("\n") == 1
    # Faults of ours keep their traceback.
    error = tf.errors.InternalError(None, None, "a bug")
    with pytest.raises(tf.errors.InternalError):
        main(["info"])


def test_our_warnings_are_one_line_and_those_of_libraries_none(capsys, monkeypatch):
    def warn():
        warnings.warn_explicit("spacing is odd", UserWarning, dlir_tf.__file__, 1)
        warnings.warn_explicit("deep inside", UserWarning, "/lib/keras/a.py", 1)
        warnings.warn_explicit("old", FutureWarning, "/lib/keras/b.py", 1)
        return []

    monkeypatch.setattr("dlir_tf.cli.work.info.preset_names", warn)
    main(["info"])
    assert capsys.readouterr().err == "Warning: spacing is odd\n"


@pytest.mark.parametrize("num", [MAX_SHOWN, MAX_SHOWN + 3])
def test_a_warning_that_comes_again_and_again_is_cut_short(capsys, monkeypatch, num):
    class OtherWarning(UserWarning):
        pass

    def warn():
        for index in range(num):
            text = f"image {index} is odd"
            warnings.warn_explicit(text, UserWarning, dlir_tf.__file__, index)
        warnings.warn_explicit("something else", OtherWarning, dlir_tf.__file__, 1)
        return []

    monkeypatch.setattr("dlir_tf.cli.work.info.preset_names", warn)
    expected = [f"Warning: image {index} is odd" for index in range(MAX_SHOWN)]
    if num > MAX_SHOWN:
        expected.append("Warning: further ones of this kind aren't shown")
    expected.append("Warning: something else")
    for _ in range(2):  # every command counts anew
        main(["info"])
        assert capsys.readouterr().err.splitlines() == expected


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "dlir_tf", "register", "a", "b", "--output", "c.nii"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
