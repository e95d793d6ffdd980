"""`dlir-tf transform` as a user meets it; SimpleITK is the judge."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import (
    MOVING,
    Parameters,
    grid_of,
    itk_map,
    random_frame,
    random_image,
    random_parameters,
    sitk_image,
)

from dlir_tf.cli import main
from dlir_tf.images import (
    Image,
    flip_ras_lps,
    read_displacement,
    read_frames,
    read_image,
    write_displacement,
    write_frames,
    write_image,
)
from dlir_tf.transforms import DenseField, Transform
from dlir_tf.transforms.files.dispatch import write_transform

T = ("--transform", "t.npz")
REFERENCE = ("--reference", "fixed.nii.gz")


class Desk:
    """A folder with a transform, a reference, and an image and labels to carry."""

    def __init__(self, folder: Path, rng: np.random.Generator, ndim: int) -> None:
        self.folder, self.ndim = folder, ndim
        self.parameters: Parameters = random_parameters(rng, ndim, 2)
        grid = self.parameters.grid
        middle = grid.affine[:-1, :-1] @ ((np.array(grid.shape) - 1) / 2)
        middle += grid.affine[:-1, -1]
        spacing = 1.1 * np.array(grid.spacing)
        shape = tuple(n - 3 for n in grid.shape)
        affine = random_frame(rng, spacing, middle, shape)
        self.fixed = random_image(rng, shape, affine)
        there = self.parameters.ours().map_points(middle[None])[0]
        affine = random_frame(rng, spacing[::-1], there, MOVING[ndim])
        self.moving = random_image(rng, MOVING[ndim], affine, np.int16)
        labels = rng.choice([0, 3, 517], [(n + 2) // 3 for n in MOVING[ndim]])
        labels = np.kron(labels, np.ones((3,) * ndim))[
            tuple(slice(n) for n in MOVING[ndim])
        ]
        self.labels = Image(labels.astype(np.uint16), affine)
        write_transform(folder / "t.npz", self.parameters.ours())
        write_image(folder / "fixed.nii.gz", self.fixed)
        write_image(folder / "moving.nii.gz", self.moving)
        write_image(folder / "labels.nii.gz", self.labels)
        (folder / "out").mkdir()

    def judge(
        self, image: Image, interpolator: int = sitk.sitkLinear, fill: float = 0
    ) -> np.ndarray:
        """What SimpleITK makes of an image."""
        moved = sitk.Resample(
            sitk_image(image),
            sitk_image(self.fixed),
            self.parameters.itk(),
            interpolator,
            fill,
            sitk.sitkFloat64,
        )
        return sitk.GetArrayFromImage(moved).T

    def written(self) -> list[str]:
        return sorted(p.name for p in (self.folder / "out").rglob("*"))


@pytest.fixture(params=[2, 3])
def desk(request, tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, rng, request.param)


@pytest.fixture
def desk3(tmp_path, monkeypatch, rng):
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, rng, 3)


def transform(capsys, *arguments):
    """Runs the command; returns stdout and stderr, line by line."""
    main(["transform", *map(str, arguments)])
    printed = capsys.readouterr()
    return printed.out.splitlines(), printed.err.splitlines()


def refused(capsys, desk, *arguments):
    """Asserts exit code 1, one sentence, and nothing written; returns the sentence."""
    before = sorted(desk.folder.rglob("*"))
    with pytest.raises(SystemExit) as caught:
        main(["transform", *map(str, arguments)])
    printed = capsys.readouterr()
    assert caught.value.code == 1
    assert printed.out == ""
    (line,) = [s for s in printed.err.splitlines() if s.startswith("Error: ")]
    assert "Traceback" not in printed.err
    assert "unfinished" not in printed.err
    assert sorted(desk.folder.rglob("*")) == before
    return line


def assert_equal_but_ties(ours, theirs, tolerance=0.0, share=0.01):
    """Equal, though a voxel at the very border may fall to either side."""
    different = np.abs(np.asarray(ours, np.float64) - theirs) > tolerance
    assert np.mean(different) <= share


def test_an_image_is_carried_as_itk_does_it(desk, capsys):
    arguments = ("moving.nii.gz", *T, *REFERENCE, "--output", "out/moved.nii.gz")
    out, err = transform(capsys, *arguments)
    assert out == ["out/moved.nii.gz"]
    assert err == []
    assert desk.written() == ["moved.nii.gz"]
    moved = read_image("out/moved.nii.gz")
    assert moved.array.dtype == np.int16
    np.testing.assert_allclose(moved.affine, desk.fixed.affine, atol=1e-4)
    expected = desk.judge(desk.moving)
    assert np.ptp(expected) > 50
    assert np.mean(expected > 0) > 0.3
    assert_equal_but_ties(moved.array, expected, 0.51)


@pytest.mark.parametrize(
    "name", ["t.h5", "t.tfm", "t_0GenericAffine.mat", "t.nii.gz"], ids=str
)
def test_transforms_of_other_programs_do_the_same(desk, capsys, name):
    ours = desk.parameters.ours()
    write_transform(Path(name), ours, reference=desk.fixed)
    wanted = ("--transform", name, *REFERENCE, "--output", "out/moved.nii.gz")
    transform(capsys, "moving.nii.gz", *wanted)
    moved = read_image("out/moved.nii.gz").array
    assert_equal_but_ties(moved, desk.judge(desk.moving), 0.51, share=0.02)


def test_labels_are_known_by_themselves_and_never_mixed(desk, capsys):
    arguments = ("labels.nii.gz", *T, *REFERENCE, "--output", "out/moved.nii.gz")
    _, (line,) = transform(capsys, *arguments)
    assert line.startswith("labels.nii.gz: holds labels")
    moved = read_image("out/moved.nii.gz").array
    assert moved.dtype == np.uint16
    assert set(np.unique(moved)) == {0, 3, 517}
    expected = desk.judge(desk.labels, sitk.sitkNearestNeighbor)
    assert_equal_but_ties(moved, expected)


def test_labels_are_mixed_if_that_is_wanted(desk3, capsys):
    wanted = ("--interpolation", "linear", "--output", "out/moved.nii.gz")
    _, err = transform(capsys, "labels.nii.gz", *T, *REFERENCE, *wanted)
    assert err == []
    moved = read_image("out/moved.nii.gz").array
    assert_equal_but_ties(moved, desk3.judge(desk3.labels), 0.51)
    assert len(np.unique(moved)) > 20


def test_cubic_interpolation_is_that_of_itk(desk3, capsys):
    wanted = ("--interpolation", "cubic", "--output", "out/moved.nii.gz")
    transform(capsys, "moving.nii.gz", *T, *REFERENCE, *wanted)
    moved = read_image("out/moved.nii.gz").array
    assert_equal_but_ties(moved, desk3.judge(desk3.moving, sitk.sitkBSpline), 0.51)
    linear = desk3.judge(desk3.moving)
    assert np.abs(moved - linear).max() > 2


def test_nearest_and_fill_value_are_obeyed(desk3, capsys):
    wanted = ("--interpolation", "nearest", "--fill-value", "-1024")
    arguments = ("moving.nii.gz", *T, *REFERENCE, *wanted, "--output", "out/m.mha")
    transform(capsys, *arguments)
    moved = read_image("out/m.mha").array
    expected = desk3.judge(desk3.moving, sitk.sitkNearestNeighbor, -1024)
    assert np.any(expected == -1024)
    assert_equal_but_ties(moved, expected)


def test_several_inputs_go_into_a_folder_by_their_names(desk3, capsys):
    write_image("more.mhd", desk3.moving)
    inputs = ("moving.nii.gz", "labels.nii.gz", "more.mhd")
    out, err = transform(capsys, *inputs, *T, *REFERENCE, "--output", "out/new")
    assert out == [f"out/new/{name}" for name in inputs]
    assert [line for line in err if "holds labels" not in line] == []
    assert desk3.written() == [
        "labels.nii.gz",
        "more.mhd",
        "more.zraw",
        "moving.nii.gz",
        "new",
    ]
    for name in inputs:
        single = ("--output", f"out/{name}")
        transform(capsys, name, *T, *REFERENCE, *single)
        alone, together = read_image(f"out/{name}"), read_image(f"out/new/{name}")
        assert alone.array.dtype == together.array.dtype
        # One displacement for all is in single precision.
        assert_equal_but_ties(together.array, alone.array)
        assert np.any(alone.array)


def test_a_series_is_carried_frame_by_frame(desk, capsys, rng):
    affine, shape = desk.moving.affine, desk.moving.shape
    images = [random_image(rng, shape, affine, np.float32) for _ in range(3)]
    if desk.ndim == 2:  # NIfTI has time on the fourth axis alone
        images = images[:2]
    write_frames("cine.nii.gz", images, time_step=35.0, time_unit="msec")
    arguments = ("cine.nii.gz", *T, *REFERENCE, "--output", "out/cine.nii.gz")
    _, err = transform(capsys, *arguments)
    assert err == [f"cine.nii.gz: {len(images)} of {len(images)} frames"]
    moved = read_frames("out/cine.nii.gz")
    assert (moved.time_step, moved.time_unit) == (35.0, "msec")
    assert len(moved) == len(images)
    for frame, image in zip(moved, images, strict=True):
        array = frame.array.reshape(desk.fixed.shape)
        assert_equal_but_ties(array, desk.judge(image), 1e-2)


def test_the_inverse_takes_images_of_the_fixed_world_to_the_moving_one(desk, capsys):
    """Ramps tell which point of the fixed world each voxel was taken from."""
    places = grid_of(desk.fixed)
    for axis in range(desk.ndim):
        ramp = desk.fixed.with_array(places[..., axis].astype(np.float32))
        write_image(f"ramp{axis}.nii.gz", ramp)
    ramps = [f"ramp{axis}.nii.gz" for axis in range(desk.ndim)]
    wanted = ("--inverse", "--reference", "moving.nii.gz", "--fill-value", "nan")
    _, err = transform(capsys, *ramps, *T, *wanted, "--output", "out")
    assert len(err) == 1
    assert "the inverse holds to" in err[0]
    moved = [np.asarray(nib.load(f"out/{name}").dataobj) for name in ramps]
    points = np.stack(moved, axis=-1).reshape(-1, desk.ndim)
    inside = np.isfinite(points).all(axis=-1)
    assert inside.mean() > 0.2
    # Close to the border, ramps are continued by constants.
    voxels = points - desk.fixed.affine[:-1, -1]
    voxels = voxels @ np.linalg.inv(desk.fixed.affine[:-1, :-1]).T
    low, high = 0.01, np.array(desk.fixed.shape) - 1.01
    inside[inside] = np.all((voxels > low) & (voxels < high), axis=-1)[inside]
    assert inside.mean() > 0.1
    back = itk_map(desk.parameters.itk(), points[inside].astype(np.float64))
    expected = grid_of(desk.moving).reshape(-1, desk.ndim)[inside]
    np.testing.assert_allclose(back, expected, atol=1e-3)


def test_an_inverse_that_fails_is_warned_of(desk3, capsys):
    """Where a field that isn't zero ends, nothing is mapped into the gap."""
    half = (desk3.fixed.shape[0] // 2, *desk3.fixed.shape[1:])
    direction = desk3.fixed.affine[:3, 0] / desk3.fixed.spacing[0]
    gap = np.broadcast_to(-6.0 * direction, (*half, 3))
    write_transform(Path("t.npz"), Transform((DenseField(gap, desk3.fixed.affine),)))
    wanted = ("--inverse", "--output", "out/moved.nii.gz")
    _, err = transform(capsys, "fixed.nii.gz", *T, *REFERENCE, *wanted)
    (line,) = [line for line in err if line.startswith("Warning: ")]
    assert "the inverse is off by up to" in line
    assert desk3.written() == ["moved.nii.gz"]


def test_without_reference_a_result_lies_on_its_own_grid(desk3, capsys, rng):
    affine = desk3.fixed.affine
    write_image("other.nii.gz", random_image(rng, (9, 11, 7), affine))
    arguments = ("other.nii.gz", *T, "--output", "out/moved.nii.gz")
    _, (line,) = transform(capsys, *arguments)
    assert "no reference is given, so the result has its own grid" in line
    moved = read_image("out/moved.nii.gz")
    assert moved.shape == (9, 11, 7)
    np.testing.assert_allclose(moved.affine, affine, atol=1e-4)


def test_without_reference_a_displacement_field_says_the_grid(desk3, capsys):
    field = desk3.parameters.ours().displacement(desk3.fixed)
    write_displacement("field.nii.gz", field, desk3.fixed.affine)
    field, affine = read_displacement("field.nii.gz")
    write_transform(Path("t.npz"), Transform((DenseField(field, affine),)))
    arguments = ("moving.nii.gz", *T, "--output", "out/moved.nii.gz")
    _, (line,) = transform(capsys, *arguments)
    assert "results lie on the displacement's grid" in line
    moved = read_image("out/moved.nii.gz")
    assert_equal_but_ties(moved.array, desk3.judge(desk3.moving), 0.51)


def test_a_2d_image_in_one_slice_stays_one(tmp_path, monkeypatch, rng, capsys):
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path, rng, 2)
    for name, image in (("moving", desk.moving), ("fixed", desk.fixed)):
        affine = np.eye(4)
        affine[np.ix_([0, 1, 3], [0, 1, 3])] = image.affine
        affine[2, 2:] = 8, 40
        write_image(f"{name}.nii.gz", Image(image.array[..., None], affine))
    arguments = ("moving.nii.gz", *T, *REFERENCE, "--output", "out/moved.nii.gz")
    transform(capsys, *arguments)
    moved = read_image("out/moved.nii.gz")
    np.testing.assert_allclose(moved.affine, affine, atol=1e-4)
    assert_equal_but_ties(moved.array[..., 0], desk.judge(desk.moving), 0.51)


