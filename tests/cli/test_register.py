"""`dlir-tf register` as a user meets it."""

import errno
import gzip
import json
import os
import re
import shutil
from types import SimpleNamespace

import matplotlib.image
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from dlir_tf.cli import main
from dlir_tf.cli.outputs import _figure_writer
from dlir_tf.images import Image, flip_ras_lps, read_image
from dlir_tf.transforms.files.dispatch import read_transform

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
    from dlir_tf.models.folder import make_model, save_model
    from dlir_tf.models.model import build_model

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


# A model that never saw an image does harm; none of it is to be left out here.
PAIR = (
    *("register", "fixed.nii.gz", "moving.nii.gz", "--output", "out/moved.nii.gz"),
    "--all-stages",
)
ALL = (
    *PAIR,
    *("--displacement", "out/displacement.nii.gz", "--labels", "labels.nii.gz"),
    *("--moved-labels", "out/labels.nii.gz", "--figure", "out/figure.png"),
)


def _outputs(here):
    return sorted(entry.name for entry in (here / "out").iterdir())


def _said(capsys):
    """The lines on stderr, but for the reasons of the verdict."""
    lines = capsys.readouterr().err.splitlines()
    return [line for line in lines if not line.startswith(("WARN: ", "FAIL: "))]


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
    from dlir_tf.models.folder import load_model
    from dlir_tf.registration import register

    main(list(ALL))
    printed = capsys.readouterr()
    assert printed.out == "out/moved.nii.gz\n"
    names = ["displacement.nii.gz", "figure.png", "labels.nii.gz", "moved.nii.gz"]
    assert _outputs(here) == names
    fixed, moving = read_image("fixed.nii.gz"), read_image("moving.nii.gz")
    expected = register(fixed, moving, model=load_model("model"), do_no_harm=False)
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
    assert _said(capsys) == []


def _points(image, number=60):
    """World points within an image, RAS+."""
    last = np.array(image.shape) - 1
    voxels = last * np.random.default_rng(2).uniform(size=(number, image.ndim))
    return voxels @ image.affine[:-1, :-1].T + image.affine[:-1, -1]


def _by_itk(transform, points):
    mapped = [transform.TransformPoint(point) for point in flip_ras_lps(points)]
    return flip_ras_lps(np.array(mapped))


def _said_mm(line):
    """The one length in mm that a message names."""
    (number,) = re.findall(r"([\d.e+-]+) mm", line)
    return float(number)


def test_the_transform_its_inverse_and_its_jacobian_are_written(here, capsys):
    """ITK reads what is exact; what isn't is told, and so small."""
    files = ("--transform", "out/t.h5", "--inverse", "out/i.npz")
    main([*PAIR, *files, "--jacobian", "out/j.nrrd"])
    (said,) = _said(capsys)
    assert said.startswith("out/i.npz: the inverse holds to ")
    assert _said_mm(said) < 1e-4
    assert said.endswith(" points)")
    fixed = read_image("fixed.nii.gz")
    transform, inverse = read_transform("out/t.h5"), read_transform("out/i.npz")
    points = _points(fixed)
    mapped = _by_itk(sitk.ReadTransform("out/t.h5"), points)
    assert np.abs(mapped - points).max() > 1
    np.testing.assert_allclose(transform.map_points(points), mapped, atol=1e-3)
    # At the border, a point may also come from outside, where nothing is moved.
    covered = inverse.covers(mapped)
    assert covered.mean() > 0.9
    back = inverse.map_points(mapped[covered])
    np.testing.assert_allclose(back, points[covered], atol=1e-3)
    by_itk = sitk.Resample(
        sitk.ReadImage("moving.nii.gz"),
        sitk.ReadImage("fixed.nii.gz"),
        sitk.ReadTransform("out/t.h5"),
        sitk.sitkLinear,
    )
    moved = sitk.GetArrayFromImage(by_itk).T.astype(int)
    differs = np.abs(read_image("out/moved.nii.gz").array - moved) > 1
    assert differs.mean() < 0.005

    jacobian = read_image("out/j.nrrd")
    assert jacobian.array.dtype == np.float32
    np.testing.assert_allclose(jacobian.affine, fixed.affine, atol=1e-5)
    voxel, step = np.array([8, 6, 2]), 1e-3
    centre = fixed.affine[:3, :3] @ voxel + fixed.affine[:3, 3]
    slopes = [
        transform.map_points([centre + offset])[0]
        - transform.map_points([centre - offset])[0]
        for offset in step * np.eye(3)
    ]
    expected = np.linalg.det(np.array(slopes) / (2 * step))
    assert abs(expected - 1) > 1e-3
    assert jacobian.array[tuple(voxel)] == pytest.approx(expected, abs=1e-3)


