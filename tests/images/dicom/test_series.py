"""DICOM series: made with GDCM, and held against ITK's own reader of series."""

import os

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from dlir_tf.errors import InputError
from dlir_tf.images import read_frames, read_image, read_labels
from dlir_tf.images.headers.dicom_elements import check_elements

SHAPE = (6, 9, 5)
SPACING = (1.5, 0.8, 4.0)


def _axes():
    """Directions of i, j and their normal in LPS, oblique, in columns."""
    a, b = 0.4, -0.3
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return turn @ tilt


def _voxels(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(-900, 900, shape).astype(np.int16)


def _positions(shift=(0, 0, 0)):
    """LPS positions of the first voxel of every slice; `shift` mm a slice more."""
    step = _axes()[:, 2] * SPACING[2] + shift
    return np.array([-31.0, 12.5, 70.0]) + np.arange(SHAPE[2])[:, None] * step


def _save_slice(path, plane, position, uid="1.2.3", axes=None, slope="1", text="T1"):
    image = sitk.GetImageFromArray(np.ascontiguousarray(plane.T)[None])
    if plane.dtype.names is None and plane.ndim == 3:  # colours: (i, j, 3)
        rows = np.ascontiguousarray(plane.transpose(1, 0, 2))[None]
        image = sitk.GetImageFromArray(rows, isVector=True)
    axes = _axes() if axes is None else axes
    image.SetSpacing(SPACING)
    tags = {
        "0008|0060": "CT",
        "0008|103e": text,
        "0020|000e": uid,
        "0020|0032": "\\".join(f"{x:.8g}" for x in position),
        "0020|0037": "\\".join(f"{x:.8g}" for x in axes.T[:2].ravel()),
        "0028|1053": slope,
        "0028|1052": "0",
        "0018|0050": "2.5",
    }
    for key, value in tags.items():
        image.SetMetaData(key, value)
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)


def _save_series(folder, voxels=None, positions=None, **options):
    folder.mkdir(exist_ok=True)
    voxels = _voxels() if voxels is None else voxels
    positions = _positions() if positions is None else positions
    order = np.random.default_rng(1).permutation(len(positions))  # names don't tell
    for name, k in enumerate(order):
        path = folder / f"{options.get('text', 'x')}{name:03}.dcm"
        _save_slice(path, voxels[..., k], positions[k], **options)
    return folder


def _affine(positions):
    affine = np.eye(4)
    affine[:3, :2] = _axes()[:, :2] * SPACING[:2]
    affine[:3, 2] = positions[1] - positions[0]
    affine[:3, 3] = positions[0]
    return np.diag([-1, -1, 1, 1]) @ affine


def test_a_series_is_put_in_order_and_place(tmp_path):
    folder = _save_series(tmp_path / "ct")
    image = read_image(folder)
    assert image.array.dtype == np.int16
    np.testing.assert_array_equal(image.array, _voxels())
    np.testing.assert_allclose(image.affine, _affine(_positions()), atol=1e-5)
    assert image.header is None
    np.testing.assert_array_equal(read_labels(folder).array, _voxels())

    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    judge = sitk.ReadImage(names)
    for index in ((0, 0, 0), (5, 8, 4), (2, 7, 1)):
        point = np.array(judge.TransformIndexToPhysicalPoint(index)) * [-1, -1, 1]
        np.testing.assert_allclose(point, (image.affine @ [*index, 1])[:3], atol=1e-3)
        assert judge[index] == image.array[index]


def test_a_tilted_gantry_is_a_shear(tmp_path):
    positions = _positions(shift=_axes()[:, 1] * 1.2)
    image = read_image(_save_series(tmp_path / "ct", positions=positions))
    np.testing.assert_allclose(image.affine, _affine(positions), atol=1e-5)