def landmarks(desk, rng, image):
    """Points in the middle half of an image, RAS+."""
    voxels = rng.uniform(0.3, 0.7, (7, desk.ndim)) * (np.array(image.shape) - 1)
    return voxels @ image.affine[:-1, :-1].T + image.affine[:-1, -1]


def write_csv(path, points, names):
    with open(path, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["name", *"xyz"[: points.shape[1]], "size"])
        for name, point in zip(names, points, strict=True):
            writer.writerow([name, *point, "3.50"])


def read_csv(path):
    with open(path, newline="") as stream:
        header, *rows = csv.reader(stream)
    cells = [row[1:-1] for row in rows]
    return header, [(row[0], row[-1]) for row in rows], np.array(cells, np.float64)


@pytest.mark.parametrize("space", ["RAS", "LPS"])
def test_landmarks_travel_from_fixed_to_moving_and_back(desk, capsys, rng, space):
    points = landmarks(desk, rng, desk.fixed)
    names = ["apex", "vein, left", 'the "third"', "ä", "", "6", "7"]
    turned = flip_ras_lps(points) if space == "LPS" else points
    write_csv("p.csv", turned, names)
    wanted = () if space == "RAS" else ("--space", "LPS")
    out, err = transform(capsys, "--points", "p.csv", *T, *wanted, "--output", "m.csv")
    assert (out, err) == (["m.csv"], [])
    header, kept, mapped = read_csv("m.csv")
    assert header == ["name", *"xyz"[: desk.ndim], "size"]
    assert kept == [(name, "3.50") for name in names]
    expected = itk_map(desk.parameters.itk(), points)
    mapped = flip_ras_lps(mapped) if space == "LPS" else mapped
    np.testing.assert_allclose(mapped, expected, atol=1e-5)
    assert np.linalg.norm(mapped - points, axis=1).min() > 3
    back = ("--inverse", *wanted, "--output", "back.csv")
    _, (line,) = transform(capsys, "--points", "m.csv", *T, *back)
    assert line.startswith("m.csv: the inverse holds to")
    np.testing.assert_allclose(read_csv("back.csv")[2], turned, atol=1e-4)


