"""`dlir-tf transform` with several transforms, in the order of antsApplyTransforms."""

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import itk_map, sitk_image
from transform_desk import (
    REFERENCE,
    assert_equal_but_ties,
    landmarks,
    read_csv,
    refused,
    transform,
    write_csv,
)

from dlir_tf.images import read_image
from dlir_tf.transforms import Affine, Transform, write_transform


def write_turn(desk):
    """A turn by 90° about the moving image's centre, which it takes back there."""
    ndim = desk.ndim
    turn = np.eye(ndim + 1)
    turn[:2, :2] = [[0, -1], [1, 0]]
    centre = desk.moving.grid.centre
    turn[:-1, -1] = centre - turn[:-1, :-1] @ centre
    write_transform("turn.tfm", Transform((Affine(turn),)))
    return sitk.ReadTransform("turn.tfm")


CHAIN = ("--transform", "t.h5", "--transform", "[turn.tfm,1]")


@pytest.fixture
def chain(desk):
    """The same, by SimpleITK: what is added last is applied to a point first."""
    write_transform("t.h5", desk.parameters.ours())
    turn = write_turn(desk)
    return sitk.CompositeTransform([turn.GetInverse(), desk.parameters.itk()])


def test_the_last_one_is_applied_to_the_image_first(desk, chain, capsys):
    out, err = transform(
        capsys, "moving.nii.gz", *CHAIN, *REFERENCE, "--output", "out/moved.nii.gz"
    )
    assert (out, err) == (["out/moved.nii.gz"], [])
    moved = sitk.Resample(
        sitk_image(desk.moving), sitk_image(desk.fixed), chain, sitk.sitkLinear
    )
    expected = sitk.GetArrayFromImage(moved).T
    assert np.ptp(expected) > 50
    ours = read_image("out/moved.nii.gz").array
    assert_equal_but_ties(ours, expected, 1.01, share=0.02)


def test_points_go_through_the_first_one_first(desk, chain, capsys, rng):
    points = landmarks(desk, rng, desk.fixed)
    write_csv("p.csv", points, range(7))
    transform(capsys, "--points", "p.csv", *CHAIN, "--output", "q.csv")
    _, _, mapped = read_csv("q.csv")
    np.testing.assert_allclose(mapped, itk_map(chain, points), atol=1e-4)
    wanted = ("--inverse", "--output", "back.csv")
    transform(capsys, "--points", "q.csv", *CHAIN, *wanted)
    np.testing.assert_allclose(read_csv("back.csv")[2], points, atol=1e-4)


def test_all_files_of_a_chain_are_inputs(desk3, capsys):
    write_transform("turn.tfm", desk3.parameters.ours())
    write_transform(
        "p0GenericAffine.mat", desk3.parameters.ours(), reference=desk3.fixed
    )
    given = ("--transform", "turn.tfm", "--transform", "[p0GenericAffine.mat,1]")
    for name in ("p1Warp.nii.gz", "fixed.nii.gz"):
        line = refused(
            capsys, desk3, "moving.nii.gz", *given, *REFERENCE, "--output", name
        )
        assert f"{name}: is an input already" in line


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("t.npz", "[t.npz,2]"), "[t.npz,2]: the inverse of a transform must be"),
        (("t.npz", "flat.tfm"), "flat.tfm: the transforms of a chain must be all 2-d"),
        (("t.npz", "no.h5"), "no such file: no.h5"),
        (("[no.h5,1]",), "no such file: no.h5"),
    ],
)
def test_a_chain_that_cannot_be_is_one_sentence(desk3, capsys, given, message):
    write_transform("flat.tfm", Transform((Affine(np.eye(3)),)))
    options = [word for name in given for word in ("--transform", name)]
    line = refused(
        capsys, desk3, "moving.nii.gz", *options, *REFERENCE, "--output", "out/a.nii"
    )
    assert message in line


def test_one_case_by_hand(tmp_path, monkeypatch, capsys):
    """Twice as far, then 10 to the right, is not 10 to the right, then twice."""
    monkeypatch.chdir(tmp_path)
    write_transform("double.tfm", Transform((Affine(np.diag([2.0, 2, 2, 1])),)))
    shift = np.eye(4)
    shift[0, 3] = 10
    write_transform("shift.tfm", Transform((Affine(shift),)))
    Path("p.csv").write_text("x,y,z\n1,2,3\n")
    for names, expected in (
        (("double.tfm", "shift.tfm"), [12, 4, 6]),
        (("shift.tfm", "double.tfm"), [22, 4, 6]),
        (("shift.tfm", "[double.tfm,1]"), [5.5, 1, 1.5]),
    ):
        chain = [word for name in names for word in ("--transform", name)]
        transform(capsys, "--points", "p.csv", *chain, "--output", "q.csv")
        with open("q.csv", newline="") as stream:
            _, row = csv.reader(stream)
        np.testing.assert_allclose(np.array(row, float), expected, atol=1e-9)
