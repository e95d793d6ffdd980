"""Folders with several series, and with DICOM objects that are no images."""

import re

import numpy as np
import pytest
from dicom_files import dataset, enhanced, save, save_slices, volume

from dlir_tf.errors import InputError
from dlir_tf.images import read_image, series_chosen

SHAPE = (12, 10, 3)
FIRST, SECOND = volume(SHAPE), volume(SHAPE, seed=1)
SEGMENTATION, CONTOURS = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.481.3"


def two_series(folder):
    save_slices(folder, FIRST, SeriesInstanceUID="1.2.9", SeriesNumber=12)
    second = enhanced(SECOND)
    second.SeriesInstanceUID, second.SeriesNumber = "1.2.4", 3
    second.SeriesDescription = "T2 fat"
    save(second, folder / "second.dcm")
    return folder


def test_a_series_is_chosen_by_its_number_or_uid(tmp_path):
    folder = two_series(tmp_path / "ct#1")
    with pytest.raises(InputError) as caught:
        read_image(folder)
    listed = (
        "holds 2: #3 (T2 fat, 1 file of 12 x 10 x 3, UID 1.2.4), #12 (T1, 3 files of "
        f"12 x 10, UID 1.2.9); choose one by its number or UID, as in {folder}#3 or "
        "--series 3"
    )
    assert listed in str(caught.value)
    for choice, expected in (("12", FIRST), ("3", SECOND), ("1.2.9", FIRST)):
        np.testing.assert_array_equal(read_image(f"{folder}#{choice}").array, expected)
        with series_chosen(choice):
            np.testing.assert_array_equal(read_image(folder).array, expected)
            np.testing.assert_array_equal(read_image(f"{folder}#3").array, SECOND)
    with pytest.raises(InputError, match=r"no series 4 in it, but #3 .*, #12 "):
        read_image(f"{folder}#4")
    with pytest.raises(InputError, match="no such file"):
        read_image(tmp_path / "other#4")


def test_numbers_that_several_series_share_are_counted(tmp_path):
    folder = save_slices(tmp_path / "a", FIRST, SeriesInstanceUID="1.2.9")
    save_slices(folder, SECOND, SeriesInstanceUID="1.2.10")
    with pytest.raises(InputError, match=r"#1 \(T1.*1\.2\.10\), #2 \(T1.*1\.2\.9\)"):
        read_image(folder)
    np.testing.assert_array_equal(read_image(f"{folder}#2").array, FIRST)


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        (SEGMENTATION, r"holds a segmentation \(SEG\) of DICOM.*\.seg\.nrrd"),
        (CONTOURS, r"holds a set of contours \(RTSTRUCT\).*3D Slicer"),
        ("1.2.840.10008.5.1.4.1.1.481.2", r"holds a radiotherapy dose \(RTDOSE\)"),
        ("1.2.840.10008.5.1.4.1.1.481.5", "holds a radiotherapy plan"),
        ("1.2.840.10008.5.1.4.1.1.88.33", r"holds a report \(SR\)"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "holds a presentation state"),
        ("1.2.840.10008.5.1.4.1.1.66.1", "holds a spatial registration"),
        ("1.2.840.10008.1.3.10", r"holds a directory \(DICOMDIR\)"),
    ],
)
def test_what_is_no_image_is_refused_by_name(tmp_path, storage, said):
    made = dataset(FIRST.astype(np.uint8), storage)
    if storage != SEGMENTATION:
        for name in ("PixelData", "Rows", "Columns"):
            delattr(made, name)
    save(made, tmp_path / "x.dcm")
    for given in (tmp_path, tmp_path / "x.dcm"):
        with pytest.raises(InputError, match=re.escape(f"{given}: ") + said):
            read_image(given)


def test_old_files_without_the_mark_are_known(tmp_path):
    """A single one is refused as such; in a folder they are a series."""
    folder = save_slices(tmp_path / "ct", FIRST)
    for path in folder.iterdir():
        raw = path.read_bytes()
        start = raw.index(b"\x08\x00\x16\x00UI")
        length = (0).to_bytes(4, "little")
        path.write_bytes(b"\x08\0\0\0UL\x04\0" + length + raw[start:])
    with pytest.raises(InputError, match="is a single DICOM file; give the folder"):
        read_image(path)
    np.testing.assert_array_equal(read_image(folder).array, FIRST)


def test_what_is_no_image_does_no_harm_beside_images(tmp_path):
    folder = save_slices(tmp_path / "ct", FIRST)
    save(dataset(FIRST.astype(np.uint8), SEGMENTATION), folder / "seg.dcm")
    save(dataset(FIRST, CONTOURS, SeriesInstanceUID="7.7"), folder / "rt.dcm")
    np.testing.assert_array_equal(read_image(folder).array, FIRST)
