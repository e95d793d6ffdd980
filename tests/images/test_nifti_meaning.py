"""What a NIfTI header says of labels goes with them; what it says of places doesn't."""

import nibabel as nib
import numpy as np
import pytest

from dlir_tf.images import Image, read_frames, read_image, read_labels, write_image
from dlir_tf.images.frames import write_frames
from dlir_tf.images.headers.label_table import label_table
from dlir_tf.transforms import Affine, Transform

LABELS = b"""<Label Key='0' Red='1' Green='1' Blue='1' Alpha='0'>???</Label>
<Label Key='3' Red='0.25' Green='0.5' Blue='1'><![CDATA[left & so on]]></Label>
<Label Key='1'>right</Label>"""
TABLE = (
    b"<CaretExtension><VolumeInformation Index='0'><LabelTable>%b</LabelTable>"
    b"</VolumeInformation></CaretExtension>" % LABELS
)
CARET, COMMENT, AFNI = 30, 6, 4


@pytest.fixture
def files(tmp_path):
    """Labels with all that a header may say of them, and a fixed image elsewhere."""
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 4, (4, 3, 3)), np.ones((3, 3, 3))).astype(np.uint8)
    image = nib.Nifti1Image(labels, np.diag([1.5, 2, 2.5, 1]))
    header = image.header
    header.set_intent("label", name="atlas")
    header["descrip"], header["aux_file"] = b"drawn by hand", b"colours.lut"
    header["cal_min"], header["cal_max"] = 0, 3
    for code, content in {CARET: TABLE, COMMENT: b"checked", AFNI: b"<A/>"}.items():
        header.extensions.append(nib.nifti1.Nifti1Extension(code, content))
    nib.save(image, tmp_path / "labels.nii.gz")
    fixed = nib.Nifti1Image(rng.normal(size=(11, 10, 9)), np.diag([-2, 2, 2, 1.0]))
    fixed.header["descrip"], fixed.header["cal_max"] = b"fixed", 99
    fixed.header.set_sform(fixed.affine, 4)
    nib.save(fixed, tmp_path / "fixed.nii.gz")
    return tmp_path


def extensions(header):
    return {each.get_code(): each.content.rstrip(b"\0") for each in header.extensions}


def assert_meant(path):
    header = nib.load(path).header
    assert header.get_intent() == ("label", (), "atlas")
    assert header["descrip"] == b"drawn by hand"
    assert header["aux_file"] == b"colours.lut"
    assert (header["cal_min"], header["cal_max"]) == (0, 3)
    assert extensions(header) == {CARET: TABLE, COMMENT: b"checked"}


@pytest.mark.parametrize("name", ["moved.nii", "moved.nii.gz"])
@pytest.mark.parametrize("interpolation", ["nearest", "label"])
def test_moved_labels_mean_what_they_meant(files, name, interpolation):
    labels = read_labels(files / "labels.nii.gz")
    fixed = read_image(files / "fixed.nii.gz")
    shift = np.eye(4)
    shift[0, 3] = 20.0
    moved = Transform((Affine(shift),)).resample(
        labels, fixed, interpolation=interpolation
    )
    write_image(files / name, moved)
    assert_meant(files / name)
    header = nib.load(files / name).header
    assert int(header["sform_code"]) == 4  # where it lies, the fixed image says
    np.testing.assert_array_equal(read_labels(files / name).array, moved.array)


def test_other_voxels_mean_something_else(files):
    labels = read_image(files / "labels.nii.gz")
    identity = Transform((Affine(np.eye(4)),))
    mixed = identity.resample(labels, labels.grid)
    for image in (mixed, labels.with_array(labels.array + 1)):
        write_image(files / "other.nii", image)
        header = nib.load(files / "other.nii").header
        assert header.get_intent()[0] == "none"
        assert float(header["cal_max"]) == 0
        assert extensions(header) == {}


def test_series_of_labels_begin_when_they_began(files):
    frames = read_frames(files / "labels.nii.gz")
    write_frames(files / "one.nii", tuple(frames))
    assert_meant(files / "one.nii")
    series = nib.Nifti1Image(np.ones((5, 4, 3, 2), np.int16), np.eye(4))
    series.header["toffset"] = 1.5
    nib.save(series, files / "series.nii")
    frames = read_frames(files / "series.nii")
    write_frames(files / "again.nii", tuple(frames), time_step=2.0, time_unit="sec")
    assert float(nib.load(files / "again.nii").header["toffset"]) == 1.5
    plain = Image(np.ones((5, 4, 3), np.int16), np.eye(4))
    write_image(files / "plain.nii", plain)
    assert nib.load(files / "plain.nii").header["descrip"] == b""


def moved_labels(files):
    labels = read_labels(files / "labels.nii.gz")
    shift = np.eye(4)
    shift[0, 3] = 3.0
    return Transform((Affine(shift),)).resample(labels, labels, interpolation="nearest")


@pytest.mark.parametrize("name", ["moved.seg.nrrd", "moved.nrrd", "moved.nhdr"])
def test_nrrd_keeps_the_names_as_segments_of_slicer(files, name, recwarn):
    import SimpleITK as sitk

    moved = moved_labels(files)
    write_image(files / name, moved)
    assert not recwarn.list
    read = sitk.ReadImage(str(files / name))
    told = {key: read.GetMetaData(key) for key in read.GetMetaDataKeys()}
    segments = {
        told[f"Segment{n}_LabelValue"]: (
            told[f"Segment{n}_Name"],
            told[f"Segment{n}_Color"],
        )
        for n in range(2)
    }
    assert segments == {
        "3": ("left & so on", "0.25 0.5 1"),
        "1": ("right", "0.5 0.5 0.5"),
    }
    assert "Segment2_Name" not in told
    where = np.argwhere(moved.array == 3)
    extent = np.stack([where.min(0), where.max(0)], axis=1).ravel()
    assert told["Segment0_Extent"] == " ".join(map(str, extent))
    voxels = sitk.GetArrayFromImage(read).T
    np.testing.assert_array_equal(voxels, moved.array)


def test_what_keeps_no_names_says_so(files, recwarn):
    moved = moved_labels(files)
    write_image(files / "moved.mha", moved)
    (warning,) = recwarn.list
    assert "moved.mha: names and colours of the labels are lost" in str(warning.message)
    recwarn.clear()
    write_frames(files / "series.nrrd", (moved, moved))
    (warning,) = recwarn.list
    assert "series.nrrd: names and colours of the labels" in str(warning.message)
    recwarn.clear()
    write_image(files / "other.mha", moved.with_array(moved.array + 1))
    write_frames(files / "series.nii.gz", (moved, moved))
    assert not recwarn.list
    assert_meant(files / "series.nii.gz")


BOMB = b"<!DOCTYPE a [<!ENTITY b 'c'>]><a><LabelTable><Label Key='1'>&b;</Label></a>"


@pytest.mark.parametrize(
    "content",
    [b"<CaretExtension>", b"", b"\xff\xfe<", BOMB, TABLE.replace(b"Key", b"No")],
    ids=["cut", "empty", "bytes", "entities", "keys"],
)
def test_what_is_no_table_names_nothing(content):
    header = nib.Nifti1Header()
    header.extensions.append(nib.nifti1.Nifti1Extension(CARET, content))
    assert label_table(header) == []
    assert label_table(None) == []
