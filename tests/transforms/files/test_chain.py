"""Chains of transforms: SimpleITK and ANTs read the same order."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import (
    itk_map,
    points_within,
    random_image,
    random_parameters,
    reference_within,
)

from dlir_tf.errors import InputError
from dlir_tf.images import flip_ras_lps
from dlir_tf.transforms import Affine, Transform, read_chain, write_transform
from dlir_tf.transforms.files.chain import Link, as_link

FINE = {2: (0.25, 0.2), 3: (0.3, 0.4, 0.5)}
SHAPE = {2: (23, 31), 3: (17, 14, 19)}


@pytest.fixture(params=[2, 3])
def desk(request, rng, tmp_path, monkeypatch):
    """A field, a composite and an affine that don't commute, as files."""
    monkeypatch.chdir(tmp_path)
    return write_three(rng, request.param)


def write_three(rng, ndim):
    parameters = random_parameters(rng, ndim, 1, size={2: 0.3, 3: 0.06}[ndim])
    spline = parameters.ours()
    reference = reference_within(rng, parameters.grid, FINE[ndim], SHAPE[ndim])
    write_transform("field.nii.gz", spline, reference=reference)
    write_transform("spline.h5", spline)
    turn, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    matrix = np.eye(ndim + 1)
    matrix[:-1, :-1] = turn * rng.uniform(0.8, 1.3, ndim)
    matrix[:-1, -1] = rng.uniform(-20, 20, ndim)
    write_transform("affine.tfm", Transform((Affine(matrix),)))
    return reference


def by_itk(*names):
    """SimpleITK takes a point through the last of the list first."""
    parts = []
    for name in names:
        if name.endswith(".nii.gz"):
            field = sitk.ReadImage(name, sitk.sitkVectorFloat64)
            parts.append(sitk.DisplacementFieldTransform(field))
        else:
            parts.append(sitk.ReadTransform(name))
    return sitk.CompositeTransform(parts[::-1])


@pytest.mark.parametrize(
    "names",
    [
        ("field.nii.gz", "affine.tfm", "spline.h5"),
        ("affine.tfm", "spline.h5"),
        ("spline.h5", "spline.h5", "affine.tfm", "field.nii.gz"),
    ],
    ids=str,
)
def test_the_order_is_that_of_itk(desk, rng, names):
    points = points_within(rng, desk, 400)
    ours = read_chain(names).map_points(points)
    np.testing.assert_allclose(ours, itk_map(by_itk(*names), points), atol=1e-4)
    others = read_chain(names[::-1]).map_points(points)
    assert np.abs(others - ours).max() > 1


def test_each_has_its_own_inverse(desk, rng):
    points = points_within(rng, desk, 200)
    there = read_chain(["affine.tfm", "spline.h5"])
    back = read_chain(["[spline.h5,1]", "[affine.tfm, 1]"])
    mapped = there.map_points(points)
    np.testing.assert_allclose(back.map_points(mapped), points, atol=1e-4)
    same = read_chain(["[affine.tfm,0]", "affine.tfm", "[affine.tfm,1]"])
    once = read_chain(["affine.tfm"])
    np.testing.assert_allclose(
        same.map_points(points), once.map_points(points), atol=1e-9
    )
    alone = read_chain(["[affine.tfm,1]"]).map_points(once.map_points(points))
    np.testing.assert_allclose(alone, points, atol=1e-9)


def as_ants(ants, image):
    lps = flip_ras_lps(image.affine[:-1].T).T
    return ants.from_numpy(
        image.array,
        origin=lps[:, -1].tolist(),
        spacing=list(image.spacing),
        direction=lps[:, :-1] / image.spacing,
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_ants_applies_the_same_line(rng, tmp_path, monkeypatch, ndim):
    """`-t p1Warp -t p0GenericAffine -t [q0GenericAffine,1]`, word for word."""
    ants = pytest.importorskip("ants", reason="antspyx isn't installed")
    monkeypatch.chdir(tmp_path)
    reference = write_three(rng, ndim)
    spline = read_chain(["spline.h5"])
    write_transform("p0GenericAffine.mat", spline, reference=reference)
    shear = np.eye(ndim + 1) + np.triu(0.1 * np.ones((ndim + 1, ndim + 1)), 1)
    write_transform("q0GenericAffine.mat", Transform((Affine(shear),)))
    names = ["p1Warp.nii.gz", "p0GenericAffine.mat", "[q0GenericAffine.mat,1]"]
    ours = read_chain(names)
    there = ours.map_points(points_within(rng, reference, 300))
    low, high = there.min(axis=0) - 1, there.max(axis=0) + 1
    shape = tuple(np.arange(18, 18 + ndim))
    affine = np.diag([*((high - low) / (np.array(shape) - 1)), 1.0])
    affine[:-1, -1] = low
    moving = random_image(rng, shape, affine)
    by_ants = ants.apply_transforms(
        as_ants(ants, reference),
        as_ants(ants, moving),
        transformlist=[name.strip("[]").removesuffix(",1") for name in names],
        whichtoinvert=[False, False, True],
        interpolator="linear",
    ).numpy()
    moved = ours.resample(moving, reference)
    assert np.ptp(by_ants) > 20
    np.testing.assert_allclose(moved.array, by_ants, atol=0.05)
    swapped = read_chain([names[1], names[0], names[2]]).resample(moving, reference)
    assert np.abs(swapped.array - by_ants).max() > 1


def test_a_file_of_a_pair_counts_by_itself_and_that_is_said(rng, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reference = write_three(rng, 3)
    spline = read_chain(["spline.h5"])
    write_transform("p0GenericAffine.mat", spline, reference=reference)
    points = points_within(rng, reference, 100)
    pair = read_chain(["p0GenericAffine.mat"]).map_points(points)
    said = []
    both = read_chain(["p1Warp.nii.gz", "p0GenericAffine.mat"], said.append)
    np.testing.assert_allclose(both.map_points(points), pair, atol=1e-9)
    assert said == []
    chain = read_chain(["affine.tfm", "p0GenericAffine.mat"], said.append)
    linear = read_chain(["affine.tfm"]).map_points(points)
    affine = Transform((Affine(spline.affine_part),))
    np.testing.assert_allclose(
        chain.map_points(points), affine.map_points(linear), atol=1e-6
    )
    (line,) = said
    assert line.startswith("p0GenericAffine.mat: counts by itself")
    assert "p1Warp.nii.gz beside it isn't applied" in line


def test_what_brackets_mean():
    assert as_link("a,b.h5") == Link(Path("a,b.h5"))
    assert as_link("[x/a,b.h5,1]") == Link(Path("x/a,b.h5"), inverse=True)
    assert as_link("[a.h5, 0]") == Link(Path("a.h5"))


@pytest.mark.parametrize("text", ["[a.h5]", "[a.h5,2]", "[fixed,moving,1,2]", "[,1]"])
def test_other_brackets_are_refused(text):
    with pytest.raises(InputError, match=r"must be given as \[FILE,1\]"):
        as_link(text)


def test_ranks_must_be_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for ndim in (2, 3):
        write_transform(f"{ndim}.tfm", Transform((Affine(np.eye(ndim + 1)),)))
    with pytest.raises(InputError, match=r"^2\.tfm: .* 3\.tfm is 3-d and this one 2-d"):
        read_chain(["3.tfm", "2.tfm"])
