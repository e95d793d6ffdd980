"""`dlir-tf register --report --strict --all-stages`."""

import json
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from random_models import spline, write_random_model
from scipy import ndimage

from dlir_tf.cli import main
from dlir_tf.cli.judgement import FAILED_VERDICT, tell
from dlir_tf.images import read_image

SHAPE = (24, 16, 4)
STAGE = spline([4, 4, 1], filters=[4, 4], lattice_filters=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that spoils what lies well already: random weights; and an image."""
    folder = tmp_path_factory.mktemp("judgement")
    config = {"ndim": 3, "spacing": [None] * 3, "stages": [STAGE, STAGE]}
    rng = np.random.default_rng(5)
    write_random_model(folder / "model", config, rng, 0.5, added=False)
    texture = 1000 * ndimage.gaussian_filter(rng.uniform(size=SHAPE), 1.2)
    image = nib.Nifti1Image(texture.astype(np.float32), np.diag([1.5, 1.2, 8, 1]))
    for name in ("image", "copy"):
        nib.save(image, folder / f"{name}.nii")
    return folder


def _run(folder, monkeypatch, capsys, *options):
    """Registers an image with its copy; returns exit code, stderr's lines, report."""
    monkeypatch.chdir(folder)
    for name in ("moved.nii", "report.json"):
        (folder / name).unlink(missing_ok=True)
    arguments = ("image.nii", "copy.nii", "--model", "model", "--output", "moved.nii")
    code = 0
    try:
        main(["register", *arguments, "--report", "report.json", *options])
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    assert printed.out == "moved.nii\n"
    report = json.loads((folder / "report.json").read_text("utf-8"))
    return code, printed.err.splitlines(), report


def test_harm_is_left_out_and_said(folder, monkeypatch, capsys):
    code, lines, report = _run(folder, monkeypatch, capsys, "--strict")
    assert code == 0
    assert report["verdict"] == "WARN"
    assert lines == [f"WARN: {reason}" for reason in report["reasons"]]
    assert lines[0].startswith("WARN: stage 1 (bspline) was left out: it makes")
    assert [stage["kept"] for stage in report["stages"]] == [False, False]
    assert report["largest_displacement"] == 0
    provenance = json.loads((folder / "model" / "provenance.json").read_text("utf-8"))
    assert report["model"] == provenance["weights_sha256"]
    assert {"dlir_tf", "python", "numpy", "keras", "tensorflow"} <= set(
        report["versions"]
    )
    image = read_image(folder / "image.nii").array
    np.testing.assert_array_equal(read_image(folder / "moved.nii").array, image)


def test_strict_makes_an_exit_code_of_fail(folder, monkeypatch, capsys):
    """All files are there even so."""
    code, lines, report = _run(folder, monkeypatch, capsys, "--all-stages")
    assert code == 0
    assert report["verdict"] == "FAIL"
    assert lines == [f"FAIL: {reason}" for reason in report["reasons"]]
    assert report["largest_displacement"] > 0.5
    image = read_image(folder / "image.nii").array
    assert np.abs(read_image(folder / "moved.nii").array - image).max() > 10
    code, strict_lines, _ = _run(
        folder, monkeypatch, capsys, "--all-stages", "--strict"
    )
    assert code == FAILED_VERDICT == 3
    assert strict_lines[:-1] == lines
    assert strict_lines[-1].startswith("Error: the verdict is FAIL (--strict)")


def test_a_report_is_written_together_with_the_rest(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    start = ("register", "image.nii", "image.nii", "--output", "whole.nii")
    for options, message in (
        (("--report", "report.yaml"), "ends in .json"),
        (("--report", "none/report.json"), "its folder doesn't exist"),
    ):
        with pytest.raises(SystemExit) as stop:
            main([*start, *options])
        assert stop.value.code == 1
        assert message in capsys.readouterr().err

    def fail(*_, **__):
        raise OSError(28, "No space left on device", "late.json")

    monkeypatch.setattr("dlir_tf.apply.registration_writing.write_report", fail)
    with pytest.raises(SystemExit) as stop:
        main([*start, "--report", "late.json"])
    assert stop.value.code == 1
    assert not (folder / "whole.nii").exists()
    assert not (folder / "late.json").exists()


@pytest.mark.parametrize(("steps", "said"), [(1, "1 step:"), (2, "2 steps:")])
def test_steps_are_counted_in_english(steps, said, capsys):
    refined = SimpleNamespace(steps=steps, loss_before=0.2, loss_after=0.1)
    report = SimpleNamespace(refinement=refined, reasons=(), verdict="PASS")
    tell(report, strict=False)
    assert capsys.readouterr().err.startswith(f"Refined in {said} loss 0.2 before")