def _set_slope(path, slope):
    """Overwrites the rescale slope of a file, which GDCM wrote as "2 "."""
    raw = path.read_bytes()
    tag, value = b"\x28\x00\x53\x10", slope.encode()
    before = tag + b"\x02\x00\x00\x00" + b"2 "
    assert raw.count(before) == 1
    after = tag + len(value).to_bytes(4, "little") + value
    path.write_bytes(raw.replace(before, after))


@pytest.mark.parametrize(
    "slopes",
    [["2 ", "0.25", "0.25", "1.50", "0.25"], ["1 ", "1 ", "1000", "1 ", "1 "]],
    ids=["fractions", "wider integers"],
)
def test_rescaled_values(tmp_path, slopes):
    """PET has a slope for each slice."""
    folder = _save_series(tmp_path / "pet", 2 * _voxels(), slope="2")
    for path in folder.iterdir():
        plane = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0].T
        k = next(k for k in range(5) if np.array_equal(plane, 2 * _voxels()[..., k]))
        _set_slope(path, slopes[k])
    image = read_image(folder)
    assert image.array.dtype == np.float32
    expected = _voxels() * np.array(slopes, np.float32)
    np.testing.assert_allclose(image.array, expected)


def test_a_single_slice_has_its_thickness(tmp_path):
    folder = _save_series(tmp_path / "a", _voxels()[..., :1], _positions()[:1])
    image = read_image(folder)
    assert image.shape == (6, 9, 1)
    assert image.spacing == pytest.approx((1.5, 0.8, 2.5))
    with pytest.raises(InputError, match=r"000\.dcm: is a single DICOM file.*folder"):
        read_image(next(folder.iterdir()))


def test_several_series_are_named(tmp_path):
    folder = _save_series(tmp_path / "a", text="arterial")
    _save_series(folder, _voxels()[..., :3], _positions()[:3], uid="9.8", text="portal")
    with pytest.raises(InputError) as caught:
        read_image(folder)
    message = str(caught.value)
    for part in (
        str(folder),
        "holds 2",
        "#1 (arterial, 5 files of 6 x 9, UID 1.2.3)",
        "#2 (portal, 3 files of 6 x 9, UID 9.8)",
        f"{folder}#1 or --series 1",
    ):
        assert part in message


