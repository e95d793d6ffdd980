"""The installed command as a new user meets it: real processes, real files."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from dlir_tf.images import read_image

# A coarse grid and few steps: enough to show that all parts fit together.
QUICK = """
ndim: 3
spacing: [3.0, 3.0, null]
axes: slices_last
stages:
- {transform: bspline, downsample: [2, 2, 1], control_point_spacing: [8, 8, 1],
   filters: [16, 32], bending_energy: 2.0}
training: {steps: 120, patch_size: [64, 64, 8], batch_size: 2, learning_rate: 0.003,
   validate_every: 60}
"""


def dlir_tf(*arguments, cwd):
    """Runs the installed command; returns what it printed."""
    beside = Path(sys.executable).with_name("dlir-tf")
    program = [str(beside)] if beside.exists() else [sys.executable, "-m", "dlir_tf"]
    environment = {
        name: value for name, value in os.environ.items() if "NUM_INT" not in name
    }
    done = subprocess.run(
        [*program, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_demo_recovers_a_known_motion(tmp_path):
    """Trains, registers a heart that was never seen, evaluates, exports, reloads."""
    printed = dlir_tf("demo", "--output", "demo", cwd=tmp_path)
    report = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert report["motion_mm"] > 2.5
    assert report["error_mm"] < 0.5 * report["motion_mm"]
    assert report["dice_after"] > report["dice_before"] + 0.1
    assert report["folded_percent"] == 0
    assert "registration.png" in printed
    assert (tmp_path / "demo" / "registration.png").stat().st_size > 50_000
    assert (tmp_path / "demo/export/dlir/1/saved_model.pb").is_file()


@pytest.mark.slow
def test_real_hearts_from_training_to_export(shared_data, tmp_path):
    rows = (shared_data / "acdc_train.csv").read_text().splitlines()[:5]
    absolute = [rows[0]] + [
        ",".join(str(shared_data / name) for name in row.split(",")) for row in rows[1:]
    ]
    (tmp_path / "pairs.csv").write_text("\n".join(absolute) + "\n")
    (tmp_path / "quick.yaml").write_text(QUICK)

    dlir_tf("train", "--config", "quick.yaml", "--pairs", "pairs.csv", cwd=tmp_path)
    fixed, moving, _, labels = absolute[1].split(",")
    dlir_tf(
        *("register", fixed, moving, "--output", "moved.nii.gz", "--model", "model"),
        *("--labels", labels, "--moved-labels", "moved_labels.nii.gz"),
        *("--displacement", "field.nii.gz"),
        cwd=tmp_path,
    )
    original, moved = read_image(fixed), read_image(tmp_path / "moved.nii.gz")
    assert moved.shape == original.shape
    # The header's affine lies in these files; what we write must not.
    np.testing.assert_allclose(moved.affine, original.affine, atol=1e-4)
    assert sitk.ReadImage(tmp_path / "moved.nii.gz").GetSpacing()[2] == pytest.approx(
        original.spacing[2]
    )
    field = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "field.nii.gz"))
    assert field.shape == (*reversed(original.shape), 3)
    assert 1.0 < np.abs(field).max() < 40.0

    printed = dlir_tf(
        "evaluate", "--pairs", "pairs.csv", "--model", "model", cwd=tmp_path
    )
    assert "Dice" in printed
    with (tmp_path / "evaluation.csv").open(newline="") as stream:
        pairs = list(csv.DictReader(stream))
    assert len(pairs) == 4
    gains = [float(p["dice_after"]) - float(p["dice_before"]) for p in pairs]
    # Where the heart hardly moves, so short a training does harm, which is left out.
    assert np.mean(gains) > 0.03
    assert min(gains) >= 0
    assert all(float(p["folded_percent"]) == 0 for p in pairs)

    dlir_tf("export", "--format", "savedmodel", cwd=tmp_path)
    assert (tmp_path / "export/dlir/1/saved_model.pb").is_file()
    shutil.rmtree(tmp_path / "export")
