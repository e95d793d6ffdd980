"""A model trained on pictures in colours: in its folder, as a file, on a server."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image as Pillow
from served_exports import served_exports

from dlir_tf.cli import main
from dlir_tf.images import Image, write_image
from dlir_tf.models.loading import check_model
from dlir_tf.transforms import Affine, Transform, read_transform, write_transform

SHAPE = 64, 48  # columns, rows
SHIFT = np.array([3.0, -2.0])  # pixels
PIXEL = 0.5  # mm
CONFIG = """
ndim: 2
spacing: null
stages:
- {transform: affine, downsample: 2, feature_spacing: 8, filters: [4], dense_units: [8]}
training: {steps: 60, batch_size: 3, learning_rate: 0.01, validate_every: 60}
"""
DENSITY = 25.4 / PIXEL  # pixels an inch
SAVED = {
    "a.png": {"dpi": (DENSITY, DENSITY)},
    "b.tif": {"dpi": (DENSITY, DENSITY)},
    "c.jpg": {"dpi": (DENSITY, DENSITY), "quality": 100, "subsampling": 0},
}


def tissue(rng, shift):
    """Blobs, `(rows, columns)`; they lie at `+ shift` in the picture."""
    columns, rows = np.meshgrid(*map(np.arange, SHAPE))
    values = np.full(columns.shape, 30.0)
    for _ in range(25):
        x, y, size = *rng.uniform((8, 8), (56, 40)), rng.uniform(2, 5)
        away = (columns - x - shift[0]) ** 2 + (rows - y - shift[1]) ** 2
        values += rng.uniform(20, 120) * np.exp(-away / (2 * size**2))
    return values.clip(0, 255)


def write_pair(folder, name, seed):
    """Only their green has anything in common, and is shifted."""
    noise = np.random.default_rng(100 + seed)
    for side, shift in (("fixed", (0, 0)), ("moving", SHIFT)):
        array = noise.integers(0, 255, (*SHAPE[::-1], 3), np.uint8)
        array[..., 1] = tissue(np.random.default_rng(seed), shift)
        Pillow.fromarray(array).save(folder / f"{side}_{name}", **SAVED[name])


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Pictures, a model that saw them, and a file of it."""
    folder = tmp_path_factory.mktemp("pictures")
    lines = ["fixed,moving"]
    for seed, name in enumerate(SAVED):
        write_pair(folder, name, seed)
        lines.append(f"fixed_{name},moving_{name}")
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
    (folder / "config.yaml").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        asked = ("--config", "config.yaml", "--pairs", "pairs.csv", "--channel", "2")
        main(["train", *asked])
        main(
            [
                *("export", "--format", "tflite", "--shape", "64,48"),
                *("--model", "model", "--output", "model.tflite"),
            ]
        )
    return folder


@pytest.fixture(scope="module")
def server(desk, tmp_path_factory):
    models = {"dlir": desk / "model"}
    with served_exports(models, tmp_path_factory.mktemp("exported")) as server:
        yield server


@pytest.fixture(autouse=True)
def here(desk, monkeypatch):
    monkeypatch.chdir(desk)


def register(name, *options, pair=("fixed_a.png", "moving_a.png")):
    """Registers; returns the moved colours and the transform."""
    written = ("--output", f"{name}.png", "--transform", f"{name}.h5")
    main(["register", *pair, *options, *written])
    return np.asarray(Pillow.open(f"{name}.png")), read_transform(f"{name}.h5")


def inner():
    """World points of pixels well inside, in RAS mm."""
    columns, rows = np.meshgrid(np.arange(12, 52, 4.0), np.arange(12, 36, 4.0))
    return -PIXEL * np.stack([columns.ravel(), rows.ravel()], axis=-1)