def test_folders_without_dicom(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(InputError, match="no DICOM image in it; give"):
        read_image(tmp_path)
    _save_series(tmp_path / "inside")
    with pytest.raises(InputError, match="folders inside it aren't searched"):
        read_image(tmp_path)


def _without_voxels(storage_class):
    """A DICOM file that says what it is, and nothing else."""
    uid = storage_class.encode() + b"\0" * (len(storage_class) % 2)
    element = b"\x02\x00\x02\x00UI" + len(uid).to_bytes(2, "little") + uid
    length = b"\x02\x00\x00\x00UL\x04\x00" + len(element).to_bytes(4, "little")
    return b"\0" * 128 + b"DICM" + length + element


def test_other_files_in_the_folder_do_no_harm(tmp_path):
    folder = _save_series(tmp_path / "a")
    (folder / "notes.txt").write_text("nothing here")
    for name, kind in (("DICOMDIR", "1.3.10"), ("report", "5.1.4.1.1.88.11")):
        (folder / name).write_bytes(_without_voxels(f"1.2.840.10008.{kind}"))
    np.testing.assert_array_equal(read_image(folder).array, _voxels())


def test_a_missing_slice_is_found(tmp_path):
    keep = [0, 1, 3, 4]
    folder = _save_series(tmp_path / "a", _voxels()[..., keep], _positions()[keep])
    with pytest.raises(InputError, match=r"4 mm mostly and 8 mm between .*missing"):
        read_image(folder)


def test_uneven_slices_are_refused_but_rounding_is_not(tmp_path):
    positions = _positions()
    read_image(_save_series(tmp_path / "a", positions=np.round(positions, 1)))
    positions[2] += _axes()[:, 2]
    with pytest.raises(InputError, match="5 mm between"):
        read_image(_save_series(tmp_path / "b", positions=positions))
    positions = _positions()
    positions[2] += _axes()[:, 0] * 2  # sideways
    with pytest.raises(InputError, match="evenly apart"):
        read_image(_save_series(tmp_path / "c", positions=positions))


@pytest.mark.parametrize("stated", [None, [0, 0], [0.8]])
def test_pixels_of_a_size_that_isnt_stated_are_no_millimetres(tmp_path, stated):
    """GDCM takes 1 mm for them without a word."""
    folder = _save_series(tmp_path / "a")
    for path in folder.iterdir():
        slice_ = pydicom.dcmread(path)
        if stated is None:
            del slice_.PixelSpacing
        else:
            slice_.PixelSpacing = stated
        slice_.save_as(path)
    with pytest.raises(InputError, match=r"must state the spacing of its pixels"):
        read_image(folder)


def test_several_volumes_in_one_series_are_refused(tmp_path):
    voxels = np.concatenate([_voxels(), _voxels(seed=1)], axis=2)
    positions = np.concatenate([_positions(), _positions()])
    with pytest.raises(InputError, match=r"5 of 10 files lie where another"):
        read_image(_save_series(tmp_path / "a", voxels, positions))


def test_a_scout_in_the_series_is_named(tmp_path):
    folder = _save_series(tmp_path / "a")
    scout = folder / "zscout.dcm"
    _save_slice(scout, _voxels()[..., 0], [0, 0, 0], axes=_axes()[:, [1, 2, 0]])
    with pytest.raises(InputError, match=r"same size, spacing and direction.*scout"):
        read_image(folder)
    _save_slice(scout, _voxels((4, 4)), _positions()[-1] + 4 * _axes()[:, 2])
    with pytest.raises(InputError, match=r"same size, spacing and direction.*scout"):
        read_image(folder)


def test_slices_in_colours_are_a_volume_in_colours(tmp_path):
    """All are in their place; the luminance is looked at, or one of them."""
    colours = np.abs(_voxels((*SHAPE[:2], 3, SHAPE[2]))).astype(np.uint8)
    folder = _save_series(tmp_path / "a", colours)
    image = read_image(folder)
    np.testing.assert_array_equal(image.channels, np.moveaxis(colours, 3, 2))
    np.testing.assert_allclose(image.affine, _affine(_positions()), atol=1e-5)
    grey = np.moveaxis(colours, 3, 2) @ [0.299, 0.587, 0.114]
    assert np.abs(image.array - grey).max() <= 0.51
    green = read_image(folder, channel=2)
    np.testing.assert_array_equal(green.array, colours[:, :, 1])
    judge = sitk.ReadImage(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder)))
    for index in ((0, 0, 0), (5, 8, 4), (2, 7, 1)):
        assert judge[index] == tuple(image.channels[index])
    (frame,) = read_frames(folder)
    np.testing.assert_array_equal(frame.channels, image.channels)


def test_colours_among_grey_values_are_refused(tmp_path):
    folder = _save_series(tmp_path / "a")
    colours = np.abs(_voxels((*SHAPE[:2], 3))).astype(np.uint8)
    _save_slice(folder / "z.dcm", colours, _positions()[-1] + 4 * _axes()[:, 2])
    with pytest.raises(InputError, match=r"but z\.dcm is in colours and .* isn't as"):
        read_image(folder)
    wide = np.stack([colours.astype(np.uint16)] * SHAPE[2], axis=-1)
    sixteen = _save_series(tmp_path / "b", wide)
    with pytest.raises(InputError, match=r"must have files of their own and 8 bits"):
        read_image(sixteen)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: b"",
        lambda raw: raw[:100],
        lambda raw: bytes(len(raw)),
        lambda raw: raw[:-1],
        lambda raw: raw[:-50],
        lambda raw: raw.replace(b"\x28\x00\x10\x00", b"\x28\x00\x10\x01"),
        lambda raw: raw.replace(b"\x28\x00\x08\x00IS", b"\x28\x00\x08\x00UT"),
    ],
    ids=["empty", "cut early", "zeros", "one byte", "cut late", "no rows", "vr"],
)
def test_the_last_slice_is_missed_if_it_is_damaged(tmp_path, change):
    """What GDCM passes over might be a slice, and the volume then be shorter."""
    folder = _save_series(tmp_path / "a")
    last = sorted(folder.iterdir())[-1]
    raw = last.read_bytes()
    last.write_bytes(change(raw))
    if last.read_bytes() != raw:
        with pytest.raises(InputError, match=rf"such as {last.name}; copy|same size"):
            read_image(folder)