def markups(points, world):
    """A file as 3D Slicer writes it, with a point that was never placed."""
    placed = [
        {"id": str(n), "label": f"F-{n}", "position": list(point), "locked": True}
        | {"orientation": [-1.0, -0.0, -0.0, -0.0, -1.0, -0.0, 0.0, 0.0, 1.0]}
        | {"positionStatus": "defined"}
        for n, point in enumerate(points)
    ]
    unset = {"id": "9", "label": "ü", "position": "", "positionStatus": "undefined"}
    return {
        "@schema": "https://raw.githubusercontent.com/slicer/slicer/master/Modules/"
        "Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json#",
        "markups": [
            {"type": "Fiducial", "coordinateSystem": world, "coordinateUnits": "mm"}
            | {"controlPoints": [*placed[:3], unset, *placed[3:]]}
            | {"display": {"color": [0.4, 1.0, 0.1]}},
        ],
    }


@pytest.mark.parametrize("world", ["LPS", "RAS"])
def test_markups_of_slicer_keep_all_but_their_positions(desk3, capsys, rng, world):
    points = landmarks(desk3, rng, desk3.fixed)
    stated = flip_ras_lps(points) if world == "LPS" else points
    document = markups(stated.tolist(), world)
    Path("p.mrk.json").write_text(json.dumps(document), encoding="utf-8")
    arguments = ("--points", "p.mrk.json", *T, "--output", "m.mrk.json")
    out, err = transform(capsys, *arguments)
    assert out == ["m.mrk.json"]
    assert err == ["p.mrk.json: points without a position, left alone: 1"]
    moved = json.loads(Path("m.mrk.json").read_text("utf-8"))
    places = [p["position"] for p in moved["markups"][0]["controlPoints"]]
    assert places.pop(3) == ""
    mapped = flip_ras_lps(np.array(places)) if world == "LPS" else np.array(places)
    expected = itk_map(desk3.parameters.itk(), points)
    np.testing.assert_allclose(mapped, expected, atol=1e-5)
    for before, after in zip(
        document["markups"][0]["controlPoints"],
        moved["markups"][0]["controlPoints"],
        strict=True,
    ):
        after["position"] = before["position"]
    assert moved == document


