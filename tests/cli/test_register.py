"""`dlir-tf register` as a user meets it."""

import errno
import gzip
import json
import os
import shutil

import matplotlib.image
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from dlir_tf.cli import main
from dlir_tf.images import flip_ras_lps, read_image

SHAPE = (17, 14, 5)
CONFIG = {
    "ndim": 3,
    "intensity": {"clip_percentiles": None, "clip_values": [0, 1000]},
    "spacing": [1.5, 1.5, None],
    "stages": [
        {
            "transform": "bspline",
            "downsample": 1,
            "control_point_spacing": steps,
            "filters": [4, 4],
            "lattice_filters": 4,
        }
        for steps in ([8, 8, 1], [4, 4, 1])
    ],
}


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """A model that moves images, though it never saw one."""
    from dlir_tf.config import Config
    from dlir_tf.model import build_model
    from dlir_tf.model_folder import make_model, save_model

    config = Config.model_validate(CONFIG)
    network = build_model(config)
    rng = np.random.default_rng(5)
    for weight in network.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    folder = tmp_path_factory.mktemp("models") / "model"
    save_model(folder, make_model(config, network, {"seed": 5}))
    return folder


def _affine(spacing=(1.4, 1.6, 7.0), angle=0.4, origin=(-31.0, 12.5, 70.0)):
    """Oblique, and mirrored as scanners do it."""
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    turn = np.eye(4)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn[:2, :2] = [[cosine, -sine], [sine, cosine]]
    affine = turn @ affine
    affine[:3, 3] = origin
    return affine


def _save(path, array, affine=None):
    nib.save(nib.Nifti1Image(array, _affine() if affine is None else affine), path)


@pytest.fixture
def here(tmp_path, monkeypatch, model_folder):
    """A working directory with a model and a pair."""
    rng = np.random.default_rng(3)
    for name, affine in (("fixed", _affine()), ("moving", _affine(angle=0.3))):
        array = 1000 * ndimage.gaussian_filter(rng.uniform(size=SHAPE), 1.5)
        _save(tmp_path / f"{name}.nii.gz", array.astype(np.int16), affine)
    labels = rng.choice([0, 3, 517], SHAPE).astype(np.uint16)
    _save(tmp_path / "labels.nii.gz", labels, _affine(angle=0.3))
    shutil.copytree(model_folder, tmp_path / "model")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


PAIR = ("register", "fixed.nii.gz", "moving.nii.gz", "--output", "out/moved.nii.gz")
ALL = (
    *PAIR,
    *("--displacement", "out/displacement.nii.gz", "--labels", "labels.nii.gz"),
    *("--moved-labels", "out/labels.nii.gz", "--figure", "out/figure.png"),
)


def _outputs(here):
    return sorted(entry.name for entry in (here / "out").iterdir())


def _refused(capsys, here, *arguments):
    """Asserts exit code 1, one sentence, and nothing written; returns the sentence."""
    before = _outputs(here)
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    printed = capsys.readouterr()
    assert caught.value.code == 1
    assert printed.out == ""
    lines = [s for s in printed.err.splitlines() if not s.startswith("Warning: ")]
    assert len(lines) == 1
    assert lines[0].startswith("Error: ")
    assert "Traceback" not in printed.err
    assert _outputs(here) == before
    return lines[0]


