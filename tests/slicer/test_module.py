"""The module for 3D Slicer, outside of it: with a stand-in for what it calls there."""

import importlib
import json
import os
import stat
import sys
import time
import types
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from dlir_tf.cli.register import command as register
from dlir_tf.images import Image, read_image, write_image

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "slicer" / "DlirTf"
CONFIG = """
ndim: 3
spacing: null
stages: [{transform: bspline, downsample: 1, control_point_spacing: 8}]
refinement: {steps: 30, learning_rate: 0.06}
"""
# In the place of the command: does what `SAYS` has, and writes its files.
FAKE = """#!{python}
import json, os, sys
words = sys.argv[1:]
open(os.environ["WORDS"], "w").write(json.dumps(words))
print(os.environ["SAYS"], file=sys.stderr)
if "Error" in os.environ["SAYS"]:
    sys.exit(1)
for option in ("--output", "--transform", "--page"):
    open(words[words.index(option) + 1], "w").close()
with open(words[words.index("--report") + 1], "w") as stream:
    json.dump({{"verdict": "WARN", "reasons": ["look"]}}, stream)
"""


class Node:
    """A volume, or a transform, in the scene."""

    def __init__(self, name, path=None, parent=None):
        self.name, self.path, self.parent = name, path, parent

    def GetID(self):  # noqa: N802
        return self.name

    def GetName(self):  # noqa: N802
        return self.name

    def SetName(self, name):  # noqa: N802
        self.name = name

    def GetParentTransformNode(self):  # noqa: N802
        return self.parent


def save_node(node, path):
    """As Slicer does, in the format of the name."""
    if node.path is None:
        return False
    write_image(path, read_image(node.path))
    return True


@pytest.fixture
def module(monkeypatch):
    """The module, imported where Slicer's own modules are stand-ins."""
    slicer, scripted = MagicMock(), types.ModuleType("slicer.ScriptedLoadableModule")
    for part in ("", "Widget", "Logic"):
        name = f"ScriptedLoadableModule{part}"
        setattr(scripted, name, type(name, (), {"__init__": lambda self, *_: None}))
    scripted.ScriptedLoadableModuleWidget.setup = lambda self: None
    scripted.ScriptedLoadableModuleWidget.layout = MagicMock()
    slicer.util = MagicMock(spec_set=[
        *("saveNode", "loadTransform", "loadVolume", "startupEnvironment"),
        "setSliceViewerLayers",
    ])  # fmt: skip
    slicer.util.saveNode = save_node
    slicer.util.loadTransform = lambda path: Node("loaded", path)
    slicer.util.loadVolume = lambda path: Node("loaded", path)
    slicer.util.startupEnvironment = lambda: dict(os.environ)
    stand_ins = {"slicer": slicer, "qt": MagicMock(), "ctk": MagicMock()}
    stand_ins["slicer.ScriptedLoadableModule"] = scripted
    for name, stand_in in stand_ins.items():
        monkeypatch.setitem(sys.modules, name, stand_in)
    stand_ins["qt"].QSettings().value.return_value = None
    for widget in ("QLineEdit", "QSpinBox", "QPushButton", "QLabel", "QProgressBar"):
        setattr(stand_ins["qt"], widget, lambda *_: MagicMock(text=""))
    monkeypatch.syspath_prepend(str(MODULE))
    yield importlib.import_module("DlirTf")
    for name in ("DlirTf", "DlirTfLib", "DlirTfLib.command"):
        sys.modules.pop(name, None)


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """Two volumes, 2 mm apart, and programs that register them."""
    rng = np.random.default_rng(0)
    array = 500 * ndimage.gaussian_filter(rng.uniform(size=(24, 26, 22)), 2.0)
    affine = np.diag([-1.0, -1.0, 1.5, 1.0])
    moved = affine.copy()
    moved[:3, 3] = 2, 0, 0
    fixed, moving = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    write_image(fixed, Image(array.astype(np.float32), affine))
    write_image(moving, Image(array.astype(np.float32), moved))
    fake, real = tmp_path / "fake", tmp_path / "real"
    fake.write_text(FAKE.format(python=sys.executable))
    real.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dlir_tf "$@"\n')
    for program in (fake, real):
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("WORDS", str(tmp_path / "words.json"))
    monkeypatch.setenv("SAYS", "Chosen by the images: this")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "quick.yaml").write_text(CONFIG)
    return types.SimpleNamespace(
        fixed=Node("CT", fixed), moving=Node("MR", moving), folder=tmp_path,
        fake=str(fake), real=str(real),
    )  # fmt: skip


def until_finished(logic):
    end = time.monotonic() + 300
    while not logic.run.finished and time.monotonic() < end:
        time.sleep(0.02)
    return logic.run.new_lines()


def test_a_known_shift_comes_into_the_scene(module, scene):
    """By the command itself; what Slicer would load means what it takes it for."""
    logic = module.DlirTfLogic()
    choice = module.Choice(preset=str(scene.folder / "quick.yaml"))
    logic.start(scene.real, scene.fixed, scene.moving, choice)
    until_finished(logic)
    result = logic.finish()
    assert (result.transform.name, result.moved.name) == ("MR to fixed", "MR moved")
    # Slicer resamples by it: from a fixed point to the moving one, in LPS.
    read = sitk.ReadTransform(result.transform.path)
    middle = (12.0, 13.0, 16.0)
    shift = np.subtract(read.TransformPoint(middle), middle)
    np.testing.assert_allclose(shift, (-2, 0, 0), atol=0.4)
    moved, fixed = read_image(result.moved.path), read_image(scene.fixed.path)
    inner = np.s_[5:-5, 5:-5, 5:-5]
    pair = moved.array[inner].ravel(), fixed.array[inner].ravel()
    assert np.corrcoef(*pair)[0, 1] > 0.95
    assert "<html" in result.page.read_text("utf-8")[:2000].lower()
    assert result.verdict.startswith(("PASS", "WARN"))