def test_what_a_file_can_not_hold_exactly_is_said(here, capsys):
    """ANTs' pair and dense inverses; both files of a pair are there."""
    main([*PAIR, "--transform", "out/a0GenericAffine.mat", "--inverse", "out/i.tfm"])
    said = _said(capsys)
    assert len(said) == 3
    assert said[0].startswith("out/i.tfm: the inverse holds to")
    assert said[1].startswith("out/a0GenericAffine.mat: such a file can't hold")
    assert said[2].startswith("out/i.tfm: such a file can't hold")
    names = ["a0GenericAffine.mat", "a1Warp.nii.gz", "i.tfm", "moved.nii.gz"]
    assert _outputs(here) == names
    fixed, moving = read_image("fixed.nii.gz"), read_image("moving.nii.gz")
    warp = sitk.ReadImage("out/a1Warp.nii.gz", sitk.sitkVectorFloat64)
    pair = sitk.CompositeTransform(3)
    pair.AddTransform(sitk.ReadTransform("out/a0GenericAffine.mat"))
    pair.AddTransform(sitk.DisplacementFieldTransform(warp))
    main([*PAIR, "--transform", "out/exact.npz"])
    exact = read_transform("out/exact.npz")
    points = _points(fixed)
    errors = np.linalg.norm(exact.map_points(points) - _by_itk(pair, points), axis=1)
    assert 0 < errors.max() <= _said_mm(said[1]) * 1.5
    inverse = sitk.ReadTransform("out/i.tfm")
    points = _points(moving)[exact.inverse().covers(_points(moving))]
    expected = exact.inverse().map_points(points)
    errors = np.linalg.norm(_by_itk(inverse, points) - expected, axis=1)
    assert np.median(errors) < _said_mm(said[2])


def test_the_initial_alignment_is_overridden(here, capsys):
    moving = nib.load("moving.nii.gz")
    far = moving.affine.copy()
    far[:3, 3] += [300.0, -200.0, 90.0]
    nib.save(nib.Nifti1Image(np.asarray(moving.dataobj), far), "far.nii.gz")
    arguments = ("register", "fixed.nii.gz", "far.nii.gz", *PAIR[3:])
    assert "don't overlap" in _refused(capsys, here, *arguments)
    for method in ("centers", "mass"):
        main([*arguments, "--initial-alignment", method])
        assert read_image("out/moved.nii.gz").array.any()


def _save_dicom(folder, image):
    """One file a slice, as a scanner writes them."""
    folder.mkdir()
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    rows, columns = np.reshape(image.GetDirection(), (3, 3)).T[:2]
    orientation = "\\".join(f"{x:.9g}" for x in (*rows, *columns))
    for number in range(image.GetDepth()):
        plane = image[:, :, number]
        place = image.TransformIndexToPhysicalPoint((0, 0, number))
        for tag, value in {
            "0008|0060": "MR",
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.{number + 1}",
            "0020|000d": "1.2.826.0.1.3680043.2.1125.100",
            "0020|000e": "1.2.826.0.1.3680043.2.1125.101",
            "0020|0013": str(number),
            "0020|0032": "\\".join(f"{x:.9g}" for x in place),
            "0020|0037": orientation,
        }.items():
            plane.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{number}.dcm"))
        writer.Execute(plane)


