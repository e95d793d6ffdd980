"""A 3D Slicer module that registers two volumes by the command `dlir-tf`.

It was written after Slicer's documentation and tested with a stand-in for the few calls
of Slicer that it makes; it has not been run inside Slicer.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import ctk
import qt
import slicer
from DlirTfLib.command import (
    FILES,
    Choice,
    Run,
    command_line,
    missing_file,
    verdict_of,
)
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleWidget,
)

POLL_MS = 200
PROGRAM_SETTING = "DlirTf/program"


class DlirTf(ScriptedLoadableModule):
    """What Slicer lists."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = "Registration (dlir-tf)"
        parent.categories = ["Registration"]
        parent.dependencies = []
        parent.contributors = ["The authors of dlir-tf"]
        parent.helpText = (
            "Lays a moving volume onto a fixed one: affine and deformable, by a "
            "trained model, a preset, or settings that the two volumes choose. Needs "
            "the program dlir-tf (pip install dlir-tf, in a Python of its own). This "
            "module was tested outside of Slicer only."
        )
        parent.acknowledgementText = ""


class Result(NamedTuple):
    """What a registration gave, in Slicer's scene and on disk."""

    transform: Any
    moved: Any
    page: Path
    verdict: str


class DlirTfLogic(ScriptedLoadableModuleLogic):
    """Takes volumes from the scene to the command, and its results to the scene."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.run: Any = None
        self._folder = Path()
        self._moving: Any = None

    def start(self, program: str, fixed: Any, moving: Any, choice: Choice) -> None:
        """Saves both volumes and starts the command.

        Raises:
            ValueError: If something is missing, or the command can't be started; its
                message is for the user.
        """
        if fixed is None or moving is None or fixed.GetID() == moving.GetID():
            raise ValueError("Choose two volumes, a fixed one and a moving one.")
        for node in (fixed, moving):
            # Files say where voxels lie, and nothing of a transform in the scene.
            if node.GetParentTransformNode() is not None:
                raise ValueError(
                    f"The volume {node.GetName()} lies under a transform in the scene, "
                    "which files don't hold; harden it (Transforms module), or take "
                    "the volume out of it."
                )
        self._folder = Path(tempfile.mkdtemp(prefix="dlir-tf-"))
        self._moving = moving
        files = []
        for name, node in (("fixed", fixed), ("moving", moving)):
            files.append(self._folder / f"{name}.nrrd")
            if not slicer.util.saveNode(node, str(files[-1])):
                self._forget()
                raise ValueError(f"The volume {node.GetName()} can't be saved.")
        try:
            words = command_line(program, *files, self._folder, choice)
            self.run = Run(words, slicer.util.startupEnvironment())
        except ValueError:
            self._forget()
            raise

    def finish(self) -> Result:
        """Loads what was written; the moving volume is laid onto the fixed one.

        Raises:
            ValueError: If the command failed; the message says why.
        """
        problem, self.run = self.run.problem, None
        if problem is None and (missing := missing_file(self._folder)):
            problem = f"The program wrote no {missing}; is it dlir-tf?"
        if problem is not None:
            self._forget()
            raise ValueError(problem)
        try:
            return self._loaded()
        except RuntimeError as error:  # what Slicer raises of files it can't read
            raise ValueError(f"Slicer can't load the result: {error}") from error

    def _loaded(self) -> Result:
        """What was written, in the scene."""
        name = self._moving.GetName()
        # ITK's transform maps fixed points to moving ones; Slicer reads it as what
        # resamples, so a volume that it is applied to goes from moving to fixed.
        transform = slicer.util.loadTransform(str(self._folder / FILES["--transform"]))
        transform.SetName(f"{name} to fixed")
        moved = slicer.util.loadVolume(str(self._folder / FILES["--output"]))
        moved.SetName(f"{name} moved")
        page = self._folder / FILES["--page"]
        return Result(transform, moved, page, verdict_of(self._folder))

    def cancel(self) -> None:
        """Ends the command, if there is one; nothing comes into the scene."""
        if self.run is not None:
            self.run.cancel()
            self.run = None
            self._forget()

    def _forget(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


class DlirTfWidget(ScriptedLoadableModuleWidget):
    """The module's panel: two volumes, a model or preset, Apply, progress, results."""

    def setup(self) -> None:
        """Makes the panel."""
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = DlirTfLogic()
        self.page: Any = None
        form = qt.QFormLayout()
        box = ctk.ctkCollapsibleButton()
        box.text = "Registration"
        box.setLayout(form)
        self.layout.addWidget(box)
        self.fixed, self.moving = self._selector(), self._selector()
        form.addRow("Fixed volume: ", self.fixed)
        form.addRow("Moving volume: ", self.moving)
        self.model, self.preset = qt.QLineEdit(), qt.QLineEdit()
        self.model.placeholderText = "folder, .tflite file or name; empty: none"
        self.preset.placeholderText = "name or file; empty: chosen by the volumes"
        form.addRow("Model: ", self.model)
        form.addRow("Preset: ", self.preset)
        self.refine = qt.QSpinBox()
        self.refine.minimum, self.refine.maximum = -1, 10_000
        self.refine.value, self.refine.specialValueText = -1, "as usual"
        form.addRow("Refinement steps: ", self.refine)
        self.program = qt.QLineEdit()
        self.program.text = qt.QSettings().value(PROGRAM_SETTING) or "dlir-tf"
        form.addRow("Program: ", self.program)
        self.apply, self.stop = qt.QPushButton("Apply"), qt.QPushButton("Cancel")
        self.show_page = qt.QPushButton("Show page")
        for button, action in (
            (self.apply, self.on_apply),
            (self.stop, self.on_cancel),
            (self.show_page, self.on_show_page),
        ):
            button.connect("clicked(bool)", action)
            form.addRow(button)
        self.progress = qt.QProgressBar()
        self.progress.minimum = self.progress.maximum = 0  # how long isn't known
        self.told = qt.QLabel()
        self.told.wordWrap = True
        form.addRow(self.progress)
        form.addRow(self.told)
        self.timer = qt.QTimer()
        self.timer.setInterval(POLL_MS)
        self.timer.connect("timeout()", self.on_poll)
        self._set_running(False)
        self.show_page.enabled = False

    def cleanup(self) -> None:
        """Ends what is running when the module is closed."""
        self.timer.stop()
        self.logic.cancel()

    def on_apply(self, _: Any = None) -> None:
        """Starts a registration."""
        refine = None if self.refine.value < 0 else int(self.refine.value)
        choice = Choice(self.model.text.strip(), self.preset.text.strip(), refine)
        try:
            self.logic.start(
                self.program.text.strip(),
                self.fixed.currentNode(),
                self.moving.currentNode(),
                choice,
            )
        except ValueError as error:
            self.told.text = str(error)
            return
        qt.QSettings().setValue(PROGRAM_SETTING, self.program.text.strip())
        self.told.text = "Registering ..."
        self._set_running(True)
        self.timer.start()

    def on_poll(self) -> None:
        """Tells what the command says; loads the results when it has ended."""
        lines = self.logic.run.new_lines()
        if lines:
            self.told.text = lines[-1]
        if not self.logic.run.finished:
            return
        self.timer.stop()
        self._set_running(False)
        try:
            result = self.logic.finish()
        except ValueError as error:
            self.told.text = str(error)
            return
        self.page = result.page
        self.show_page.enabled = True
        self.told.text = result.verdict
        slicer.util.setSliceViewerLayers(
            background=self.fixed.currentNode(), foreground=result.moved
        )

    def on_cancel(self, _: Any = None) -> None:
        """Ends a registration."""
        self.timer.stop()
        self.logic.cancel()
        self._set_running(False)
        self.told.text = "Cancelled."

    def on_show_page(self, _: Any = None) -> None:
        """Opens the page of the last registration in the browser."""
        if self.page is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.page)))

    def _set_running(self, running: bool) -> None:
        self.apply.enabled, self.stop.enabled = not running, running
        self.progress.visible = running

    def _selector(self) -> Any:
        selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        selector.addEnabled = selector.removeEnabled = False
        selector.noneEnabled = True
        selector.setMRMLScene(slicer.mrmlScene)
        return selector