def test_points_outside_are_mapped_and_counted(desk3, capsys, rng):
    points = landmarks(desk3, rng, desk3.fixed)
    points[:2] += 1000.0
    write_csv("p.csv", points, range(7))
    (out,), (line,) = transform(capsys, "--points", "p.csv", *T, "--output", "m.csv")
    assert line.startswith("Warning: p.csv: 2 of 7 points lie outside")
    expected = itk_map(desk3.parameters.itk(), points)
    np.testing.assert_allclose(read_csv(out)[2], expected, atol=1e-5)


def test_several_files_of_points_go_into_a_folder(desk3, capsys, rng):
    for name in ("a.csv", "b.csv"):
        write_csv(name, landmarks(desk3, rng, desk3.fixed), range(7))
    both = ("--points", "a.csv", "--points", "b.csv")
    out, _ = transform(capsys, *both, *T, "--output", "out/points")
    assert out == ["out/points/a.csv", "out/points/b.csv"]
    assert desk3.written() == ["a.csv", "b.csv", "points"]


def test_a_failure_leaves_nothing(desk3, capsys):
    Path("broken.nii").write_bytes(b"no image")
    inputs = ("moving.nii.gz", "labels.nii.gz", "broken.nii")
    arguments = (*inputs, *T, *REFERENCE)
    assert "broken.nii" in refused(capsys, desk3, *arguments, "--output", "out/new")
    assert "broken.nii" in refused(capsys, desk3, *arguments, "--output", "out")