def test_other_formats_give_the_same_result(here, capsys):
    """MetaImage and a DICOM folder come in, headers with voxels beside go out."""
    main([*ALL])
    fixed = sitk.ReadImage("fixed.nii.gz")
    sitk.WriteImage(fixed, "fixed.mha")
    _save_dicom(here / "moving", sitk.ReadImage("moving.nii.gz"))
    labels = sitk.ReadImage("labels.nii.gz")
    sitk.WriteImage(labels, "labels.nrrd")
    main(
        [
            *("register", "fixed.mha", "moving", "--output", "out/moved.mhd"),
            *("--labels", "labels.nrrd", "--moved-labels", "out/labels.nhdr"),
            "--all-stages",
        ]
    )
    assert _said(capsys) == []
    added = {"labels.nhdr", "labels.raw.gz", "moved.mhd", "moved.zraw"}
    assert added < set(_outputs(here))
    for ours, expected in (("moved.mhd", "moved"), ("labels.nhdr", "labels")):
        image = sitk.ReadImage(f"out/{ours}")
        wanted = sitk.ReadImage(f"out/{expected}.nii.gz")
        np.testing.assert_allclose(image.GetOrigin(), wanted.GetOrigin(), atol=1e-4)
        np.testing.assert_allclose(
            image.GetDirection(), wanted.GetDirection(), atol=1e-6
        )
        arrays = [sitk.GetArrayFromImage(i).astype(int) for i in (image, wanted)]
        assert (np.abs(arrays[0] - arrays[1]) > 1).mean() < 0.005
    for taken in ("out/moved.zraw", "out/labels.raw.gz"):
        assert os.path.getsize(taken) > 0


@pytest.fixture(scope="module")
def flat_model(tmp_path_factory):
    """A 2-d model that moves images, though it never saw one."""
    from dlir_tf.config import Config
    from dlir_tf.models.folder import make_model, save_model
    from dlir_tf.models.model import build_model

    stages = [
        stage | {"control_point_spacing": steps}
        for stage, steps in zip(CONFIG["stages"], ([8, 8], [4, 4]), strict=True)
    ]
    fields = {"ndim": 2, "spacing": [1.5, 1.5], "stages": stages}
    config = Config.model_validate(CONFIG | fields)
    network = build_model(config)
    rng = np.random.default_rng(5)
    for weight in network.weights:
        weight.assign(rng.normal(0, 0.5, weight.shape))
    folder = tmp_path_factory.mktemp("models") / "flat"
    save_model(folder, make_model(config, network, {"seed": 5}))
    return folder


def test_slices_at_an_angle_are_registered_by_a_2d_model(here, capsys, flat_model):
    """The planes lie 5 mm apart; ITK moves the slice through the file to the same."""
    turn = np.eye(4)
    cosine, sine = np.cos(0.5), np.sin(0.5)
    turn[1:3, 1:3] = [[cosine, -sine], [sine, cosine]]
    rng = np.random.default_rng(3)
    for name, angle, depth in (("fixed", 0.4, 70.0), ("moving", 0.3, 75.0)):
        affine = _affine((1.4, 1.6, 8.0), angle, (-31.0, 12.5, depth))
        array = 1000 * ndimage.gaussian_filter(
            rng.uniform(size=(33, 28, 1)), (1.5, 1.5, 0)
        )
        _save(here / f"{name}1.nii.gz", array.astype(np.int16), turn @ affine)
    arguments = ("register", "fixed1.nii.gz", "moving1.nii.gz", *PAIR[3:])
    extra = ("--transform", "out/t.h5", "--figure", "out/figure.png")
    dense = ("--displacement", "out/field.nii.gz")
    main([*arguments, *extra, *dense, "--model", str(flat_model)])
    assert _said(capsys) == []
    transform = sitk.ReadTransform("out/t.h5")
    fixed, moving = (sitk.ReadImage(f"{n}1.nii.gz") for n in ("fixed", "moving"))
    by_itk = sitk.Resample(moving, fixed, transform, sitk.sitkLinear)
    ours = sitk.ReadImage("out/moved.nii.gz")
    assert ours.GetSize() == (33, 28, 1)
    np.testing.assert_allclose(ours.GetDirection(), fixed.GetDirection(), atol=1e-6)
    arrays = [sitk.GetArrayFromImage(i).astype(int) for i in (by_itk, ours)]
    assert (arrays[1] > 0).mean() > 0.5
    assert (np.abs(arrays[0] - arrays[1]) > 1).mean() < 0.01
    field = sitk.ReadImage("out/field.nii.gz", sitk.sitkVectorFloat64)
    through = sitk.DisplacementFieldTransform(field)
    by_field = sitk.Resample(moving, fixed, through, sitk.sitkLinear)
    by_field = sitk.GetArrayFromImage(by_field).astype(int)
    assert (np.abs(by_field - arrays[1]) > 1).mean() < 0.01
    identity = sitk.Resample(moving, fixed, sitk.Transform(3, sitk.sitkIdentity))
    assert not sitk.GetArrayFromImage(identity).any()  # the planes are apart
    points = _points(read_image("fixed1.nii.gz"))
    mapped = _by_itk(transform, points)
    to_voxels = np.linalg.inv(read_image("moving1.nii.gz").affine)
    np.testing.assert_allclose(
        mapped @ to_voxels[2, :3] + to_voxels[2, 3], 0, atol=1e-4
    )


