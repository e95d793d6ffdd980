"""Segmentations of 3D Slicer: names and colours go where the labels go."""

import numpy as np
import pytest
import SimpleITK as sitk

from dlir_tf.cli import main
from dlir_tf.images import Image, read_frames, read_labels, write_frames, write_image
from dlir_tf.transforms import Affine, Transform, write_transform

SHAPE = (12, 10, 8)
KEYS = {
    "Segment0_ID": "left_ventricle",
    "Segment0_Name": "Linke Kammer: α",
    "Segment0_Color": "0.9 0.1 0.2",
    "Segment0_LabelValue": "3",
    "Segment0_Layer": "0",
    "Segment0_Extent": "0 99 0 99 0 99",
    "Segment1_ID": "apex",
    "Segment1_Name": "Apex",
    "Segment1_LabelValue": "7",
    "Segment1_Extent": "1 2 3 4 5 6",
    "Segmentation_MasterRepresentation": "Binary labelmap",
    "Segmentation_ConversionParameters": "Reference image geometry|1;0;0;5;|",
    "Segmentation_ReferenceImageExtentOffset": "30 20 10",
}


def _labels():
    array = np.zeros(SHAPE, np.uint8)
    array[2:5, 3:7, 1:6] = 3
    return array


def _save(path, array=None):
    array = _labels() if array is None else array
    vector = array.ndim == 4
    order = (2, 1, 0, 3) if vector else (2, 1, 0)
    image = sitk.GetImageFromArray(array.transpose(order).copy(), isVector=vector)
    image.SetSpacing((2.0, 1.5, 3.0))
    for key, text in KEYS.items():
        image.SetMetaData(key, text)
    sitk.WriteImage(image, str(path))
    path.write_bytes(path.read_bytes().replace(b"kinds: vector", b"kinds: list"))
    return path


def _keys(path):
    image = sitk.ReadImage(str(path))
    names = [key for key in image.GetMetaDataKeys() if key.startswith("Segment")]
    return {key: image.GetMetaData(key) for key in names}


def test_segments_go_with_the_labels(tmp_path, capsys, monkeypatch):
    """Three voxels along the first axis; what depends on the grid follows it."""
    monkeypatch.chdir(tmp_path)
    _save(tmp_path / "a.seg.nrrd")
    shift = np.eye(4)
    shift[0, 3] = 6  # RAS mm; the first axis runs to the left, with 2 mm
    write_transform(tmp_path / "t.npz", Transform((Affine(shift),)))
    given = ["transform", "a.seg.nrrd", "--transform", "t.npz", "--output"]
    main([*given, "b.seg.nrrd"])
    moved = read_frames(tmp_path / "b.seg.nrrd")
    np.testing.assert_array_equal(moved[0].array, np.roll(_labels(), 3, axis=0))
    found = _keys(tmp_path / "b.seg.nrrd")
    assert found.pop("Segment0_Extent") == "5 7 3 6 1 5"
    assert found.pop("Segment1_Extent") == "0 -1 0 -1 0 -1"
    assert found.pop("Segmentation_ReferenceImageExtentOffset") == "0 0 0"
    changed = {"Extent", "ConversionParameters", "ReferenceImageExtentOffset"}
    kept = {k: KEYS[k] for k in KEYS if k.split("_")[1] not in changed}
    assert found == kept
    capsys.readouterr()
    main([*given, "b.nii.gz"])
    assert "b.nii.gz: names and colours of the segments" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".seg.nrrd", ".seg.nhdr"])
def test_segments_that_overlap_keep_their_layers(tmp_path, monkeypatch, suffix):
    """On the list axis, which Slicer reads layers from; each moved for itself."""
    monkeypatch.chdir(tmp_path)
    second = np.where(_labels() == 3, 7, 0).astype(np.uint8)
    layers = np.stack([_labels(), np.roll(second, 1, axis=1)], axis=-1)
    monkeypatch.setitem(KEYS, "Segment1_Layer", "1")
    _save(tmp_path / "a.seg.nrrd", layers)
    shift = np.eye(4)
    shift[0, 3] = 6
    write_transform(tmp_path / "t.npz", Transform((Affine(shift),)))
    given = ("transform", "a.seg.nrrd", "--transform", "t.npz", "--output")
    main([*given, f"b{suffix}"])
    moved = read_frames(tmp_path / f"b{suffix}")
    assert len(moved) == 2
    for layer, frame in enumerate(moved):
        expected = np.roll(layers[..., layer], 3, axis=0)
        np.testing.assert_array_equal(frame.array, expected)
    found = _keys(tmp_path / f"b{suffix}")
    assert found["Segment0_Extent"] == "5 7 3 6 1 5"
    assert found["Segment1_Extent"] == "5 7 4 7 1 5"
    assert (found["Segment1_Name"], found["Segment1_Layer"]) == ("Apex", "1")
    header = (tmp_path / f"b{suffix}").read_bytes().split(b"\n\n")[0]
    assert b"kinds: list domain domain domain" in header


def test_other_labels_have_no_segments(tmp_path):
    write_image(tmp_path / "a.seg.nrrd", Image(_labels(), np.diag([2.0, 1.5, 3, 1])))
    frames = read_frames(tmp_path / "a.seg.nrrd")
    assert frames.segments == {}
    write_frames(tmp_path / "b.seg.nrrd", frames, segments=frames.segments)
    assert _keys(tmp_path / "b.seg.nrrd") == {}


def test_labels_have_their_segments_in_python(tmp_path, recwarn):
    """Read, moved as labels and written, they are what they were called."""
    path = _save(tmp_path / "a.seg.nrrd")
    labels = read_labels(path)
    rest = Transform((Affine(np.eye(4)),))
    moved = rest.resample(labels, labels, interpolation="nearest")
    write_image(tmp_path / "b.seg.nrrd", moved)
    found = _keys(tmp_path / "b.seg.nrrd")
    assert (found["Segment0_Name"], found["Segment1_Name"]) == (
        KEYS["Segment0_Name"],
        KEYS["Segment1_Name"],
    )
    assert found["Segment0_Extent"] == "2 4 3 6 1 5"
    assert not recwarn.list
    write_image(tmp_path / "b.nii.gz", moved)
    assert "names and colours of the segments are lost" in str(recwarn.pop().message)
    assert not rest.resample(labels, labels).segments
    assert not labels.with_array(np.ones(SHAPE)).segments


def test_the_first_layer_has_the_segments_that_are_in_it(tmp_path, monkeypatch):
    """Slicer counts segments from 0 on, so that what is left out leaves no gap."""
    monkeypatch.setitem(KEYS, "Segment0_Layer", "1")
    monkeypatch.setitem(KEYS, "Segment1_Layer", "0")
    monkeypatch.setitem(KEYS, "Segment1_LabelValue", "1")
    both = np.stack([_labels() == 3, _labels() == 0], axis=-1).astype(np.uint8)
    _save(tmp_path / "a.seg.nrrd", both)
    with pytest.warns(UserWarning, match="2 volumes of 0 and 1"):
        labels = read_labels(tmp_path / "a.seg.nrrd")
    write_image(tmp_path / "b.seg.nrrd", labels)
    found = _keys(tmp_path / "b.seg.nrrd")
    assert found["Segment0_Name"] == "Apex"
    assert found["Segment0_Extent"] == "2 4 3 6 1 5"
    assert not any(key.startswith("Segment1") for key in found)