def test_a_model_remembers_by_which_channel_it_was_trained(capsys):
    assert check_model("model").channel == check_model("model.tflite").channel == 2
    moved, transform = register("by_model", "--model", "model")
    assert "channel" not in capsys.readouterr().err
    found = (transform.map_points(inner()) - inner()) / -PIXEL
    np.testing.assert_allclose(found.mean(axis=0), SHIFT, atol=0.5)
    # All channels move, by ITK's measure.
    fixed = sitk.ReadImage("fixed_a.png")
    moving = sitk.Cast(sitk.ReadImage("moving_a.png"), sitk.sitkVectorFloat64)
    for image in (fixed, moving):  # which ITK doesn't read of a PNG by Pillow
        image.SetSpacing((PIXEL, PIXEL))
    read = sitk.ReadTransform("by_model.h5")
    judge = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, read))
    inside = np.s_[6:-6, 6:-6]
    assert np.abs(moved - judge)[inside].max() <= 0.51
    green = [np.asarray(Pillow.open(f"{n}_a.png"))[..., 1] for n in ("fixed", "moving")]
    before, after = (
        np.abs(image.astype(float) - green[0])[inside].mean()
        for image in (green[1], moved[..., 1])
    )
    assert after < 0.4 * before


def test_the_pictures_are_evaluated_by_that_channel():
    main(["evaluate", "--pairs", "pairs.csv", "--model", "model", "--output", "e.csv"])
    with open("e.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(SAVED)
    for row, name in zip(rows, SAVED, strict=True):
        assert float(row["ncc_after"]) > max(0.9, float(row["ncc_before"]) + 0.1)
        green = [
            np.asarray(Pillow.open(f"{side}_{name}"))[..., 1].ravel()
            for side in ("fixed", "moving")
        ]
        before = np.corrcoef(*green)[0, 1]
        assert float(row["ncc_before"]) == pytest.approx(before, abs=1e-4)


def test_grey_pictures_have_no_such_channel(capsys):
    """The model's own is passed over there; one that is asked for is refused."""
    for side in ("fixed", "moving"):
        green = Pillow.open(f"{side}_a.png").getchannel(1)
        green.save(f"{side}_grey.png", **SAVED["a.png"])
    pair = "fixed_grey.png", "moving_grey.png"
    _, transform = register("grey", "--model", "model", pair=pair)
    _, expected = register("coloured", "--model", "model")
    np.testing.assert_allclose(
        transform.map_points(inner()), expected.map_points(inner()), atol=1e-6
    )
    with pytest.raises(SystemExit):
        register("grey", "--model", "model", "--channel", "2", pair=pair)
    assert "has several channels; leave it out" in capsys.readouterr().err


@pytest.mark.parametrize("how", ["file", "grpc", "rest"])
def test_a_file_and_a_server_move_the_same_colours(server, how, capsys):
    expected, known = register("expected", "--model", "model")
    if how == "file":
        options = ("--model", "model.tflite")
    else:
        options = ("--server", getattr(server, how), "--channel", "2")
    capsys.readouterr()
    moved, transform = register(how, *options)
    assert "channel" not in capsys.readouterr().err
    assert np.abs(moved.astype(int) - expected).max() <= 1
    assert np.mean(moved != expected) < 0.02
    np.testing.assert_allclose(
        transform.map_points(inner()), known.map_points(inner()), atol=1e-3
    )


def test_another_channel_than_the_models_is_warned_of(server, capsys):
    """A server's model says it when the images are read already."""
    register("warned", "--server", server.grpc)
    told = "made for channel 2, but the moving image, which has 3, is looked at other"
    assert told in capsys.readouterr().err
    register("warned", "--model", "model", "--channel", "1")
    assert told in capsys.readouterr().err


def test_a_server_goes_on_from_a_matrix(server):
    """Told that the moving image lies there, it finds what the model finds."""
    turn = np.array([[0.6, -0.8, 40.0], [0.8, 0.6, -70.0], [0, 0, 1]])
    write_transform("turn.tfm", Transform((Affine(turn),)))
    green = np.asarray(Pillow.open("moving_a.png"))[..., 1].T
    place = turn @ np.diag([-PIXEL, -PIXEL, 1])
    write_image("turned.nrrd", Image(green, place))
    pair = "fixed_a.png", "turned.nrrd"
    start = ("--initial-transform", "turn.tfm")
    remote = ("--server", server.grpc, "--channel", "2")
    _, plain = register("plain", "--model", "model")
    expected = plain.map_points(inner()) @ turn[:2, :2].T + turn[:2, 2]
    for name, options in (("turned", ("--model", "model")), ("remote", remote)):
        moved, transform = register(name, *options, *start, pair=pair)
        found = transform.map_points(inner())
        np.testing.assert_allclose(found, expected, atol=2e-3)
        assert np.ptp(moved) > 50
