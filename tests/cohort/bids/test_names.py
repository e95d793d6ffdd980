"""Names of BIDS: taken apart, put together, and what they are called beside others."""

import pytest

from dlir_tf.cohort.bids.names import made_name, parsed_name


@pytest.mark.parametrize(
    "name",
    [
        "sub-01_T1w.nii.gz",
        "sub-01_ses-pre_acq-mprage_run-2_space-MNI152NLin6Asym_res-2_desc-preproc_T1w.nii",
        "tpl-MNIInfant_cohort-1_res-1_T2w.nii.gz",
        "sub-A1_from-T1w_to-MNIInfant+1_mode-image_xfm.h5",
    ],
)
def test_a_name_is_what_its_parts_make(name):
    parsed = parsed_name(name)
    assert str(parsed) == name
    shuffled = dict(reversed(parsed.entities.items()))
    assert str(made_name(shuffled, parsed.suffix, parsed.extension)) == name


@pytest.mark.parametrize(
    "name",
    [
        "fixed.nii.gz",
        "T1w_sub-01.nii.gz",
        "sub-01.nii.gz",
        "sub-01_T1w",
        "ses-1_T1w.nii.gz",
        "sub-01_run_2_T1w.nii.gz",
        "sub-0.1_T1w.nii.gz",
        "sub-01_sub-02_T1w.nii.gz",
        "sub-_T1w.nii.gz",
        "sub-01_T1w#2",
    ],
)
def test_what_is_no_name_of_bids_is_told(name):
    assert parsed_name(name) is None


@pytest.mark.parametrize(
    ("fixed", "moving", "space"),
    [
        ("sub-01_T1w", "sub-01_T2w", "T1w"),
        ("sub-01_ses-1_T1w", "sub-01_ses-2_T1w", "ses1T1w"),
        ("sub-02_ses-1_T1w", "sub-01_ses-1_T1w", "sub02ses1T1w"),
        ("tpl-MNI152NLin2009cAsym_res-01_T1w", "sub-01_T1w", "MNI152NLin2009cAsym"),
        ("tpl-MNIInfant_cohort-1_T1w", "sub-01_T1w", "MNIInfant+1"),
        ("sub-01_space-MNI305_desc-preproc_T1w", "sub-01_T1w", "MNI305"),
        ("sub-01_desc-preproc_T1w", "sub-01_ses-1_T2w", "T1w"),
        ("sub-01_desc-a_T1w", "sub-01_desc-b_T1w", "descaT1w"),
    ],
)
def test_a_space_is_told_apart_from_that_of_the_other_image(fixed, moving, space):
    one, other = (parsed_name(f"{name}.nii.gz") for name in (fixed, moving))
    assert one.space_beside(other) == space
