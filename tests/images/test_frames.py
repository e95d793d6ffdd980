"""Time series: every frame comes back, in its place, in its moment."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_frames, read_image, write_frames, write_image

SHAPE = (5, 7, 4)
PLANE = np.array([[0.0, -0.8, 11.0], [1.5, 0.0, -7.0], [0.0, 0.0, 1.0]])
SERIES_SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr")


def _oblique():
    a = 0.4
    affine = np.eye(4)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    affine[:3, :3] = turn @ np.diag([1.5, -0.8, 4.0])
    affine[:3, 3] = [-31.0, 12.5, 70.0]
    return affine


def _voxels(shape=(*SHAPE, 3), dtype=np.int16, seed=0):
    return np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)


def _frames(dtype=np.int16):
    series = _voxels(dtype=dtype)
    return [Image(series[..., t], _oblique()) for t in range(3)]


@pytest.mark.parametrize("suffix", SERIES_SUFFIXES)
def test_a_series_comes_back(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_frames(path, _frames(), time_step=0.25, time_unit="msec")
    back = read_frames(path)
    assert len(back) == 3
    assert back.time_step == pytest.approx(0.25)
    assert back.time_unit == ("msec" if ".nii" in suffix else "unknown")
    for frame, expected in zip(back, _frames(), strict=True):
        assert frame.array.dtype == np.int16
        np.testing.assert_array_equal(frame.array, expected.array)
        np.testing.assert_allclose(frame.affine, _oblique(), atol=1e-5)
    with pytest.raises(InputError, match=r"\(5, 7, 4, 3\), 3 volumes or channels"):
        read_image(path)


@pytest.mark.parametrize("suffix", SERIES_SUFFIXES)
def test_itk_sees_the_series_in_its_place(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_frames(path, _frames(), time_step=0.25, time_unit="sec")
    series = sitk.ReadImage(str(path))
    assert series.GetSize() == (*SHAPE, 3)
    assert series.GetSpacing()[3] == pytest.approx(0.25)
    for index in ((0, 0, 0, 0), (4, 6, 3, 2), (1, 5, 2, 1)):
        assert series[index] == _voxels()[index]
        point = np.array(series.TransformContinuousIndexToPhysicalPoint(index))
        expected = (_oblique() @ [*index[:3], 1])[:3] * [-1, -1, 1]
        np.testing.assert_allclose(point[:3], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("unit", "code"), [("sec", 8), ("msec", 16), ("usec", 24), ("unknown", 0)]
)
def test_nifti_keeps_step_and_unit_of_time(tmp_path, unit, code):
    image = nib.Nifti1Image(_voxels(), _oblique())
    image.header.set_xyzt_units("mm", unit)
    image.header["pixdim"][4] = 37.5
    image.header["descrip"] = b"cine"
    nib.save(image, tmp_path / "a.nii.gz")
    frames = read_frames(tmp_path / "a.nii.gz")
    assert (frames.time_step, frames.time_unit) == (37.5, unit)
    write_frames(tmp_path / "b.nii", frames, time_step=37.5, time_unit=unit)
    header = nib.load(tmp_path / "b.nii").header
    assert header["pixdim"][4] == 37.5
    assert int(header["xyzt_units"]) == 2 | code
    assert header["descrip"] == b"cine"
    assert header.get_data_dtype() == np.int16


def test_freesurfers_step_of_time_is_kept(tmp_path):
    image = nib.MGHImage(_voxels(dtype=np.float32), _oblique())
    image.header["tr"] = 2300
    nib.save(image, tmp_path / "a.mgz")
    frames = read_frames(tmp_path / "a.mgz")
    assert (frames.time_step, frames.time_unit) == (2300, "msec")
    nib.save(nib.MGHImage(_voxels(SHAPE), _oblique()), tmp_path / "b.mgz")
    assert read_frames(tmp_path / "b.mgz").time_step == 0


@pytest.mark.parametrize(
    ("code", "unit"), [(77001, "msec"), (77002, "sec"), (77003, "unknown")]
)
def test_afnis_step_of_time_is_kept(tmp_path, code, unit):
    rows = {
        ("integer", "DATASET_DIMENSIONS"): (*SHAPE, 0, 0),
        ("integer", "DATASET_RANK"): (3, 3, 0, 0, 0, 0, 0, 0),
        ("integer", "ORIENT_SPECIFIC"): (0, 3, 4),
        ("float", "ORIGIN"): (0.0, 0.0, 0.0),
        ("float", "DELTA"): (1.0, 1.0, 1.0),
        ("float", "IJK_TO_DICOM_REAL"): (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0),
        ("integer", "BRICK_TYPES"): (1, 1, 1),
        ("float", "BRICK_FLOAT_FACS"): (0, 0, 0),
        ("integer", "TAXIS_NUMS"): (3, 0, code, -999, -999, -999, -999, -999),
        ("float", "TAXIS_FLOATS"): (0, 2.5, 0, 0, 0, 0, 0, 0),
    }
    lines = []
    for (kind, name), values in rows.items():
        lines += [f"type = {kind}-attribute", f"name = {name}"]
        lines += [f"count = {len(values)}", " ".join(map(str, values)), ""]
    for name, value in {
        "TYPESTRING": "3DIM_HEAD_ANAT",
        "BYTEORDER_STRING": "LSB_FIRST",
        "TEMPLATE_SPACE": "ORIG",
    }.items():
        lines += ["type = string-attribute", f"name = {name}"]
        lines += [f"count = {len(value) + 1}", f"'{value}~", ""]
    (tmp_path / "a+orig.HEAD").write_text("\n".join(lines))
    (tmp_path / "a+orig.BRIK").write_bytes(_voxels().tobytes(order="F"))
    frames = read_frames(tmp_path / "a+orig.HEAD")
    assert len(frames) == 3
    assert (frames.time_step, frames.time_unit) == (2.5, unit)


def test_a_plain_image_is_one_frame(tmp_path):
    for array, affine in (
        (_voxels()[..., 0], _oblique()),
        (_voxels()[..., 0, 0], PLANE),
    ):
        write_image(tmp_path / "a.nii.gz", Image(array, affine))
        (frame,) = read_frames(tmp_path / "a.nii.gz")
        np.testing.assert_array_equal(frame.array, array)
        np.testing.assert_allclose(frame.affine, affine, atol=1e-6)
        write_frames(tmp_path / "b.mha", [frame])
        np.testing.assert_array_equal(read_image(tmp_path / "b.mha").array, array)


@pytest.mark.parametrize("suffix", [".nii.gz", ".mha", ".nrrd"])
def test_2d_frames_have_a_third_axis_of_length_1(tmp_path, suffix):
    series = _voxels((5, 7, 3))
    frames = [Image(series[..., t], PLANE) for t in range(3)]
    write_frames(tmp_path / f"a{suffix}", frames, time_step=2.0, time_unit="msec")
    back = read_frames(tmp_path / f"a{suffix}")
    assert back.time_step == 2
    for t, frame in enumerate(back):
        np.testing.assert_array_equal(frame.array, series[..., t, None])
        np.testing.assert_allclose(
            frame.affine[np.ix_([0, 1, 3], [0, 1, 3])], PLANE, atol=1e-6
        )


def test_frames_are_views_of_the_file_in_its_dtype(tmp_path):
    for dtype in (np.uint8, np.float32):
        write_frames(tmp_path / "a.nii", _frames(dtype))
        first, second, third = read_frames(tmp_path / "a.nii")
        assert first.array.dtype == dtype
        assert first.array.base is second.array.base is third.array.base
        assert first.array.base is not None
    write_frames(tmp_path / "b.nii", _frames(np.float32), dtype=np.uint8)
    assert read_frames(tmp_path / "b.nii")[1].array.dtype == np.uint8
    labels = [Image(np.zeros(SHAPE, np.uint8), _oblique())] * 2
    write_frames(tmp_path / "c.nii", labels)  # nothing in it is nothing wrong
    assert len(read_frames(tmp_path / "c.nii")) == 2


def _nrrd(path, fields, array):
    sizes = " ".join(map(str, array.shape))
    text = (
        f"NRRD0005\ntype: int16\ndimension: {array.ndim}\nsizes: {sizes}\n"
        f"endian: little\nencoding: raw\n{fields}\n\n"
    )
    path.write_bytes(text.encode() + array.astype("<i2").tobytes(order="F"))
    return path


def test_a_sequence_of_slicer(tmp_path):
    path = _nrrd(
        tmp_path / "a.seq.nrrd",
        "space: right-anterior-superior\nkinds: list domain domain domain\n"
        "space directions: none (1.5,0,0) (0,0.8,0) (0,0,4)\nspace origin: (1,2,3)",
        np.moveaxis(_voxels(), -1, 0),
    )
    expected = np.diag([1.5, 0.8, 4, 1])
    expected[:3, 3] = [1, 2, 3]
    frames = read_frames(path)
    assert len(frames) == 3
    for t, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.array, _voxels()[..., t])
        np.testing.assert_allclose(frame.affine, expected)


def test_a_nrrd_file_of_planes_in_time(tmp_path):
    path = _nrrd(
        tmp_path / "a.nrrd",
        "kinds: domain domain time\nspacings: 1.5 0.8 3",
        _voxels((5, 7, 3)),
    )
    frames = read_frames(path)
    assert (len(frames), frames[0].shape, frames.time_step) == (3, (5, 7, 1), 3.0)
    np.testing.assert_array_equal(frames[2].array[..., 0], _voxels((5, 7, 3))[..., 2])
    with pytest.raises(InputError, match="3 volumes or channels"):
        read_image(path)


def test_a_nrrd_world_that_itk_gets_wrong_is_refused(tmp_path):
    path = _nrrd(
        tmp_path / "a.nrrd",
        "space: right-anterior-superior-time\nkinds: domain domain domain time\n"
        "space directions: (1,0,0,0) (0,1,0,0) (0,0,1,0) (0,0,0,1)",
        _voxels(),
    )
    with pytest.raises(InputError, match=r"left-posterior-superior-time, but is right"):
        read_frames(path)


@pytest.mark.parametrize(
    ("shape", "fields", "message"),
    [
        ((*SHAPE, 1, 3), {}, r"its shape is \(5, 7, 4, 1, 3\)"),
        ((*SHAPE, 2, 3), {}, r"its shape is \(5, 7, 4, 2, 3\)"),
        ((*SHAPE, 3), {"intent_code": 1007}, "intent code 1007"),
        ((*SHAPE, 6), {"intent_code": 1005}, "intent code 1005"),
        ((*SHAPE, 3), {"xyzt_units": 2 | 32}, "fourth axis is hz"),
    ],
    ids=["vectors", "vectors in time", "vector intent", "tensors", "spectrum"],
)
def test_nifti_vectors_are_not_taken_for_time(tmp_path, shape, fields, message):
    image = nib.Nifti1Image(_voxels(shape), _oblique())
    for name, value in fields.items():
        image.header[name] = value
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(InputError, match=rf"a\.nii: .*{message}"):
        read_frames(tmp_path / "a.nii")


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
@pytest.mark.parametrize("shape", [SHAPE, (5, 7)], ids=["3d", "2d"])
def test_itk_vectors_are_not_taken_for_time(tmp_path, suffix, shape):
    vectors = sitk.GetImageFromArray(_voxels((*shape[::-1], 3)), isVector=True)
    sitk.WriteImage(vectors, str(tmp_path / f"a{suffix}"))
    with pytest.raises(InputError, match=rf"a\{suffix}.*3 numbers each"):
        read_frames(tmp_path / f"a{suffix}")


def test_an_infinite_voxel_in_any_frame_is_refused_and_nan_is_kept(tmp_path):
    series = _voxels(dtype=np.float32)
    series[1, 2, 3, 2] = np.nan
    nib.save(nib.Nifti1Image(series, _oblique()), tmp_path / "a.nii")
    assert np.isnan(read_frames(tmp_path / "a.nii")[2].array[1, 2, 3])
    series[1, 2, 3, 2] = np.inf
    nib.save(nib.Nifti1Image(series, _oblique()), tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"a\.nii: no voxel may be infinite, but 1"):
        read_frames(tmp_path / "a.nii")


def test_what_cannot_be_one_series(tmp_path):
    other = Image(_voxels(SHAPE), np.eye(4))
    for frames in ([], [_frames()[0], other]):
        with pytest.raises(ValueError, match="write_frames: expected"):
            write_frames(tmp_path / "a.nii", frames)
    with pytest.raises(ValueError, match="'hour'"):
        write_frames(tmp_path / "a.nii", _frames(), time_unit="hour")
    with pytest.raises(InputError, match=r"a\.png.*must end with \.nii\.gz"):
        write_frames(tmp_path / "a.png", _frames())
    assert list(tmp_path.iterdir()) == []
