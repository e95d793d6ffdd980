"""Pictures and colours through the commands: a known warp comes back, in colours."""

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image as Pillow

from dlir_tf.cli import main
from dlir_tf.images import Image, write_image

SIZE = 90, 72  # columns, rows
CONFIG = """
ndim: 2
spacing: null
similarity: {kind: ncc}
stages:
- {transform: bspline, downsample: 2, control_point_spacing: 16, bending_energy: 0.1}
- {transform: bspline, downsample: 1, control_point_spacing: 8, bending_energy: 0.1}
refinement: {steps: 40, learning_rate: 0.06}
"""
REGISTER = (
    *("register", "fixed.png", "moving.png", "--preset", "quick.yaml"),
    *("--output", "out/moved.png"),
)


def section(columns, rows):
    """Stained tissue on bright glass; `(rows, columns, 3)`, from 0 to 1."""
    rng = np.random.default_rng(1)
    colours = np.full((*columns.shape, 3), 0.93)
    for _ in range(30):
        x, y, size = *rng.uniform((15, 12), (75, 60)), rng.uniform(3, 7)
        blob = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * size**2))
        colours -= blob[..., None] * rng.uniform(0.05, 0.6, 3)
    return np.clip(colours, 0, 1)


def warped(columns, rows):
    """Where the moving picture takes its pixels from, in the fixed one."""
    return columns + 2.5 * np.sin(rows / 12) - 1, rows + 2 * np.cos(columns / 15)


def scaled(colours, dtype):
    return np.rint(colours * np.iinfo(dtype).max).astype(dtype)


def ended(*arguments):
    try:
        main(list(arguments))
    except SystemExit as stop:
        return stop.code or 0
    return 0