MOVE = ("moving.nii.gz", *T, *REFERENCE, "--output")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*MOVE, "out/moved.xyz"), "out/moved.xyz: expected a name that ends in"),
        ((*MOVE, "nowhere/moved.nii"), "its folder doesn't exist; make it first"),
        ((*MOVE, "moving.nii.gz"), "moving.nii.gz: is an input already"),
        ((*MOVE, "fixed.nii.gz"), "fixed.nii.gz: is an input already"),
        ((*MOVE, "."), "moving.nii.gz: is an input already"),
        (("labels.nii.gz", *MOVE, "out/a.nii"), "several inputs need a folder"),
        (("out/../moving.nii.gz", *MOVE, "out"), "would both be out/moving.nii.gz"),
        (("no.nii", *T, "--output", "a.nii"), "no such file: no.nii"),
        ((*MOVE, "out/a.nii", "--fill-value", "0.5"), "a fill value of 0.5 doesn't"),
        ((*MOVE, "out/a.nii", "--fill-value", "nan"), "a fill value of nan doesn't"),
        ((*MOVE, "out/a.nii", "--fill-value", "-40000"), "from -32768 to 32767"),
        ((*MOVE, "out/a.nii", "--space", "LPS"), "--space is for --points"),
        ((*MOVE, "out/a.nii", "--points", "p.csv"), "in commands of their own"),
        (("--points", "p.csv", *MOVE[1:], "a.csv"), "are for images; leave them out"),
        (("--points", "no.csv", *T, "--output", "a.csv"), "no such file: no.csv"),
        (("--points", "p.csv", *T, "--output", "a.json"), "ends in .csv, like p.csv"),
        (("--points", "flat.csv", *T, "--output", "a.csv"), "landmarks are 2-d, but"),
        (("--points", "no.mrk.json", *T, "--output", "a.json"), "no such file"),
        (("flat.nii", *T, *REFERENCE, "--output", "out/a.nii"), "the image is 2-d"),
        ((*MOVE, "out/a.nii", "--reference", "flat.nii"), "flat.nii: the image is 2-d"),
        ((*MOVE, "out/a.nii", "--reference", "far.nii"), "doesn't overlap with"),
        (("moving.nii.gz", "--transform", "t.xyz", "--output", "out/a.nii"), "t.xyz"),
        (("moving.nii.gz", "--transform", "no.npz", "--output", "out/a.nii"), "no.npz"),
    ],
)
def test_what_cannot_work_is_one_sentence(desk3, capsys, rng, arguments, message):
    write_csv("p.csv", landmarks(desk3, rng, desk3.fixed), range(7))
    Path("flat.csv").write_text("x,y\n1,2\n")
    Path("t.xyz").write_text("?")
    flat = random_image(rng, (9, 8), np.diag([2.0, 3.0, 1.0]))
    write_image("flat.nii", flat)
    far = desk3.fixed.affine.copy()
    far[:3, 3] += 5000
    write_image("far.nii", Image(desk3.fixed.array, far))
    assert message in refused(capsys, desk3, *arguments)


