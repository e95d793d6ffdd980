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
from dlir_tf.images import Image, read_image, write_image
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


def test_what_programs_read_differently_is_refused():
    with pytest.raises(InputError, match="must have 8 bits each, but are uint16"):
        read_image(stored("SC_rgb_rle_16bit.dcm"))
    with pytest.raises(InputError, match="30 frames that don't state where each lies"):
        read_image(stored("examples_ybr_color.dcm"))
