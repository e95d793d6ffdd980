"""Headers whose affine and pixdim contradict each other."""

import warnings

import numpy as np
import pytest
from nifti_files import itk_affine, oblique, save, unit_affine, voxels_of

from dlir_tf.errors import InputError
from dlir_tf.images import (
    SpacingWarning,
    read_image,
    read_labels,
    read_labels_of,
    write_image,
)


def test_pixdim_wins_over_the_affine_and_it_warns(tmp_path):
    path = unit_affine(tmp_path)
    with pytest.warns(SpacingWarning) as caught:
        image = read_image(path)
    message = str(caught[0].message)
    assert len(caught) == 1
    assert all(part in message for part in (str(path), "1 x 1 x 1", "1.5 x 0.8 x 4"))
    assert "(--spacing-source, or spacing_source in Python" in message
    np.testing.assert_allclose(image.affine, oblique(), atol=1e-5)
    np.testing.assert_allclose(itk_affine(path), image.affine, atol=1e-4)
    write_image(tmp_path / "b.nii", image)  # the mended file reads without a warning
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(
            read_image(tmp_path / "b.nii").affine, image.affine, atol=1e-5
        )


@pytest.mark.parametrize(
    ("source", "spacing"), [("affine", (1, 1, 1)), ("pixdim", (1.5, 0.8, 4))]
)
def test_a_forced_spacing_source_is_silent(tmp_path, source, spacing):
    path = unit_affine(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(path, spacing_source=source)
        labels = read_labels(path, spacing_source=source)
    np.testing.assert_allclose(image.affine, oblique(spacing), atol=1e-5)
    assert labels.spacing == pytest.approx(spacing, rel=1e-6)


def test_pixdim_that_was_never_filled_in_loses(tmp_path):
    path = save(tmp_path / "a.nii", voxels_of(), pixdim=[1, *[0] * 7], qform_code=0)
    with pytest.warns(SpacingWarning, match=r"1 x 1 x 1 mm; took the affine"):
        image = read_image(path)
    np.testing.assert_allclose(image.affine, oblique(), atol=1e-5)
    assert read_image(path, spacing_source="pixdim").spacing == pytest.approx([1] * 3)
    pixdim = [1, np.nan, 0.8, 4, 1, 1, 1, 1]
    path = save(tmp_path / "b.nii", voxels_of(), pixdim=pixdim, qform_code=0)
    with pytest.raises(InputError, match="pixdim must be positive"):
        read_image(path, spacing_source="pixdim")
    with pytest.raises(InputError, match=r"auto, affine or pixdim.*'header'"):
        read_image(path, spacing_source="header")


@pytest.mark.filterwarnings("ignore::dlir_tf.images.SpacingWarning")
def test_the_spacing_rule_holds_for_labels_as_for_their_image(tmp_path):
    path = unit_affine(tmp_path)
    read_labels_of(path, read_image(path))
    by_affine = read_image(path, spacing_source="affine")
    with pytest.raises(InputError, match="elsewhere"):
        read_labels_of(path, by_affine)
    labels = read_labels_of(path, by_affine, spacing_source="affine")
    assert labels.spacing == pytest.approx((1, 1, 1))


def test_acdc_has_its_true_spacing(shared_data):
    path = shared_data / "acdc" / "patient001" / "patient001_frame01.nii.gz"
    with pytest.warns(SpacingWarning, match=r"1 x 1 x 1 mm, pixdim 1\.5625"):
        image = read_image(path)
    assert image.spacing == pytest.approx((1.5625, 1.5625, 10.0))
    assert image.array.dtype == np.int16
    assert image.shape == (216, 256, 10)
    np.testing.assert_allclose(itk_affine(path), image.affine, atol=1e-4)