def _element(group, number, kind, value, length=None):
    head = group.to_bytes(2, "little") + number.to_bytes(2, "little") + kind
    length = len(value) if length is None else length
    if kind in (b"OW", b"SQ", b"UN", b"OB"):
        return head + bytes(2) + length.to_bytes(4, "little") + value
    return head + length.to_bytes(2, "little") + value


SYNTAX = _element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1\0")
ITEM, ITEM_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0" + bytes(4)
SEQUENCE_END = b"\xfe\xff\xdd\xe0" + bytes(4)
NAME = _element(8, 0x104, b"LO", b"name")
SIZE = _element(0x28, 0x10, b"US", b"\x04\0") + _element(0x28, 0x11, b"US", b"\x03\0")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (SIZE + _element(0x7FE0, 0x10, b"OW", bytes(24)), ""),
        (SIZE + _element(0x7FE0, 0x10, b"OW", bytes(24)) + bytes(7), ""),
        (_element(8, 0x1140, b"SQ", ITEM + b"\x0c\0\0\0" + NAME), ""),
        (
            _element(8, 0x1140, b"SQ", ITEM + b"\xff" * 4 + NAME + ITEM_END, 2**32 - 1)
            + SEQUENCE_END,
            "",
        ),
        (SIZE + _element(0x7FE0, 0x10, b"OW", bytes(20)), "claims 24 bytes of voxels"),
        (SIZE + _element(0x7FE0, 0x10, b"OW", bytes(999)), "but there are 999"),
        (_element(8, 0x103E, b"UN", b"", 4_000_000_000), "states 4000000000 bytes"),
        (_element(8, 0x1140, b"SQ", ITEM + b"\xff\0\0\0" + NAME), "states 255 bytes"),
        (
            _element(8, 0x1140, b"SQ", ITEM + b"\x0c\0\0\0" + NAME[:6] + b"\xff" * 6),
            "states 65535 bytes",
        ),
        (_element(8, 0x1140, b"SQ", NAME), "something else than items"),
        (_element(8, 0x1140, b"SQ", ITEM + b"\xff" * 4, 2**32 - 1) * 30, "deep|end"),
        (_element(8, 0x1140, b"SQ", ITEM + b"\0\0\0\0", 2**32 - 1), "doesn't end"),
    ],
)
def test_elements_end_where_they_say(tmp_path, body, said):
    path = tmp_path / "x.dcm"
    path.write_bytes(bytes(128) + b"DICM" + SYNTAX + body)
    if said:
        with pytest.raises(ValueError, match=said):
            check_elements(path)
    else:
        check_elements(path)


def test_what_is_no_file_in_the_folder_is_named(tmp_path):
    folder = _save_series(tmp_path / "a")
    (folder / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"a: .* link in it is a link to nothing"):
        read_image(folder)
    (folder / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(InputError, match=r"a: .* pipe in it is a pipe"):
        read_image(folder)


def test_a_damaged_file_is_refused(tmp_path):
    folder = _save_series(tmp_path / "a")
    for path in sorted(folder.iterdir()):  # the last slice among them
        raw = path.read_bytes()
        for keep in (len(raw) - 40, 600):
            path.write_bytes(raw[:keep])
            with pytest.raises(InputError, match=rf"such as {path.name}; copy"):
                read_image(folder)
        path.write_bytes(raw)
    np.testing.assert_array_equal(read_image(folder).array, _voxels())
