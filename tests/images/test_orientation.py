"""Headers whose sform and qform put the image in different places; ITK is the judge."""

import warnings

import nibabel as nib
import numpy as np
import pytest
from nifti_files import itk_affine, oblique, unit_affine, voxels_of

from dlir_tf.errors import InputError
from dlir_tf.images import (
    OrientationWarning,
    SpacingWarning,
    read_frames,
    read_image,
    read_labels,
    read_labels_of,
    write_image,
)


def shifted():
    affine = oblique()
    affine[1, 3] += 0.3
    return affine


def mirrored():
    """Left and right swapped about the middle, as some converters do it."""
    affine = oblique()
    affine[:3, 3] += affine[:3, 0] * 4
    affine[:3, 0] *= -1
    return affine


def turned():
    a = np.deg2rad(10)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    affine = oblique()
    affine[:3, :3] = turn @ affine[:3, :3]
    return affine


def sheared():
    affine = oblique()
    affine[:3, 2] += 0.2 * affine[:3, 1]
    return affine


def stated_twice(path, sform, sform_code, qform_code, qform=None):
    """A file with both forms, and the qform's spacing in pixdim."""
    image = nib.Nifti1Image(voxels_of(), None)
    image.set_sform(sform, sform_code)
    image.set_qform(oblique() if qform is None else qform, qform_code)
    nib.save(image, path)
    return path


@pytest.mark.parametrize("place", [shifted, mirrored, turned])
@pytest.mark.parametrize("sform_code", [1, 2, 3, 4])
@pytest.mark.parametrize("qform_code", [1, 2, 4])
def test_where_both_are_set_itks_choice_is_taken(
    tmp_path, place, sform_code, qform_code
):
    path = stated_twice(tmp_path / "a.nii", place(), sform_code, qform_code)
    with pytest.warns(OrientationWarning) as caught:
        image = read_image(path)
    assert len(caught) == 1
    np.testing.assert_allclose(image.affine, itk_affine(path), atol=1e-4)
    taken = place() if sform_code == 1 else oblique()
    np.testing.assert_allclose(image.affine, taken, atol=1e-4)


def test_the_warning_has_both_places_and_the_choice(tmp_path):
    far = oblique()
    far[:3, 3] += [0, 30, 0]
    with pytest.warns(OrientationWarning) as caught:
        read_image(stated_twice(tmp_path / "a.nii", far, 4, 1))
    message = str(caught[0].message)
    for part in (
        str(tmp_path / "a.nii"),
        "disagree by up to 30 mm",
        "at (-31, 42.5, 70) mm, axes RPS, by the sform (code 4)",
        "at (-31, 12.5, 70) mm, axes RPS, by the qform (code 1)",
        "took the qform, as ITK, ANTs and Slicer do",
        "(--orientation-source, or orientation_source in Python",
    ):
        assert part in message
    assert caught[0].filename == __file__


@pytest.mark.parametrize("code", [1, 2])
def test_a_sheared_place_is_taken_only_where_it_is_the_scanners(tmp_path, code):
    path = stated_twice(tmp_path / "a.nii", sheared(), code, 1)
    with pytest.warns(OrientationWarning) as caught:
        image = read_image(path)
    np.testing.assert_allclose(
        image.affine, [None, sheared(), oblique()][code], atol=1e-4
    )
    like = ["", "though ITK, ANTs and Slicer can't read its sheared axes", "as ITK"]
    assert like[code] in str(caught[0].message)


@pytest.mark.parametrize(("source", "taken"), [("sform", turned), ("qform", oblique)])
def test_a_forced_orientation_source_is_silent(tmp_path, source, taken):
    path = stated_twice(tmp_path / "a.nii", turned(), 2, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(path, orientation_source=source)
        labels = read_labels(path, orientation_source=source)
        (frame,) = read_frames(path, orientation_source=source)
        read_labels_of(path, image, orientation_source=source)
    for one in (image, labels, frame):
        np.testing.assert_allclose(one.affine, taken(), atol=1e-5)


def test_only_what_is_set_can_be_forced(tmp_path):
    for codes, missing in (((2, 0), "qform"), ((0, 2), "sform")):
        path = stated_twice(tmp_path / "a.nii", turned(), *codes)
        with pytest.raises(InputError, match=rf"a.nii: the {missing} can't be taken"):
            read_image(path, orientation_source=missing)
    with pytest.raises(InputError, match=r"auto, sform or qform.*'header'"):
        read_image(path, orientation_source="header")


def test_what_is_written_states_one_place_and_whose_it_is(tmp_path):
    """Not the atlas' code with the scanner's place."""
    path = stated_twice(tmp_path / "a.nii", turned(), 4, 1)
    image = read_image(path, orientation_source="qform")
    write_image(tmp_path / "b.nii", image)
    header = nib.load(tmp_path / "b.nii").header
    assert (header["sform_code"], header["qform_code"]) == (1, 1)
    np.testing.assert_allclose(header.get_sform(), oblique(), atol=1e-5)
    np.testing.assert_allclose(header.get_qform(), oblique(), atol=1e-4)


def test_rounding_is_no_disagreement(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for code in (1, 2, 4):
            path = stated_twice(tmp_path / "a.nii", oblique(), code, code)
            np.testing.assert_array_equal(
                read_image(path).affine, nib.load(path).affine
            )


def test_other_voxel_sizes_are_told_as_such(tmp_path):
    path = stated_twice(tmp_path / "a.nii", oblique((1, 1, 1)), 1, 1)
    with pytest.warns(SpacingWarning) as caught:
        image = read_image(path)
    assert len(caught) == 1
    np.testing.assert_allclose(image.affine, oblique(), atol=1e-4)
    with pytest.warns(SpacingWarning) as caught:
        read_image(unit_affine(tmp_path))
    assert len(caught) == 1


def test_a_qform_that_is_no_rotation_is_passed_over(tmp_path):
    path = stated_twice(tmp_path / "a.nii", turned(), 2, 1)
    data = bytearray(path.read_bytes())
    data[256:268] = np.array([2, 2, 2], "<f4").tobytes()  # quatern_b, _c and _d
    path.write_bytes(data)
    np.testing.assert_allclose(read_image(path).affine, turned(), atol=1e-5)
    with pytest.raises(InputError, match="the qform can't be taken"):
        read_image(path, orientation_source="qform")


@pytest.mark.parametrize("sform_code", [1, 2])
def test_an_empty_sform_leaves_the_place_to_the_qform(tmp_path, sform_code):
    """Programs have set its code and left its numbers at 0."""
    image = nib.Nifti1Image(voxels_of(), None)
    image.set_qform(oblique(), 1)
    nib.save(image, tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[254:256] = sform_code.to_bytes(2, "little")
    raw[280:328] = bytes(48)
    (tmp_path / "a.nii").write_bytes(raw)
    assert not nib.load(tmp_path / "a.nii").header.get_sform()[:3].any()
    with pytest.warns(OrientationWarning, match="can't be inverted; took the qform"):
        read = read_image(tmp_path / "a.nii")
    np.testing.assert_allclose(read.affine, itk_affine(tmp_path / "a.nii"), atol=1e-4)
    with pytest.raises(InputError, match="sform can't be taken, as the header has no"):
        read_image(tmp_path / "a.nii", orientation_source="sform")