def test_the_command_line_has_what_was_chosen(module, scene):
    logic = module.DlirTfLogic()
    logic.start(scene.fake, scene.fixed, scene.moving, module.Choice("general", "", 7))
    assert until_finished(logic) == ["Chosen by the images: this"]
    assert logic.finish().verdict == "WARN: look"
    words = json.loads((scene.folder / "words.json").read_text())
    assert words[0] == "register"
    parsed = register.make_context("register", words[1:], resilient_parsing=True).params
    assert [Path(parsed[n]).name for n in ("fixed", "moving")] == [
        *("fixed.nrrd", "moving.nrrd"),
    ]
    assert (str(parsed["model"]), parsed["refine"], parsed["preset"]) == (
        *("general", 7), None,
    )  # fmt: skip


def test_what_is_wrong_is_said_and_leaves_nothing(module, scene, monkeypatch):
    logic = module.DlirTfLogic()
    before = sorted(scene.folder.iterdir())
    same, unsaved = scene.fixed, Node("new")
    for words, message in (
        ((scene.fake, None, scene.moving, module.Choice()), "Choose two volumes"),
        ((scene.fake, same, same, module.Choice()), "Choose two volumes"),
        ((scene.fake, same, unsaved, module.Choice()), "The volume new can't be saved"),
        ((scene.fake, same, scene.moving, module.Choice("a", "b")), "not both"),
        (("", same, scene.moving, module.Choice()), "where the program dlir-tf is"),
        (("no-such", same, scene.moving, module.Choice()), "no-such can't be started"),
        (
            (scene.fake, same, Node("MR", same.path, Node("turn")), module.Choice()),
            "The volume MR lies under a transform in the scene",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            logic.start(*words)
        assert sorted(scene.folder.iterdir()) == before
    monkeypatch.setenv("SAYS", "Error: the two images don't overlap")
    logic.start(scene.fake, same, scene.moving, module.Choice())
    until_finished(logic)
    with pytest.raises(ValueError, match=r"^the two images don't overlap"):
        logic.finish()
    assert {each.name for each in scene.folder.iterdir()} == {
        *(each.name for each in before), "words.json",
    }  # fmt: skip


def test_a_program_that_writes_nothing_is_not_believed(module, scene, monkeypatch):
    """Nor is what Slicer can't read: the panel tells, instead of standing still."""
    logic = module.DlirTfLogic()
    logic.start("true", scene.fixed, scene.moving, module.Choice())
    until_finished(logic)
    with pytest.raises(ValueError, match=r"wrote no moved\.nrrd; is it dlir-tf"):
        logic.finish()

    def fail(path):
        raise RuntimeError(f"Failed to load {path}")

    monkeypatch.setattr(sys.modules["slicer"].util, "loadVolume", fail)
    logic.start(scene.fake, scene.fixed, scene.moving, module.Choice())
    until_finished(logic)
    with pytest.raises(ValueError, match="Slicer can't load the result: Failed"):
        logic.finish()


def test_what_does_not_end_is_ended(module, scene, monkeypatch):
    command = sys.modules["DlirTfLib.command"]
    monkeypatch.setattr(command, "_PATIENCE_S", 0.2)
    deaf = scene.folder / "deaf"
    deaf.write_text("#!/bin/sh\ntrap '' TERM\necho ready >&2\nexec sleep 600\n")
    deaf.chmod(0o755)
    logic = module.DlirTfLogic()
    logic.start(str(deaf), scene.fixed, scene.moving, module.Choice())
    while not logic.run.new_lines():
        time.sleep(0.02)
    begun = time.monotonic()
    logic.cancel()
    assert time.monotonic() - begun < 300
    assert logic.run is None


def test_the_panel_applies_tells_and_cancels(module, scene):
    panel = module.DlirTfWidget()
    panel.setup()
    assert (panel.apply.enabled, panel.stop.enabled) == (True, False)
    panel.fixed, panel.moving = MagicMock(), MagicMock()
    panel.fixed.currentNode.return_value = scene.fixed
    panel.moving.currentNode.return_value = None
    panel.program.text = scene.fake
    panel.on_apply()
    assert "Choose two volumes" in panel.told.text
    panel.moving.currentNode.return_value = scene.moving
    panel.on_apply()
    assert (panel.apply.enabled, panel.stop.enabled) == (False, True)
    while not panel.logic.run.finished:
        time.sleep(0.02)
    panel.on_poll()
    assert panel.told.text == "WARN: look"
    assert (panel.apply.enabled, panel.show_page.enabled) == (True, True)
    shown = sys.modules["slicer"].util.setSliceViewerLayers.call_args.kwargs
    assert shown["background"] is scene.fixed
    assert shown["foreground"].name == "MR moved"
    panel.on_show_page()
    sys.modules["qt"].QUrl.fromLocalFile.assert_called_with(str(panel.page))
    panel.on_apply()
    panel.on_cancel()
    assert panel.logic.run is None
    assert panel.apply.enabled
    panel.cleanup()


def test_it_says_that_it_was_not_run_inside_slicer():
    for path in (MODULE.parent / "README.md", MODULE / "DlirTf.py"):
        words = " ".join(path.read_text("utf-8").split())
        assert "not been run inside Slicer" in words or "not run inside Slicer" in words
