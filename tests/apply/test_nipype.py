"""The nipype interfaces: as complete as the commands, and what nipype makes of them."""

import importlib.util
import os
import pickle
import shlex
import shutil
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dlir_tf.apply import nipype
from dlir_tf.cli.cohort import cohort_options
from dlir_tf.cli.register import command as register
from dlir_tf.cli.transform import command as transform
from dlir_tf.images import Image, read_image, write_image

COMMANDS = {
    "Register": (register, nipype.REGISTER_INPUTS),
    "Transform": (transform, nipype.TRANSFORM_INPUTS),
}
# A server is no part of a pipeline that is to give the same tomorrow.
LEFT_OUT = {
    *("--server", "--model-name", "--timeout", "--ca-file", "--token-file"),
    *("--insecure", "--help"),
}
HAS_NIPYPE = importlib.util.find_spec("nipype") is not None
needs_nipype = pytest.mark.skipif(
    not HAS_NIPYPE,
    reason="nipype isn't installed (pip install nipype), which is no light dependency",
)


def of_cohorts():
    """The options of many pairs: in nipype, those are many nodes."""

    @cohort_options
    def command():
        pass

    return {opt for each in command.__click_params__ for opt in each.opts}


@pytest.mark.parametrize("name", COMMANDS)
def test_inputs_are_the_options_of_the_command(name):
    command, inputs = COMMANDS[name]
    options = {opt: each for each in command.params for opt in each.opts}
    given = {each.option for each in inputs if each.option is not None}
    assert given <= set(options)
    left_out = {opt for opt in options if opt.startswith("--")} - given
    assert left_out <= LEFT_OUT | of_cohorts()
    arguments = [each for each in inputs if each.place is not None]
    assert len(arguments) == sum(
        p.param_type_name == "argument" for p in command.params
    )
    for each in inputs:
        if isinstance(each.kind, tuple):
            assert list(each.kind) == list(options[each.option].type.choices)
        if each.option is not None:
            is_flag = getattr(options[each.option], "is_flag", False)
            assert is_flag == (each.kind == "flag"), each.name
            assert options[each.option].multiple >= (each.kind == "texts"), each.name