def as_itk(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    columns, rows = np.meshgrid(*map(np.arange, SIZE))
    (folder / "quick.yaml").write_text(CONFIG)
    (folder / "out").mkdir()
    pictures = {
        "fixed": section(columns, rows),
        "moving": section(*warped(columns, rows)),
    }
    for name, colours in pictures.items():
        for suffix, dtype in ((".png", np.uint8), (".tif", np.uint16)):
            array = scaled(colours, dtype).swapaxes(0, 1)
            place = np.diag([-0.5, -0.5, 1.0])
            write_image(
                folder / f"{name}{suffix}", Image(array[..., 1], place, channels=array)
            )
    return folder


@pytest.fixture(autouse=True)
def here(desk, monkeypatch):
    monkeypatch.chdir(desk)
    return desk


def judged_by_itk(moving, transform, outside=0):
    """The moving picture, resampled by ITK onto the fixed one, without rounding."""
    fixed = sitk.ReadImage("fixed.png")
    image = sitk.Cast(sitk.ReadImage(moving), sitk.sitkVectorFloat64)
    read = sitk.ReadTransform(transform)
    moved = sitk.Resample(image, fixed, read, sitk.sitkLinear, outside)
    return sitk.GetArrayFromImage(moved)


def test_a_known_warp_of_a_coloured_picture_comes_back(here, capsys):
    """Nothing but the luminance is registered; all channels gain by it, and alike."""
    outputs = ("--transform", "out/t.h5", "--report", "out/r.json", "--fill-value", "0")
    assert ended(*REGISTER, *outputs, "--figure", "out/f.png") == 0
    assert capsys.readouterr().out == "out/moved.png\n"
    fixed, moving, moved = (
        as_itk(name).astype(float)
        for name in ("fixed.png", "moving.png", "out/moved.png")
    )
    inner = np.s_[8:-8, 8:-8]
    before, after = (
        np.abs(image - fixed)[inner].mean((0, 1)) for image in (moving, moved)
    )
    assert (after < 0.25 * before).all()
    assert np.abs(moved - judged_by_itk("moving.png", "out/t.h5")).max() <= 0.51
    assert sitk.ReadImage("out/moved.png").GetSpacing() == (0.5, 0.5)
    assert json.loads((here / "out/r.json").read_text())["verdict"] != "FAIL"

    # The same way, colours of 16 bits: in their own type, by ITK's measure too.
    carry = ("transform", "moving.tif", "--transform", "out/t.h5", "--output")
    assert ended(*carry, "out/m.tif", "--reference", "fixed.tif") == 0
    assert "moving.tif: what comes from outside it is 6" in capsys.readouterr().err
    wide = as_itk("out/m.tif")
    assert wide.dtype == np.uint16
    judge = judged_by_itk("moving.tif", "out/t.h5", outside=-1)
    inside = (judge != -1).all(-1)
    assert np.abs(wide - judge)[inside].max() <= 0.51
    assert (wide[~inside] > 55_000).all()  # goes on like the glass


def test_another_channel_can_be_what_is_looked_at(capsys):
    """Of a picture whose other channels are noise."""
    rng = np.random.default_rng(3)
    for name in ("fixed", "moving"):
        array = as_itk(f"{name}.png")
        array[..., (0, 2)] = rng.integers(0, 255, (*array.shape[:2], 2))
        Pillow.fromarray(array).save(f"noisy_{name}.tif", dpi=(50.8, 50.8))
    pair = ("register", "noisy_fixed.tif", "noisy_moving.tif", "--preset", "quick.yaml")
    assert ended(*pair, "--output", "out/green.tif", "--channel", "2") == 0
    fixed, moving, moved = (
        as_itk(name)[8:-8, 8:-8, 1].astype(float)
        for name in ("noisy_fixed.tif", "noisy_moving.tif", "out/green.tif")
    )
    assert np.abs(moved - fixed).mean() < 0.3 * np.abs(moving - fixed).mean()
    capsys.readouterr()
    assert ended(*pair, "--output", "out/no.tif", "--channel", "4") == 1
    assert "has 3 channels, so --channel" in capsys.readouterr().err


def test_grey_pictures_and_pairs_of_formats(here, capsys):
    """Settings are chosen by the two; the result is of the moving one's kind."""
    Pillow.open("fixed.png").convert("L").save("grey.jpg", dpi=(50.8, 50.8))
    arguments = ("grey.jpg", "moving.tif", "--preset", "quick.yaml", "--refine", "5")
    assert ended("register", *arguments, "--output", "out/a.nrrd") == 0
    moved = sitk.ReadImage("out/a.nrrd")
    assert moved.GetNumberOfComponentsPerPixel() == 3
    assert moved.GetPixelIDTypeAsString() == "vector of 16-bit unsigned integer"
    assert moved.GetSpacing() == pytest.approx(
        (0.5, 0.5), rel=5e-3
    )  # 51 pixels an inch
    assert ended("info", "--pair", "grey.jpg", "moving.tif") == 0
    assert "ndim: 2" in capsys.readouterr().out


def test_pairs_of_pictures_are_evaluated(here):
    """By their luminance, or by a channel."""
    (here / "pairs.csv").write_text("fixed,moving\nfixed.png,moving.png\n")
    chosen = ("--preset", "quick.yaml", "--refine", "20", "--output", "out/e.csv")
    before = []
    for channel in ((), ("--channel", "3")):
        assert ended("evaluate", "--pairs", "pairs.csv", *chosen, *channel) == 0
        with open("out/e.csv", newline="") as stream:
            (row,) = csv.DictReader(stream)
        assert float(row["ncc_after"]) > max(0.95, float(row["ncc_before"]))
        before.append(float(row["ncc_before"]))
    blue = [as_itk(f"{name}.png")[..., 2].ravel() for name in ("fixed", "moving")]
    assert before[1] == pytest.approx(np.corrcoef(*blue)[0, 1], abs=1e-5)
    assert abs(before[0] - before[1]) > 1e-4


def test_what_a_picture_cannot_hold_is_refused_before_any_work(here, capsys):
    for name, shape in (("a.nii.gz", (20, 24, 9)), ("b.nii.gz", (22, 24, 9))):
        values = np.random.default_rng(0).uniform(size=shape).astype(np.float32)
        write_image(name, Image(values, np.eye(4)))
    assert ended("register", "a.nii.gz", "b.nii.gz", "--output", "out/v.png") == 1
    error = capsys.readouterr().err
    assert "out/v.png: a picture holds 2-d images" in error
    assert "Chosen by" not in error
    for name in "cd":
        values = np.random.default_rng(0).uniform(-9, 9, (20, 24)).astype(np.float32)
        write_image(f"{name}.nii.gz", Image(values, np.eye(3)))
    assert ended("register", "c.nii.gz", "d.nii.gz", "--output", "out/v.png") == 1
    error = capsys.readouterr().err
    assert "whole numbers of 8 or 16 bits, but voxels are of type float32" in error
    assert "Chosen by" not in error
    pair = ("register", "fixed.tif", "moving.tif", "--output", "out/wide.nii.gz")
    assert ended(*pair) == 1
    error = capsys.readouterr().err
    assert "out/wide.nii.gz: NIfTI holds 3 or 4 colours of type uint8" in error
    assert "Chosen by" not in error
    labels = ("--interpolation", "label", "--output", "out/l.png")
    carry = ("transform", "moving.png", "--transform", "out/t.h5", *labels)
    assert ended(*carry) == 1
    assert "has several channels (colours)" in capsys.readouterr().err
    assert ended(*REGISTER, "--jacobian", "out/j.png") == 1
    assert "out/j.png: expected a name that ends in .nii.gz" in capsys.readouterr().err
