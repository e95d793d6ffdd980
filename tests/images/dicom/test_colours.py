"""Pictures in DICOM files: pydicom's own files, as pydicom decodes them."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels import apply_color_lut, pixel_array
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage
from scipy import ndimage

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_frames, read_image, write_frames, write_image
from dlir_tf.registration import register

# RGB as it is and by RLE, JPEG and JPEG-2000; YBR at full and at half resolution.
FILES = (
    "ExplVR_BigEnd.dcm",
    "SC_rgb_rle.dcm",
    "SC_jpeg_no_color_transform.dcm",
    "SC_rgb_gdcm_KY.dcm",
    "SC_rgb_dcmtk_+eb+cy+n1.dcm",
    "SC_rgb_dcmtk_+eb+cy+np.dcm",
    "SC_ybr_full_422_uncompressed.dcm",
)


def stored(name):
    """The path of one of pydicom's files, which come with it."""
    return Path(get_testdata_file(name, download=False))


def quietly(path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_image(path, **options)


def ultrasound(path, colours, *regions):
    """Writes a file of one frame, `(rows, columns, 3)`, with regions of a size."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = UltrasoundImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    whole = FileDataset(path, {}, file_meta=meta, preamble=bytes(128))
    whole.SOPClassUID = meta.MediaStorageSOPClassUID
    whole.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    whole.Modality, whole.PhotometricInterpretation = "US", "RGB"
    whole.Rows, whole.Columns, whole.SamplesPerPixel = colours.shape
    whole.PlanarConfiguration = whole.PixelRepresentation = 0
    whole.BitsAllocated = whole.BitsStored = 8
    whole.HighBit = 7
    whole.PixelData = colours.tobytes()
    whole.SequenceOfUltrasoundRegions = []
    for units, width, height in regions:
        region = Dataset()
        region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection = units
        region.PhysicalDeltaX, region.PhysicalDeltaY = width, height
        whole.SequenceOfUltrasoundRegions.append(region)
    whole.save_as(path, enforce_file_format=True)


def cine(path, colours, step=None, places=False):
    """Writes a file of frames in colours, `(frames, rows, columns, 3)`."""
    ultrasound(path, np.ascontiguousarray(colours[0]), ((3, 3), 0.02, 0.03))
    whole = pydicom.dcmread(path)
    whole.NumberOfFrames, whole.PixelData = len(colours), colours.tobytes()
    if step is not None:
        whole.FrameTime = step
    if places:
        whole.SharedFunctionalGroupsSequence = [Dataset()]
        whole.PerFrameFunctionalGroupsSequence = [Dataset() for _ in colours]
    whole.save_as(path)


def test_a_cine_in_colours_is_a_series_of_pictures(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (4, 7, 9, 3), np.uint8)
    cine(tmp_path / "a.dcm", colours, step=33.3)
    frames = read_frames(tmp_path / "a.dcm")
    assert (len(frames), frames.time_step, frames.time_unit) == (4, 33.3, "msec")
    decoded = pixel_array(pydicom.dcmread(tmp_path / "a.dcm"))
    for frame, expected in zip(frames, decoded, strict=True):
        np.testing.assert_array_equal(frame.channels[:, :, 0].swapaxes(0, 1), expected)
        grey = expected.astype(float) @ [0.299, 0.587, 0.114]
        assert np.abs(frame.array[..., 0].T - grey).max() <= 0.51
    assert frames[0].spacing[:2] == pytest.approx((0.2, 0.3))
    blue = read_frames(tmp_path / "a.dcm", channel=3)
    np.testing.assert_array_equal(blue[2].array[..., 0].T, colours[2, ..., 2])
    with pytest.raises(InputError, match="4 volumes or channels"):
        read_image(tmp_path / "a.dcm")
    with pytest.warns(UserWarning, match=r"b\.nii: a series has no colours"):
        write_frames(tmp_path / "b.nii", frames)
    np.testing.assert_array_equal(read_frames(tmp_path / "b.nii")[3].array[..., 0],
                                  frames[3].array[..., 0])  # fmt: skip


def test_a_scanners_cine_in_colours_is_what_pydicom_finds():
    """JPEG, YBR at half resolution."""
    frames = read_frames(stored("examples_ybr_color.dcm"))
    decoded = pixel_array(pydicom.dcmread(stored("examples_ybr_color.dcm")))
    assert (len(frames), frames.time_step) == (30, 33.333)
    for number in (0, 17, 29):
        found = frames[number].channels[:, :, 0].swapaxes(0, 1)
        np.testing.assert_array_equal(found, decoded[number])


@pytest.mark.parametrize("step", [None, 0, -3, "x"])
def test_a_cine_that_states_no_time_has_none(tmp_path, step):
    colours = np.random.default_rng(0).integers(0, 255, (2, 7, 9, 3), np.uint8)
    cine(tmp_path / "a.dcm", colours, step=None if step == "x" else step)
    if step == "x":
        cine(tmp_path / "a.dcm", colours, step=7777)
        raw = (tmp_path / "a.dcm").read_bytes()
        (tmp_path / "a.dcm").write_bytes(raw.replace(b"7777", b"abcd"))
    frames = read_frames(tmp_path / "a.dcm")
    assert (frames.time_step, frames.time_unit) == (0.0, "unknown")


def test_frames_in_colours_that_say_where_they_lie_are_refused(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (2, 7, 9, 3), np.uint8)
    cine(tmp_path / "a.dcm", colours, places=True)
    with pytest.raises(InputError, match=r"a\.dcm"):
        read_frames(tmp_path / "a.dcm")


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("num_frames", [1, 3])
def test_colours_of_16_bits_are_what_pydicom_finds(tmp_path, planar, num_frames):
    shape = (num_frames, 7, 9, 3)
    colours = np.random.default_rng(0).integers(0, 65535, shape, np.uint16)
    cine(tmp_path / "a.dcm", colours.astype(np.uint8))
    whole = pydicom.dcmread(tmp_path / "a.dcm")
    whole.BitsAllocated = whole.BitsStored = 16
    whole.HighBit, whole.PlanarConfiguration = 15, planar
    stored = np.moveaxis(colours, -1, 1) if planar else colours
    whole.PixelData = stored.tobytes()
    whole.save_as(tmp_path / "a.dcm")
    decoded = pixel_array(pydicom.dcmread(tmp_path / "a.dcm")).reshape(shape)
    np.testing.assert_array_equal(decoded, colours)
    frames = read_frames(tmp_path / "a.dcm")
    for frame, expected in zip(frames, decoded, strict=True):
        found = frame.channels.reshape(9, 7, 3).swapaxes(0, 1)
        np.testing.assert_array_equal(found, expected)
    if num_frames == 1:
        assert read_image(tmp_path / "a.dcm").channels.dtype == np.uint16


@pytest.mark.parametrize("end", [".dcm", "_2frame.dcm"])
def test_packed_colours_of_16_bits_are_refused(end):
    """GDCM takes their bytes in another order than pydicom."""
    with pytest.raises(InputError, match="or 16 and not be packed"):
        read_frames(stored(f"SC_rgb_rle_16bit{end}"))


@pytest.mark.parametrize("name", FILES)
def test_colours_are_what_pydicom_finds(name):
    image = quietly(stored(name))
    expected = pixel_array(pydicom.dcmread(stored(name)))
    np.testing.assert_array_equal(image.channels.swapaxes(0, 1), expected)
    grey = expected.astype(float) @ [0.299, 0.587, 0.114]
    assert np.abs(image.array.T - grey).max() <= 0.51
    green = quietly(stored(name), channel=2)
    np.testing.assert_array_equal(green.array.T, expected[..., 1])


def test_a_palette_becomes_its_colours():
    data = pydicom.dcmread(stored("examples_palette.dcm"))
    expected = apply_color_lut(data.pixel_array, data) >> 8
    image = quietly(stored("examples_palette.dcm"))
    np.testing.assert_array_equal(image.channels.swapaxes(0, 1), expected)
    region = data.SequenceOfUltrasoundRegions[0]
    deltas = region.PhysicalDeltaX, region.PhysicalDeltaY
    np.testing.assert_allclose(image.spacing, np.multiply(10, deltas), rtol=1e-6)


def test_the_place_is_that_of_pictures(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (7, 9, 3), np.uint8)
    data = pydicom.dcmread(stored("SC_rgb_small_odd.dcm"))
    assert data.PixelSpacing[0] == pytest.approx(33.333333)
    image = read_image(stored("SC_rgb_small_odd.dcm"))
    np.testing.assert_allclose(image.affine, np.diag([-33.333333, -33.333333, 1]))
    ultrasound(tmp_path / "a.dcm", colours, ((3, 3), 0.02, 0.03), ((4, 0), 1.0, 1.0))
    found = read_image(tmp_path / "a.dcm").affine
    np.testing.assert_allclose(found, np.diag([-0.2, -0.3, 1.0]))
    ultrasound(tmp_path / "b.dcm", colours, ((3, 3), 0.02, 0.03), ((3, 3), 0.1, 0.1))
    with pytest.warns(UserWarning, match=r"b\.dcm: states no resolution"):
        assert read_image(tmp_path / "b.dcm").spacing == (1, 1)


def test_a_known_motion_of_an_ultrasound_picture_comes_back(tmp_path, make_config):
    """Onto a DICOM file goes a PNG; all colours move."""
    noise = np.random.default_rng(2).normal(size=(60, 70, 3))
    smooth = ndimage.gaussian_filter(noise, (4, 4, 0))
    smooth = (smooth - smooth.min((0, 1))) / np.ptp(smooth, (0, 1))
    whole = np.rint(255 * smooth).astype(np.uint8)
    ultrasound(tmp_path / "f.dcm", np.ascontiguousarray(whole[6:54, 8:64]),
               ((3, 3), 0.05, 0.05))  # fmt: skip
    moving = whole[4:52, 11:67].swapaxes(0, 1)
    place = np.diag([-0.5, -0.5, 1])
    write_image(tmp_path / "m.png", Image(moving[..., 0], place, channels=moving))
    pair = read_image(tmp_path / "f.dcm"), read_image(tmp_path / "m.png")
    result = register(*pair, config=make_config("affine"), refine=60)
    points = -0.5 * np.array([[20.0, 20], [30, 25], [25, 30]])
    moved = (result.transform.map_points(points) - points) / -0.5
    np.testing.assert_allclose(moved, np.tile([-3.0, 2.0], (3, 1)), atol=0.25)
    inside = np.s_[8:-8, 8:-8]
    apart = result.moved.channels.astype(int) - pair[0].channels
    assert np.abs(apart)[inside].max() <= 8
