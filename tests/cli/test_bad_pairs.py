"""Pairs that can't be right: masks that leave nothing, units of another scanner."""

import json

import nibabel as nib
import numpy as np
import pytest
from made_chest import grid_about, lungs, scan

from dlir_tf.cli import main
from dlir_tf.images import Image, write_image
from dlir_tf.transforms import read_transform

GRID = grid_about([0, -20, 0], (41, 35, 19), (9.0, 9.5, 12.0))
SHIFT = (9.0, 0.0, -12.0)
PRESET = """
ndim: 3
spacing: [9.0, 9.5, 12.0]
initial_alignment: {alignment}
intensity: {{clip_percentiles: {percentiles}, clip_values: {limits}, hounsfield: {ct}}}
stages:
- {{transform: bspline, downsample: 1, control_point_spacing: 8}}
refinement: {{steps: 12, learning_rate: {rate}}}
"""
OF_CT = {"percentiles": "null", "limits": "[-1000, 0]", "ct": "true"}
OF_MR = {"percentiles": "[0.5, 99.5]", "limits": "null", "ct": "false"}
REGISTER = (
    *("register", "fixed.nii.gz", "moving.nii.gz", "--output", "out/moved.nii.gz"),
    *("--report", "out/report.json"),
)

EVALUATE = ("evaluate", "--pairs", "pairs.csv", "--output", "out/evaluation.csv")


def write_preset(name, *, alignment="header", rate=0.05, **intensity):
    text = PRESET.format(alignment=alignment, rate=rate, **intensity)
    with open(name, "w", encoding="utf-8") as stream:
        stream.write(text)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A chest at two dates, with masks of the lungs; presets for CT and for MR."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    for name, shift in (("fixed", (0, 0, 0)), ("moving", SHIFT)):
        write_image(tmp_path / f"{name}.nii.gz", scan(GRID, shift))
        mask = lungs(GRID, shift)
        stored = mask.with_array(mask.array.astype(np.uint8))
        write_image(tmp_path / f"{name}_mask.nii.gz", stored)
    write_preset("ct.yaml", **OF_CT)
    write_preset("mr.yaml", **OF_MR)
    return tmp_path


def run(*arguments):
    """Runs a command; returns its exit code."""
    try:
        main(list(arguments))
    except SystemExit as stop:
        return stop.code or 0
    return 0