def test_warnings_of_writing_name_the_file(here, capsys):
    """NIfTI holds the slant of a CT's tilted gantry, but ITK refuses to read it."""
    fixed = sitk.ReadImage("fixed.nii.gz")
    direction = np.reshape(fixed.GetDirection(), (3, 3)).copy()
    direction[:, 2] += 0.2 * direction[:, 0]
    fixed.SetDirection(direction.ravel())
    sitk.WriteImage(fixed, "tilted.nrrd")
    main(["register", "tilted.nrrd", *PAIR[2:], "--jacobian", "out/j.nrrd"])
    (line,) = _said(capsys)
    assert line.startswith("Warning: out/moved.nii.gz: the axes aren't perpendicular")


def test_the_figure_of_a_slice_shows_its_plane():
    """Wherever the axis across is stored."""
    images = [
        Image(np.zeros(np.insert((9, 8), axis, 1)), np.eye(4)) for axis in range(3)
    ]
    images.append(Image(np.zeros((9, 8, 7)), np.eye(4)))
    result = SimpleNamespace(moved=images[0], displacement=np.zeros(3))
    axes = [
        _figure_writer(result, image, image).keywords["slice_axis"] for image in images
    ]
    assert axes == [0, 1, 2, -1]


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
    "a folder": (lambda path: path.mkdir(), "must hold a DICOM series"),
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
    monkeypatch.setattr(
        "dlir_tf.images.read_image", lambda *_, **__: pytest.fail("read")
    )
    start = PAIR[:3]
    for output, message in {
        "none/moved.nii.gz": "its folder doesn't exist",
        "out/moved.png": "ends in .nii.gz or .nii or .mha",
        "out": "ends in .nii.gz or .nii or .mha",
        "fixed.nii.gz": "is an input or another output already",
        "out/../moving.nii.gz": "is an input or another output already",
    }.items():
        assert message in _refused(capsys, here, *start, "--output", output)
    twice = (*PAIR, "--displacement", "out/moved.nii.gz")
    assert "another output already" in _refused(capsys, here, *twice)
    for option, name, message in (
        ("--figure", "out/figure.jpg", "ends in .png"),
        ("--displacement", "out/field.mha", "ends in .nii.gz or .nii"),
        ("--transform", "out/transform.mat", ".tfm"),
        ("--inverse", "none/inverse.h5", "its folder doesn't exist"),
        ("--jacobian", "out/moved.nii.gz", "another output already"),
    ):
        assert message in _refused(capsys, here, *PAIR, option, name)
    pair = ("--transform", "out/a0GenericAffine.mat")
    warp = ("--displacement", "out/a1Warp.nii.gz")
    error = _refused(capsys, here, *PAIR, *pair, *warp)
    assert "out/a1Warp.nii.gz: comes with out/a0GenericAffine.mat, but is" in error
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)
    assert "can't be written" in _refused(capsys, here, *PAIR)


def test_if_the_last_output_fails_the_first_is_not_there(here, capsys, monkeypatch):
    """What was there before stays as it was."""
    (here / "out" / "moved.nii.gz").write_bytes(b"from before")

    def fail(path, *_, **__):
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", "out/figure.png")

    monkeypatch.setattr("dlir_tf.figures.panels.registration_figure", fail)
    more = ("--transform", "out/a0GenericAffine.mat", "--jacobian", "out/j.mhd")
    error = _refused(capsys, here, *ALL, *more)
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
    assert _said(capsys) == []
    for name in ("moved", "labels"):
        zooms = nib.load(f"out/{name}.nii.gz").header.get_zooms()
        assert zooms == pytest.approx((1.4, 1.6, 7))