@pytest.mark.skipif(HAS_NIPYPE, reason="nipype is installed")
def test_without_nipype_a_sentence_says_what_brings_it():
    with pytest.raises(ImportError, match=r"Register: needs nipype.*dlir-tf\[nipype\]"):
        nipype.Register  # noqa: B018
    assert not hasattr(nipype, "register")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Two images that are a shift apart, and `dlir-tf` on the path."""
    rng = np.random.default_rng(0)
    array = np.kron(rng.uniform(size=(9, 8)), np.ones((4, 4))).astype(np.float32)
    write_image(tmp_path / "fixed.nii.gz", Image(array, np.eye(3)))
    write_image(tmp_path / "moving.nii.gz", Image(np.roll(array, 1, 0), np.eye(3)))
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "dlir-tf"
    program.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dlir_tf "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(nipype.__file__).parents[2]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@needs_nipype
def test_the_command_line_is_what_was_meant(here):
    node = nipype.Register(
        fixed="fixed.nii.gz",
        moving="moving.nii.gz",
        preset="rigid-2d",
        refine=5,
        initial_transform=["a.h5", "[b.h5,1]"],
        strict=True,
    )
    program, command, *words = shlex.split(node.cmdline)
    assert (program, command, *words[:2]) == (
        *("dlir-tf", "register", "fixed.nii.gz", "moving.nii.gz"),
    )
    assert words[words.index("--output") + 1] == "moving_moved.nii.gz"
    parsed = register.make_context("register", words, resilient_parsing=True).params
    assert parsed["initial_transform"] == ("a.h5", "[b.h5,1]")
    assert (parsed["preset"], parsed["refine"], parsed["strict"]) == (
        "rigid-2d",
        5,
        True,
    )
    assert pickle.loads(pickle.dumps(nipype.Register)) is nipype.Register  # noqa: S301
    with pytest.raises(ValueError, match="requires a value for input 'moving'"):
        nipype.Register(fixed="fixed.nii.gz").cmdline  # noqa: B018


AWKWARD = ('it\'s $HOME; echo `x` "y"', "*", "a b")


@pytest.mark.parametrize("value", AWKWARD)
@pytest.mark.parametrize(("said", "words"), [("--model %s", ["--model"]), ("%s", [])])
def test_a_shell_makes_of_every_value_what_it_is(value, said, words):
    def said_of(given):
        trait = SimpleNamespace(argstr=said)
        return shlex.split(nipype._words(None, "model", trait, given) or "")

    assert said_of(value) == [*words, value]
    assert said_of(["x", value]) == [*words, "x", *words, value]


def test_flags_are_there_or_not():
    trait = SimpleNamespace(argstr="--strict")
    assert nipype._words(None, "strict", trait, True) == "--strict"
    assert nipype._words(None, "strict", trait, False) is None


@needs_nipype
@pytest.mark.parametrize("value", AWKWARD)
def test_names_and_texts_are_quoted_once(here, value):
    shutil.copy(here / "fixed.nii.gz", here / f"{value}.nii.gz")
    node = nipype.Register(
        fixed=f"{value}.nii.gz",
        moving="moving.nii.gz",
        model=value,
        preset=value,
        initial_transform=[value, "[b.h5,1]"],
        moved=f"{value}_moved.nii.gz",
        transform=f"{value}.h5",
        series=value,
    )
    _, _, *words = shlex.split(node.cmdline)
    assert words[words.index("--series") + 1] == value
    parsed = register.make_context("register", words, resilient_parsing=True).params
    assert parsed["initial_transform"] == (value, "[b.h5,1]")
    assert {str(parsed[name]) for name in ("model", "preset")} == {value}
    files = [str(parsed[name]) for name in ("fixed", "output", "transform")]
    assert files == [f"{value}{end}" for end in (".nii.gz", "_moved.nii.gz", ".h5")]


@needs_nipype
def test_images_may_be_folders_of_dicom(here):
    (here / "a scan").mkdir()
    node = nipype.Register(fixed="fixed.nii.gz", moving="a scan")
    words = shlex.split(node.cmdline)
    assert words[2:4] == ["fixed.nii.gz", "a scan"]
    assert words[words.index("--output") + 1] == "a scan_moved.nii.gz"
    with pytest.raises(Exception, match=r"'moving' trait .* existing"):
        nipype.Register(fixed="fixed.nii.gz", moving="nowhere")


@needs_nipype
def test_a_pipeline_registers_and_carries(here):
    """As docs/pipelines.md connects them: the transform goes on, and does the same."""
    from nipype.pipeline import engine

    fixed = str(here / "fixed.nii.gz")
    settings = nipype.Register(
        fixed=fixed, refine=20, transform="t.h5", report="report.json"
    )
    found = engine.Node(settings, name="register")
    carrier = nipype.Transform(reference=fixed, interpolation="linear")
    carried = engine.Node(carrier, name="carry")
    pipeline = engine.Workflow("one", base_dir=str(here))
    # nipype deletes what nothing is connected to, unless it's told not to.
    pipeline.config["execution"] = {"remove_unnecessary_outputs": "false"}
    pipeline.connect(found, "transform", carried, "transforms")
    found.inputs.moving = carried.inputs.image = str(here / "moving.nii.gz")
    done = {node.name: node.result.outputs for node in pipeline.run().nodes()}
    moved = read_image(done["register"].moved).array
    assert np.corrcoef(moved.ravel(), read_image(fixed).array.ravel())[0, 1] > 0.9
    assert Path(done["register"].report).is_file()
    again = read_image(done["carry"].moved).array
    np.testing.assert_allclose(again, moved, atol=1e-3)
