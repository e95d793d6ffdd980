"""Segmentations of 3D Slicer: names and colours go where the labels go."""

import numpy as np
import pytest
import SimpleITK as sitk

from dlir_tf.cli import main
from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_frames, write_frames, write_image
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


def test_segments_that_overlap_are_refused(tmp_path):
    layers = np.stack([_labels(), np.roll(_labels(), 1, axis=1)], axis=-1)
    path = _save(tmp_path / "a.seg.nrrd", layers)
    with pytest.raises(InputError, match=r"a\.seg\.nrrd: .* overlap, .* in 2 layers"):
        read_frames(path)


def test_other_labels_have_no_segments(tmp_path):
    write_image(tmp_path / "a.seg.nrrd", Image(_labels(), np.diag([2.0, 1.5, 3, 1])))
    frames = read_frames(tmp_path / "a.seg.nrrd")
    assert frames.segments == {}
    write_frames(tmp_path / "b.seg.nrrd", frames, segments=frames.segments)
    assert _keys(tmp_path / "b.seg.nrrd") == {}