def refused(capsys, here, *arguments):
    """Asserts that it's refused in one sentence and nothing is written; returns it."""
    assert run(*arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = (s for s in printed.err.splitlines() if not s.startswith("Warning: "))
    assert line.startswith("Error: ")
    assert list((here / "out").iterdir()) == []
    return line


def store(name, array, affine=None):
    stored = nib.load("fixed.nii.gz")
    affine = stored.affine if affine is None else affine
    nib.save(nib.Nifti1Image(array.astype(np.uint8), affine), name)


def with_mask(here, side):
    """The commands that take a mask: of the pair, and of a manifest."""
    header = f"fixed,moving,{side}_mask\n"
    row = "fixed.nii.gz,moving.nii.gz,mask.nii.gz\n"
    (here / "pairs.csv").write_text(header + row, encoding="utf-8")
    return (
        (*REGISTER, "--preset", "ct.yaml", f"--{side}-mask", "mask.nii.gz"),
        (*EVALUATE, "--preset", "ct.yaml"),
    )


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_an_empty_mask(here, capsys, side):
    store("mask.nii.gz", np.zeros(GRID.shape))
    for command in with_mask(here, side):
        assert "mask.nii.gz: every voxel of the mask is 0" in refused(
            capsys, here, *command
        )


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_a_mask_elsewhere(here, capsys, side):
    moved = nib.load("fixed.nii.gz").affine.copy()
    moved[2, 3] += 40
    far = nib.load("fixed.nii.gz").affine + 900 * np.eye(4, k=3)
    for array, affine in (
        (np.ones(GRID.shape), moved),
        (np.ones((41, 35, 18)), far),
    ):
        store("mask.nii.gz", array, affine)
        for command in with_mask(here, side):
            assert "mask.nii.gz: masks" in refused(capsys, here, *command)


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_a_mask_on_another_grid_counts_as_on_its_own(here, capsys, side):
    """Every voxel of the mask cut into eight: the same places, and so the same map."""
    mask = nib.load(f"{side}_mask.nii.gz")
    fine = np.kron(np.asarray(mask.dataobj), np.ones((2, 2, 2)))
    halves = np.diag([0.5, 0.5, 0.5, 1])
    halves[:3, 3] = -0.25
    store("mask.nii.gz", fine, mask.affine @ halves)
    points = nib.affines.apply_affine(mask.affine, np.argwhere(fine[::16, ::16, ::16]))
    told, maps = [], []
    for name in ("mask.nii.gz", f"{side}_mask.nii.gz"):
        here_too = ("--transform", "out/t.npz", f"--{side}-mask", name)
        assert run(*REGISTER, "--preset", "ct.yaml", *here_too) == 0
        told.append(capsys.readouterr().err)
        maps.append(read_transform("out/t.npz").map_points(points))
    assert "Warning: mask.nii.gz: the mask lies on another grid than its" in told[0]
    assert "another grid" not in told[1]
    np.testing.assert_allclose(maps[0], maps[1], atol=1e-6)


def test_masks_that_have_nothing_in_common(here, capsys):
    lower, upper = np.zeros((2, *GRID.shape))
    lower[:, :, 2:7] = upper[:, :, 12:17] = 1
    store("lower.nii.gz", lower)
    store("upper.nii.gz", upper)
    masks = ("--fixed-mask", "lower.nii.gz", "--moving-mask", "upper.nii.gz")
    told = refused(capsys, here, *REGISTER, "--preset", "ct.yaml", *masks)
    assert "fixed_mask and moving_mask: no voxel of the working grid" in told


def test_a_mask_that_leaves_padding_alone(here, capsys):
    """All that it has inside is what the scanner hasn't seen."""
    image = nib.load("fixed.nii.gz")
    array = np.asarray(image.dataobj).copy()
    array[:5] = -2048
    nib.save(nib.Nifti1Image(array, image.affine), "fixed.nii.gz")
    inside = np.zeros(GRID.shape)
    inside[:5] = 1
    store("mask.nii.gz", inside)
    mask = ("--fixed-mask", "mask.nii.gz")
    told = refused(capsys, here, *REGISTER, "--preset", "ct.yaml", *mask)
    assert "fixed_mask: no voxel of the working grid" in told


def test_masks_are_used(here, capsys):
    masks = ("--fixed-mask", "fixed_mask.nii.gz", "--moving-mask", "moving_mask.nii.gz")
    write_preset("search.yaml", alignment="search", **OF_CT)
    assert run(*REGISTER, "--preset", "search.yaml", *masks) == 0
    report = json.loads((here / "out" / "report.json").read_text())
    assert report["masks"] == ["fixed_mask", "moving_mask"]
    np.testing.assert_allclose(report["initial_shift"], SHIFT, atol=2.5)
    assert report["wrong_units"] == []


def test_a_ct_given_to_a_preset_for_mr(here, capsys):
    assert run(*REGISTER, "--preset", "mr.yaml") == 0
    told = [s for s in capsys.readouterr().err.splitlines() if "Hounsfield" in s]
    assert [line.split(" is a CT")[0] for line in told] == [
        "WARN: the fixed image",
        "WARN: the moving image",
    ]
    report = json.loads((here / "out" / "report.json").read_text())
    assert report["verdict"] == "WARN"
    assert [f"WARN: {each}" for each in report["wrong_units"]] == told
    assert set(report["wrong_units"]) <= set(report["reasons"])


def as_mr(low):
    """Makes the pair one of MR: grey values from `low` to about 1200."""
    for name in ("fixed", "moving"):
        image = nib.load(f"{name}.nii.gz")
        array = np.asarray(image.dataobj).astype(float)
        array = np.clip(array - np.percentile(array, 5), 0, 1200) + low
        nib.save(
            nib.Nifti1Image(array.astype(np.int16), image.affine), f"{name}.nii.gz"
        )


def test_an_mr_pair_given_to_a_preset_for_ct(here, capsys):
    """Refused where nothing of it is within the limits, else warned of."""
    as_mr(0)
    told = refused(capsys, here, *REGISTER, "--preset", "lung-ct")
    assert "the fixed image is constant between the intensities -1000 and -300" in told
    assert "its own go from 0 to 1" in told
    assert "units (hounsfield: true)" in told
    as_mr(-150)
    assert run(*REGISTER, "--preset", "ct.yaml") == 0
    told = [s for s in capsys.readouterr().err.splitlines() if "Hounsfield" in s]
    assert len(told) == 2
    assert "WARN: the fixed image is no CT in Hounsfield units" in told[0]
    assert "from -150 to " in told[0]


def test_steps_that_cannot_converge(here, capsys):
    """They are taken back, and that nothing came of them is said."""
    write_preset("wild.yaml", rate=1e30, **OF_CT)
    assert run(*REGISTER, "--preset", "wild.yaml") == 0
    told = capsys.readouterr().err
    assert "nothing better was found" in told
    assert "WARN: " in told
    moved, moving = (
        nib.load(f).get_fdata() for f in ("out/moved.nii.gz", "moving.nii.gz")
    )
    np.testing.assert_array_equal(moved, moving)


def test_images_of_nothing_but_noise_do_not_pass(here, capsys):
    rng = np.random.default_rng(4)
    for name in ("fixed", "moving"):
        noise = rng.normal(-500, 250, GRID.shape).astype(np.int16)
        write_image(f"{name}.nii.gz", Image(noise, GRID.affine))
    assert run(*REGISTER, "--preset", "ct.yaml", "--strict") == 3
    assert "FAIL: the images have nothing in common" in capsys.readouterr().err
