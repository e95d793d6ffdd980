"""`dlir-tf register` on files of other formats, and on slices."""

import os

import numpy as np
import pytest
import SimpleITK as sitk
from random_models import write_random_model
from register_desk import (
    ALL,
    CONFIG,
    PAIR,
    lines_of,
    map_by_itk,
    outputs,
    points_of,
    save,
    scanner_affine,
)
from scipy import ndimage

from dlir_tf.cli import main
from dlir_tf.images import read_image


def save_dicom(folder, image):
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
    """MetaImage and a DICOM folder come in, headers with voxels beside go out.

    Segments of labels keep their names.
    """
    main([*ALL])
    fixed = sitk.ReadImage("fixed.nii.gz")
    sitk.WriteImage(fixed, "fixed.mha")
    save_dicom(here / "moving", sitk.ReadImage("moving.nii.gz"))
    labels = sitk.ReadImage("labels.nii.gz")
    labels.SetMetaData("Segment0_Name", "left ventricle")
    labels.SetMetaData("Segment0_LabelValue", "1")
    sitk.WriteImage(labels, "labels.nrrd")
    main(
        [
            *("register", "fixed.mha", "moving", "--output", "out/moved.mhd"),
            *("--labels", "labels.nrrd", "--moved-labels", "out/labels.nhdr"),
            *("--all-stages", "--model", "model"),
        ]
    )
    assert lines_of(capsys) == []
    added = {"labels.nhdr", "labels.raw.gz", "moved.mhd", "moved.zraw"}
    assert added < set(outputs(here))
    for ours, expected in (("moved.mhd", "moved"), ("labels.nhdr", "labels")):
        image = sitk.ReadImage(f"out/{ours}")
        wanted = sitk.ReadImage(f"out/{expected}.nii.gz")
        np.testing.assert_allclose(image.GetOrigin(), wanted.GetOrigin(), atol=1e-4)
        np.testing.assert_allclose(
            image.GetDirection(), wanted.GetDirection(), atol=1e-6
        )
        arrays = [sitk.GetArrayFromImage(i).astype(int) for i in (image, wanted)]
        assert (np.abs(arrays[0] - arrays[1]) > 1).mean() < 0.005
    assert image.GetMetaData("Segment0_Name") == "left ventricle"
    for taken in ("out/moved.zraw", "out/labels.raw.gz"):
        assert os.path.getsize(taken) > 0


@pytest.fixture(scope="module")
def flat_model(tmp_path_factory):
    """A 2-d model that moves images, though it never saw one."""
    stages = [
        stage | {"control_point_spacing": steps}
        for stage, steps in zip(CONFIG["stages"], ([8, 8], [4, 4]), strict=True)
    ]
    fields = {"ndim": 2, "spacing": [1.5, 1.5], "stages": stages}
    folder = tmp_path_factory.mktemp("models") / "flat"
    rng = np.random.default_rng(5)
    options = {"added": False, "provenance": {"seed": 5}}
    return write_random_model(folder, CONFIG | fields, rng, 0.5, **options)


def test_slices_at_an_angle_are_registered_by_a_2d_model(here, capsys, flat_model):
    """The planes lie 5 mm apart; ITK moves the slice through the file to the same."""
    turn = np.eye(4)
    cosine, sine = np.cos(0.5), np.sin(0.5)
    turn[1:3, 1:3] = [[cosine, -sine], [sine, cosine]]
    rng = np.random.default_rng(3)
    for name, angle, depth in (("fixed", 0.4, 70.0), ("moving", 0.3, 75.0)):
        affine = scanner_affine((1.4, 1.6, 8.0), angle, (-31.0, 12.5, depth))
        array = 1000 * ndimage.gaussian_filter(
            rng.uniform(size=(33, 28, 1)), (1.5, 1.5, 0)
        )
        save(here / f"{name}1.nii.gz", array.astype(np.int16), turn @ affine)
    arguments = ("register", "fixed1.nii.gz", "moving1.nii.gz", *PAIR[3:6])
    extra = ("--transform", "out/t.h5", "--figure", "out/figure.png")
    dense = ("--displacement", "out/field.nii.gz")
    main([*arguments, *extra, *dense, "--model", str(flat_model)])
    assert lines_of(capsys) == []
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
    points = points_of(read_image("fixed1.nii.gz"))
    mapped = map_by_itk(transform, points)
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
    (line,) = lines_of(capsys)
    assert line.startswith("Warning: out/moved.nii.gz: the axes aren't perpendicular")
