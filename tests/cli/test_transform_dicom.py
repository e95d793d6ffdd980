"""`dlir-tf transform` carries what scanners export."""

import nibabel as nib
import numpy as np
import pytest
from dicom_files import affine, dataset, save, save_slices, volume
from transform_desk import transform

from dlir_tf.cli import main
from dlir_tf.transforms import Affine, Transform, write_transform

SHAPE = (12, 10, 4)
FIRST, SECOND = volume(SHAPE), volume(SHAPE, seed=1)
T = ("--transform", "t.npz")


@pytest.fixture
def scan(tmp_path, monkeypatch):
    """A folder with two series, and a transform that changes nothing."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "scan"
    save_slices(folder, FIRST, SeriesInstanceUID="1.2.9", SeriesNumber=12)
    save_slices(folder, SECOND, SeriesInstanceUID="1.2.4", SeriesNumber=3)
    write_transform("t.npz", Transform((Affine(np.eye(4)),)))
    return folder


def holds(name, expected):
    image = nib.load(name)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), expected)
    np.testing.assert_allclose(image.affine, affine(), atol=1e-4)


def test_a_series_of_several_is_carried(scan, capsys):
    transform(capsys, "scan#12", *T, "--output", "a.nii.gz")
    holds("a.nii.gz", FIRST)
    transform(capsys, "scan", "--series", "3", *T, "--output", "b.nii.gz")
    holds("b.nii.gz", SECOND)
    out, _ = transform(capsys, "scan#12", "scan#1.2.4", *T, "--output", "out")
    assert out == ["out/scan_12.nii.gz", "out/scan_1.2.4.nii.gz"]
    holds("out/scan_1.2.4.nii.gz", SECOND)


def test_several_series_are_listed(scan, capsys):
    for given in (["scan"], ["scan#4"]):
        with pytest.raises(SystemExit) as caught:
            main(["transform", *given, *T, "--output", "a.nii.gz"])
        assert caught.value.code == 1
        printed = capsys.readouterr()
        assert "#3 (T1, 4 files of 12 x 10, UID 1.2.4), #12 (" in printed.err
        assert printed.err.count("\n") == 1


def test_a_cine_series_is_carried_frame_by_frame(scan, capsys):
    series = np.stack([FIRST, SECOND, FIRST // 2], axis=-1)
    save_slices(scan.parent / "cine", series, lambda k, t: {"TriggerTime": str(30 * t)})
    _, err = transform(capsys, "cine", *T, "--output", "c.nii.gz")
    assert "3 volumes of 4 slices each; they are ordered by trigger" in "".join(err)
    holds("c.nii.gz", series)
    header = nib.load("c.nii.gz").header
    assert header.get_zooms()[3] == pytest.approx(30)
    assert header.get_xyzt_units()[1] == "msec"


def test_a_segmentation_is_refused_by_name(scan, capsys):
    made = dataset(FIRST.astype(np.uint8), "1.2.840.10008.5.1.4.1.1.66.4")
    save(made, "seg.dcm")
    with pytest.raises(SystemExit):
        main(["transform", "seg.dcm", *T, "--output", "a.nii.gz"])
    assert "seg.dcm: holds a segmentation (SEG)" in capsys.readouterr().err
