"""`dlir-tf register` as a user meets it."""

import gzip

import matplotlib.image
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from register_desk import (
    ALL,
    PAIR,
    SHAPE,
    lines_of,
    map_by_itk,
    millimetres_in,
    outputs,
    points_of,
    refused,
)

from dlir_tf.cli import main
from dlir_tf.images import flip_ras_lps, read_image
from dlir_tf.transforms.files.dispatch import read_transform


def test_everything_that_is_asked_for_is_written(here, capsys):
    from dlir_tf.models.folder import load_model
    from dlir_tf.registration import register

    main(list(ALL))
    printed = capsys.readouterr()
    assert printed.out == "out/moved.nii.gz\n"
    names = ["displacement.nii.gz", "figure.png", "labels.nii.gz", "moved.nii.gz"]
    assert outputs(here) == names
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
    main([*PAIR])
    assert outputs(here) == ["moved.nii.gz"]
    assert lines_of(capsys) == []


def test_an_image_on_itself_gets_a_word(here, capsys):
    (here / "again.nii.gz").symlink_to("fixed.nii.gz")
    command = ["register", "fixed.nii.gz", "again.nii.gz", "--output", "out/m.nii.gz"]
    main([*command, "--model", "model"])
    told = "Warning: fixed.nii.gz: is both the fixed and the moving image; again.nii.gz"
    assert any(line.startswith(told) for line in lines_of(capsys))


def test_the_transform_its_inverse_and_its_jacobian_are_written(here, capsys):
    """ITK reads what is exact; what isn't is told, and so small."""
    files = ("--transform", "out/t.h5", "--inverse", "out/i.npz")
    main([*PAIR, *files, "--jacobian", "out/j.nrrd"])
    (said,) = lines_of(capsys)
    assert said.startswith("out/i.npz: the inverse holds to ")
    assert millimetres_in(said) < 1e-4
    assert said.endswith(" points)")
    fixed = read_image("fixed.nii.gz")
    transform, inverse = read_transform("out/t.h5"), read_transform("out/i.npz")
    points = points_of(fixed)
    mapped = map_by_itk(sitk.ReadTransform("out/t.h5"), points)
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
    said = lines_of(capsys)
    assert len(said) == 3
    assert said[0].startswith("out/i.tfm: the inverse holds to")
    assert said[1].startswith("out/a0GenericAffine.mat: such a file can't hold")
    assert said[2].startswith("out/i.tfm: such a file can't hold")
    names = ["a0GenericAffine.mat", "a1Warp.nii.gz", "i.tfm", "moved.nii.gz"]
    assert outputs(here) == names
    fixed, moving = read_image("fixed.nii.gz"), read_image("moving.nii.gz")
    warp = sitk.ReadImage("out/a1Warp.nii.gz", sitk.sitkVectorFloat64)
    pair = sitk.CompositeTransform(3)
    pair.AddTransform(sitk.ReadTransform("out/a0GenericAffine.mat"))
    pair.AddTransform(sitk.DisplacementFieldTransform(warp))
    main([*PAIR, "--transform", "out/exact.npz"])
    exact = read_transform("out/exact.npz")
    points = points_of(fixed)
    errors = np.linalg.norm(exact.map_points(points) - map_by_itk(pair, points), axis=1)
    assert 0 < errors.max() <= millimetres_in(said[1]) * 1.5
    inverse = sitk.ReadTransform("out/i.tfm")
    points = points_of(moving)[exact.inverse().covers(points_of(moving))]
    expected = exact.inverse().map_points(points)
    errors = np.linalg.norm(map_by_itk(inverse, points) - expected, axis=1)
    assert np.median(errors) < millimetres_in(said[2])


def test_the_initial_alignment_is_overridden(here, capsys):
    moving = nib.load("moving.nii.gz")
    far = moving.affine.copy()
    far[:3, 3] += [300.0, -200.0, 90.0]
    nib.save(nib.Nifti1Image(np.asarray(moving.dataobj), far), "far.nii.gz")
    arguments = ("register", "fixed.nii.gz", "far.nii.gz", *PAIR[3:])
    assert "don't overlap" in refused(capsys, here, *arguments)
    for method in ("centers", "mass"):
        main([*arguments, "--initial-alignment", method])
        assert read_image("out/moved.nii.gz").array.any()


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
    assert lines_of(capsys) == []
    for name in ("moved", "labels"):
        zooms = nib.load(f"out/{name}.nii.gz").header.get_zooms()
        assert zooms == pytest.approx((1.4, 1.6, 7))


def test_moved_labels_have_smooth_borders_if_that_is_wanted(here, capsys):
    files = ("--labels", "labels.nii.gz", "--moved-labels", "out/labels.nii.gz")
    main([*PAIR, *files, "--interpolation", "label", "--transform", "out/t.npz"])
    moved = read_image("out/labels.nii.gz")
    labels, fixed = read_image("labels.nii.gz"), read_image("fixed.nii.gz")
    transform = read_transform("out/t.npz")
    smooth, nearest = (
        transform.resample(labels, fixed, interpolation=kind).array
        for kind in ("label", "nearest")
    )
    assert moved.array.dtype == np.uint16
    assert np.mean(moved.array != smooth) < 0.001
    assert np.mean(moved.array != nearest) > 0.01
    wanted = ("--interpolation", "label")
    capsys.readouterr()
    assert "is for --labels, which isn't given" in refused(capsys, here, *PAIR, *wanted)