def test_everything_that_is_asked_for_is_written(here, capsys):
    from dlir_tf.model_folder import load_model
    from dlir_tf.registration import register

    main(list(ALL))
    printed = capsys.readouterr()
    assert printed.out == "out/moved.nii.gz\n"
    names = ["displacement.nii.gz", "figure.png", "labels.nii.gz", "moved.nii.gz"]
    assert _outputs(here) == names
    fixed, moving = read_image("fixed.nii.gz"), read_image("moving.nii.gz")
    expected = register(fixed, moving, model=load_model("model"))
    moved = read_image("out/moved.nii.gz")
    np.testing.assert_array_equal(moved.array, expected.moved.array)
    np.testing.assert_allclose(moved.affine, fixed.affine, atol=1e-5)
    assert moved.array.dtype == np.int16
    assert np.abs(moved.array.astype(int) - moving.array).max() > 10
    assert matplotlib.image.imread("out/figure.png").size > 10_000

    field = sitk.ReadImage("out/displacement.nii.gz", sitk.sitkVectorFloat64)
    transform = sitk.DisplacementFieldTransform(field)
    voxels = np.random.default_rng(0).integers(0, SHAPE, (100, 3))
    points = voxels @ fixed.affine[:3, :3].T + fixed.affine[:3, 3]
    by_itk = [transform.TransformPoint(point) for point in flip_ras_lps(points)]
    mapped = expected.transform.map_points(points)
    assert np.abs(mapped - points).max() > 1
    np.testing.assert_allclose(flip_ras_lps(np.array(by_itk)), mapped, atol=1e-3)

    for source, result, kind in (
        ("moving.nii.gz", "out/moved.nii.gz", sitk.sitkLinear),
        ("labels.nii.gz", "out/labels.nii.gz", sitk.sitkNearestNeighbor),
    ):
        by_itk = sitk.Resample(
            sitk.ReadImage(source), sitk.ReadImage("fixed.nii.gz"), transform, kind
        )
        ours = sitk.ReadImage(result)
        assert ours.GetPixelID() == sitk.ReadImage(source).GetPixelID()
        arrays = [sitk.GetArrayFromImage(i).astype(int) for i in (by_itk, ours)]
        # ITK keeps origins in float32 here: a few voxels at the edge may differ.
        differs = np.abs(arrays[0] - arrays[1]) > (kind == sitk.sitkLinear)
        assert differs.mean() < 0.005


def test_the_moved_image_alone_is_enough(here, capsys):
    main([*PAIR, "--model", "model"])
    assert _outputs(here) == ["moved.nii.gz"]
    assert capsys.readouterr().err == ""


def _not_an_image(path):
    path.write_text("fixed,moving\n")


def _truncated(path):
    _save(path, np.random.default_rng(0).integers(0, 99, SHAPE).astype(np.int16))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _with_voxel(value):
    def make(path):
        array = np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32)
        array[3, 4, 2] = value
        _save(path, array)

    return make


def _constant(path):
    _save(path, np.full(SHAPE, 7, np.int16))


def _rgb(path):
    colours = np.zeros(SHAPE, np.dtype([(c, "u1") for c in "RGB"]))
    _save(path, colours)


def _time_axis(path):
    _save(path, np.random.default_rng(0).uniform(size=(*SHAPE, 4)).astype(np.float32))


def _flat(path):
    _save(path, np.random.default_rng(0).uniform(size=SHAPE[:2]).astype(np.float32))


def _elsewhere(path):
    array = np.random.default_rng(0).uniform(size=SHAPE).astype(np.float32)
    _save(path, array, _affine(origin=(800.0, 0, 0)))


def _dark(path):
    """Constant below the intensities that the model looks at."""
    _save(path, np.random.default_rng(0).uniform(-9, -5, SHAPE).astype(np.float32))