def test_a_small_overlap_is_found(desk3, capsys):
    """One voxel of the moving image within a grid that a sample passes over."""
    there = desk3.parameters.ours().map_points(grid_of(desk3.fixed)[4:5, 7, 2])
    affine = np.diag([1e-2, 1e-2, 1e-2, 1.0])
    affine[:3, 3] = there[0] - 1e-2
    write_image("dot.nii", Image(np.arange(27.0).reshape(3, 3, 3), affine))
    large = desk3.fixed.affine.copy()
    large[:3, 3] -= large[:3, :3] @ [40, 50, 60]
    array = np.zeros((90, 101, 103), np.uint8)
    array[0] = 1
    write_image("large.nii", Image(array, large))
    arguments = ("dot.nii", *T, "--reference", "large.nii", "--output", "out/m.nii")
    transform(capsys, *arguments)
    (place,) = np.argwhere(np.asarray(nib.load("out/m.nii").dataobj))
    assert tuple(place) == (44, 57, 62)


def test_warnings_name_files_as_the_user_does(desk3, capsys):
    """Of the file that is read even if it's refused; never of a draft."""
    sheared = desk3.fixed.affine.copy()
    sheared[:3, 0] += 0.2 * sheared[:3, 1]
    write_image("sheared.nrrd", Image(desk3.fixed.array, sheared))
    wanted = ("--reference", "sheared.nrrd", "--output", "out/m.nii")
    _, (line,) = transform(capsys, "moving.nii.gz", *T, *wanted)
    assert line.startswith("Warning: out/m.nii: the axes aren't perpendicular")
    nifti = nib.Nifti1Image(desk3.moving.array, None)
    nifti.to_filename("nowhere.nii")
    far = desk3.fixed.affine + 5000 * np.eye(4, 4, 3)
    write_image("far.nii", Image(desk3.fixed.array, far))
    wanted = ("--reference", "far.nii", "--output", "out/n.nii")
    with pytest.raises(SystemExit):
        main(["transform", "nowhere.nii", *T, *wanted])
    err = capsys.readouterr().err
    assert "Warning: nowhere.nii: the header states no orientation" in err
    assert "doesn't overlap" in err


def test_neither_images_nor_points_is_wrong_usage(desk3, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["transform", *T, "--output", "out"])
    assert caught.value.code == 2
    assert "Give images, or landmarks with --points." in capsys.readouterr().err


def test_tensorflow_is_not_needed(desk3):
    code = (
        "import sys; from dlir_tf.cli import main; main(sys.argv[1:]); "
        "sys.exit(bool({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))"
    )
    arguments = [*MOVE, "out/moved.nii.gz"]
    done = subprocess.run(
        [sys.executable, "-c", code, "transform", *arguments], check=False
    )
    assert done.returncode == 0
    assert desk3.written() == ["moved.nii.gz"]
