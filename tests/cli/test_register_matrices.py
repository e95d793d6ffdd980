"""`dlir-tf register --transform` in the forms of FreeSurfer and AFNI."""

import nibabel as nib
import numpy as np
import pytest
from register_desk import map_by_itk, refused, save, scanner_affine
from scipy import ndimage

from dlir_tf.cli import main

RIGID = """
ndim: 3
spacing: null
initial_alignment: header
intensity: {clip_percentiles: null, clip_values: [0, 1000]}
stages:
- {transform: rigid, feature_spacing: 8, downsample: 1}
refinement: {steps: 5, learning_rate: 0.05}
"""
MOVED = ("--output", "out/moved.nii.gz")
BY_RIGID = ("register", "fixed.nii.gz", "moving.nii.gz", "--preset", "r.yaml", *MOVED)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "r.yaml").write_text(RIGID)
    array = 1000 * ndimage.gaussian_filter(
        np.random.default_rng(3).uniform(size=(20, 24, 18)), 2.0
    )
    array = np.interp(array, (array.min(), array.max()), (0, 1000)).astype(np.int16)
    straight = np.diag([-1.5, 1.4, 2.0, 1.0])
    straight[:3, 3] = 10, -20, 5
    shifted = straight.copy()
    shifted[:3, 3] += 2.0, -1.0, 1.5
    for name, affine in {
        "fixed": straight,
        "moving": shifted,
        "oblique": scanner_affine(angle=0.3),
    }.items():
        save(tmp_path / f"{name}.nii.gz", array, affine)
    return tmp_path


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("ending", "kind"), [(".lta", "fs"), (".aff12.1D", "afni")])
def test_nitransforms_reads_what_is_written(desk, capsys, ending, kind):
    import SimpleITK as sitk

    linear = pytest.importorskip("nitransforms.linear")
    written = ("--transform", f"out/t{ending}", "--inverse", f"out/i{ending}")
    main([*BY_RIGID, *written])
    main([*BY_RIGID, "--transform", "out/t.tfm"])
    images = [nib.load(f"{name}.nii.gz") for name in ("fixed", "moving")]
    points = np.random.default_rng(0).uniform(-20, 20, (20, 3))
    there = map_by_itk(sitk.ReadTransform("out/t.tfm"), points)
    assert np.abs(there - points).max() > 0.5
    for name, (reference, moving), places, expected in (
        ("t", images, points, there),
        ("i", images[::-1], there, points),
    ):
        theirs = linear.Affine.from_filename(
            f"out/{name}{ending}", fmt=kind, reference=reference, moving=moving
        )
        np.testing.assert_allclose(theirs.map(places), expected, atol=1e-4)


def test_what_a_matrix_cannot_hold_is_said_before_any_work(desk, capsys):
    lattice = RIGID.replace("rigid, feature", "bspline, control_point")
    (desk / "d.yaml").write_text(lattice)
    by_lattice = [*BY_RIGID[:4], "d.yaml", *MOVED]
    oblique = [*BY_RIGID[:2], "oblique.nii.gz", *BY_RIGID[3:]]
    auto = [*BY_RIGID[:3], *MOVED]
    for command, name, message in (
        (by_lattice, "t.lta", "out/t.lta: such a file holds a matrix alone, but this"),
        (auto, "t.aff12.1D", "this registration deforms; write .h5 or .npz"),
        (oblique, "t.aff12.1D", "but those of the moving image are oblique"),
    ):
        assert message in refused(capsys, desk, *command, "--transform", f"out/{name}")


def test_many_pairs_are_refused_at_once(here, capsys):
    (here / "pairs.csv").write_text("fixed,moving\nfixed.nii.gz,moving.nii.gz\n")
    command = ["register", "--pairs", "pairs.csv", "--output", "many"]
    options = ["--model", "model", "--transform", "t.lta"]
    assert "t.lta: such a file holds" in refused(capsys, here, *command, *options)
    assert not (here / "many").exists()