BAD_IMAGES = {
    "missing": (lambda path: None, "no such file"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
    "no image": (_not_an_image, "can't be read as an image"),
    "truncated": (_truncated, "can't be read as an image"),
    "NaN": (_with_voxel(np.nan), "NaN or infinite"),
    "infinite": (_with_voxel(-np.inf), "NaN or infinite"),
    "constant": (_constant, "nothing to register"),
    "colours": (_rgb, "colours"),
    "time": (_time_axis, "4 volumes or channels"),
    "2-d": (_flat, "is 2-d"),
    "elsewhere": (_elsewhere, "don't overlap"),
    "constant within the limits": (_dark, "is constant between the intensities"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_a_bad_image_is_refused(here, capsys, kind):
    make, message = BAD_IMAGES[kind]
    make(here / "bad.nii.gz")
    for pair in (("bad.nii.gz", "moving.nii.gz"), ("fixed.nii.gz", "bad.nii.gz")):
        arguments = ("register", *pair, *PAIR[3:])
        error = _refused(capsys, here, *arguments)
        assert message in error
        assert "bad.nii.gz" in error


def test_bad_labels_are_refused(here, capsys):
    labels = ("--labels", "bad.nii.gz", "--moved-labels", "out/labels.nii.gz")
    assert "no such file" in _refused(capsys, here, *PAIR, *labels)
    _save(here / "bad.nii.gz", np.zeros((5, 4, 3), np.uint8))
    assert "labels must have their image" in _refused(capsys, here, *PAIR, *labels)
    _save(here / "bad.nii.gz", np.zeros(SHAPE, np.uint8), _affine(angle=0.5))
    error = _refused(capsys, here, *PAIR, *labels)
    assert "bad.nii.gz: labels lie elsewhere" in error
    _with_voxel(0.5)(here / "bad.nii.gz")
    assert "must be integers" in _refused(capsys, here, *PAIR, *labels)
    for half in (labels[:2], labels[2:]):
        assert "belong together" in _refused(capsys, here, *PAIR, *half)


def test_a_bad_model_is_refused(here, capsys):
    assert "no such model" in _refused(capsys, here, *PAIR, "--model", "none")
    path = here / "model" / "provenance.json"
    provenance = json.loads(path.read_text())
    path.write_text(json.dumps(provenance | {"format_version": 99}))
    assert "version 99" in _refused(capsys, here, *PAIR)
    path.write_text(json.dumps(provenance))
    weights = here / "model" / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "model.weights.h5" in _refused(capsys, here, *PAIR)
    weights.unlink()
    assert "it lacks model.weights.h5" in _refused(capsys, here, *PAIR)


def test_a_bad_output_is_refused_before_any_work(here, capsys, monkeypatch):
    monkeypatch.setattr("dlir_tf.images.read_image", lambda _: pytest.fail("read"))
    start = PAIR[:3]
    for output, message in {
        "none/moved.nii.gz": "its folder doesn't exist",
        "out/moved.mha": "ends in .nii or .nii.gz",
        "out": "ends in .nii or .nii.gz",
        "fixed.nii.gz": "is an input or another output already",
        "out/../moving.nii.gz": "is an input or another output already",
    }.items():
        assert message in _refused(capsys, here, *start, "--output", output)
    twice = (*PAIR, "--displacement", "out/moved.nii.gz")
    assert "another output already" in _refused(capsys, here, *twice)
    figure = (*PAIR, "--figure", "out/figure.jpg")
    assert "ends in .png" in _refused(capsys, here, *figure)
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)
    assert "can't be written" in _refused(capsys, here, *PAIR)


def test_if_the_last_output_fails_the_first_is_not_there(here, capsys, monkeypatch):
    """What was there before stays as it was."""
    (here / "out" / "moved.nii.gz").write_bytes(b"from before")

    def fail(path, *_, **__):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", "out/figure.png")

    monkeypatch.setattr("dlir_tf.figures.registration_figure", fail)
    error = _refused(capsys, here, *ALL)
    assert error == (
        "Error: out/figure.png: the disk is full; the files that are there are whole"
    )
    assert _outputs(here) == ["moved.nii.gz"]
    assert (here / "out" / "moved.nii.gz").read_bytes() == b"from before"


def test_headers_that_contradict_themselves_are_reported(here, capsys):
    image = nib.load("fixed.nii.gz")
    nib.save(image, "lying.nii")
    data = bytearray((here / "lying.nii").read_bytes())
    data[76:108] = np.array([1, 1.4, 1.6, 9.0, 1, 1, 1, 1], "<f4").tobytes()  # pixdim
    (here / "lying.nii").write_bytes(data)
    main(["register", "lying.nii", *PAIR[2:]])
    assert "Warning: lying.nii: the affine says" in capsys.readouterr().err
    assert nib.load("out/moved.nii.gz").header.get_zooms()[2] == pytest.approx(9)


def test_the_spacing_source_is_forced_for_all_files(here, capsys):
    for name in ("fixed", "moving", "labels"):
        data = bytearray(gzip.decompress((here / f"{name}.nii.gz").read_bytes()))
        data[76:108] = np.array([1, 1.4, 1.6, 9.0, 1, 1, 1, 1], "<f4").tobytes()
        (here / f"{name}.nii.gz").write_bytes(gzip.compress(data))
    main([*ALL, "--spacing-source", "affine"])
    assert capsys.readouterr().err == ""
    for name in ("moved", "labels"):
        zooms = nib.load(f"out/{name}.nii.gz").header.get_zooms()
        assert zooms == pytest.approx((1.4, 1.6, 7))
