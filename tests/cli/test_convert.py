"""`dlir-tf convert` composes transforms and writes them in other forms."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import itk_map, points_within, random_parameters, reference_within
from register_desk import millimetres_in

from dlir_tf.cli import main
from dlir_tf.images import Image, read_labels, write_image
from dlir_tf.transforms import (
    Affine,
    Transform,
    read_chain,
    read_transform,
    write_transform,
)

FINE = {2: (0.25, 0.2), 3: (0.3, 0.4, 0.5)}
SHAPE = {2: (23, 31), 3: (17, 14, 19)}


@pytest.fixture(params=[2, 3])
def desk(request, rng, tmp_path, monkeypatch):
    """A spline, an affine and a reference, and the points to try them on."""
    monkeypatch.chdir(tmp_path)
    ndim = request.param
    parameters = random_parameters(rng, ndim, 1, size={2: 0.3, 3: 0.06}[ndim])
    reference = reference_within(rng, parameters.grid, FINE[ndim], SHAPE[ndim])
    write_transform("spline.h5", parameters.ours())
    matrix = np.eye(ndim + 1) + 0.1 * rng.normal(size=(ndim + 1, ndim + 1))
    matrix[-1] = np.eye(ndim + 1)[-1]
    write_transform("affine.tfm", Transform((Affine(matrix),)))
    write_image("fixed.nii.gz", reference)
    return points_within(rng, reference, 300)


def convert(capsys, *arguments):
    main(["convert", *arguments])
    printed = capsys.readouterr()
    return printed.out.splitlines(), printed.err.splitlines()


@pytest.mark.parametrize("name", ["all.npz", "all.h5", "all.tfm", "all.txt"])
def test_exact_forms_are_exact(desk, capsys, name):
    out, err = convert(capsys, "spline.h5", "affine.tfm", "--output", name)
    assert (out, err) == ([name], [])
    parts = [sitk.ReadTransform("affine.tfm"), sitk.ReadTransform("spline.h5")]
    expected = itk_map(sitk.CompositeTransform(parts), desk)
    ours = read_transform(name).map_points(desk)
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    if not name.endswith(".npz"):
        by_itk = itk_map(sitk.ReadTransform(name), desk)
        np.testing.assert_allclose(by_itk, expected, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["all.nii.gz", "all.nii", "all.mha", "all.nrrd", "all0GenericAffine.mat"]
)
def test_dense_forms_say_their_error(desk, capsys, name):
    wanted = ("--reference", "fixed.nii.gz", "--output", name)
    out, (line,) = convert(capsys, "spline.h5", "affine.tfm", *wanted)
    assert out == [name]
    assert line.startswith(f"{name}: such a file can't hold the transform exactly")
    exact = read_chain(["spline.h5", "affine.tfm"]).map_points(desk)
    apart = np.linalg.norm(read_transform(name).map_points(desk) - exact, axis=1)
    assert 0 < 0.3 * apart.max() < millimetres_in(line) < 0.06
    # And back again: a field brings its own grid along.
    if "Affine" not in name:
        again = ("--output", "again.nii.gz")
        _, err = convert(capsys, name, *again)
        assert err == []
        np.testing.assert_allclose(
            read_transform("again.nii.gz").map_points(desk),
            read_transform(name).map_points(desk),
            atol=1e-5,
        )


@pytest.mark.parametrize(
    ("arguments", "used"),
    [
        (("affine.tfm", "--output", "a.npz"), False),
        (("spline.h5", "--output", "a.h5"), False),
        (("spline.h5", "--output", "a.nii.gz"), True),
        (("[spline.h5,1]", "--output", "a.h5"), True),
        (("affine.tfm", "--output", "p0GenericAffine.mat"), True),
        (("field.nii.gz", "--output", "a.nrrd"), False),
        (("field.nii.gz", "affine.tfm", "--output", "p1Warp.nii.gz"), False),
        (("field.nii.gz", "affine.tfm", "--output", "a.nrrd"), True),
    ],
)
def test_a_reference_without_effect_is_told(desk, capsys, arguments, used):
    """Whether it has one shows in the file."""
    fixed = read_labels("fixed.nii.gz")
    other = Image(np.ones([n - 2 for n in fixed.shape]), fixed.affine)
    write_image("other.nii.gz", other)
    reference = ("--reference", "fixed.nii.gz")
    convert(capsys, "spline.h5", *reference, "--output", "field.nii.gz")
    _, err = convert(capsys, *arguments, *reference)
    told = any("--reference has no effect, as " in line for line in err)
    assert told is not used
    written = Path(arguments[-1])
    once = written.read_bytes()
    convert(capsys, *arguments, "--reference", "other.nii.gz")
    if not used:
        assert written.read_bytes() == once


def test_what_to_believe_of_no_image_is_told(desk, capsys):
    options = ("--output", "a.npz", "--spacing-source", "affine")
    _, (line,) = convert(capsys, "affine.tfm", *options)
    assert "--spacing-source and --orientation-source have no effect" in line


def test_an_inverse_is_solved_for_and_measured(desk, capsys):
    reference = ("--reference", "fixed.nii.gz")
    _, (line,) = convert(capsys, "[spline.h5,1]", *reference, "--output", "back.npz")
    assert "back.npz: the inverse holds to" in line
    whole = ("--inverse", *reference, "--output", "back2.npz")
    convert(capsys, "spline.h5", *whole)
    there = read_transform("spline.h5").map_points(desk)
    for name in ("back.npz", "back2.npz"):
        np.testing.assert_allclose(
            read_transform(name).map_points(there), desk, atol=1e-4
        )


def test_a_pair_alone_is_one_transform(desk, capsys):
    wanted = ("--reference", "fixed.nii.gz", "--output", "p0GenericAffine.mat")
    convert(capsys, "spline.h5", *wanted)
    convert(capsys, "p0GenericAffine.mat", "--output", "pair.h5")
    convert(capsys, "p1Warp.nii.gz", "p0GenericAffine.mat", "--output", "two.h5")
    pair = read_transform("p0GenericAffine.mat").map_points(desk)
    for name in ("pair.h5", "two.h5"):
        ours = read_transform(name).map_points(desk)
        np.testing.assert_allclose(ours, pair, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("t.tfm", "--output", "out.xyz"), "out.xyz: expected a name that ends in"),
        (("t.tfm", "--output", "t.tfm"), "t.tfm: is an input already"),
        (("t.tfm", "--output", "nowhere/a.h5"), "its folder doesn't exist"),
        (("no.h5", "--output", "a.h5"), "no such file: no.h5"),
        (("t.tfm", "--output", "a.nii.gz"), "give the fixed image as the reference"),
        (
            ("t.tfm", "--reference", "flat.nii", "--output", "a.nii.gz"),
            "flat.nii: the reference must be 3-d like the transform, but is 2-d",
        ),
        (("t.tfm", "--reference", "no.nii", "--output", "a.npz"), "no.nii"),
        (("[t.tfm]", "--output", "a.npz"), "must be given as [FILE,1]"),
        (
            ("t.tfm", "--moving", "flat.nii", "--output", "a.h5"),
            "--moving: is for files between two images",
        ),
        (("t.tfm", "--output", "x1InverseWarp.nii.gz"), "x1InverseWarp.nii.gz"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    tmp_path, monkeypatch, capsys, arguments, message
):
    monkeypatch.chdir(tmp_path)
    write_transform("t.tfm", Transform((Affine(np.eye(4)),)))
    write_image("flat.nii", Image(np.ones((9, 8), np.float32), np.eye(3)))
    before = sorted(Path().iterdir())
    with pytest.raises(SystemExit) as caught:
        main(["convert", *arguments])
    printed = capsys.readouterr()
    assert caught.value.code == 1
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert sorted(Path().iterdir()) == before
