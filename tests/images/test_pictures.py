"""PNG, TIFF and JPEG: what they hold, and where; ITK and Pillow are the judges."""

import struct
import warnings
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from nifti_files import itk_affine
from PIL import Image as Pillow

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_image, read_labels, write_image
from dlir_tf.images.pictures import reading

SHAPE = (9, 7)  # columns, rows
PLACE = np.diag([-0.5, -0.25, 1.0])  # ITK's world is LPS
DPI = (50.8, 101.6)


def pixels(*channels, dtype=np.uint8, seed=0):
    """Rows first, as Pillow and ITK have them; no two are alike along an axis."""
    top = np.iinfo(dtype).max
    size = (*SHAPE[::-1], *channels)
    return np.random.default_rng(seed).integers(0, top, size, dtype, endpoint=True)


def as_itk(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


@pytest.fixture
def quietly():
    """Every picture of these tests says how large its pixels are."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [(), (3,), (4,)], ids=["grey", "rgb", "rgba"])
def test_a_picture_comes_back_and_is_what_itk_reads(
    tmp_path, quietly, suffix, dtype, channels
):
    stored = pixels(*channels, dtype=dtype)
    path = tmp_path / f"a{suffix}"
    array = stored.swapaxes(0, 1)
    image = Image(array[..., 0] if channels else array, PLACE, None)
    if channels:
        image = Image(image.array, PLACE, channels=array)
    write_image(path, image)
    np.testing.assert_array_equal(as_itk(path), stored)
    np.testing.assert_allclose(itk_affine(path), PLACE, rtol=1e-6)
    back = read_image(path)
    np.testing.assert_allclose(back.affine, PLACE, rtol=1e-6)
    found = back.channels if channels else back.array
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, array)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "uint32"])
def test_whole_numbers_of_tiff_keep_their_sign_and_size(tmp_path, quietly, dtype):
    """Pillow takes 8 bits with a sign for others, and 32 without for some with."""
    limits = np.iinfo(dtype)
    stored = np.linspace(limits.min, limits.max, 63).astype(dtype).reshape(7, 9)
    sitk.WriteImage(sitk.GetImageFromArray(stored), str(tmp_path / "itk.tif"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the resolution
        image = read_image(tmp_path / "itk.tif")
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(image.array, stored.T)
    write_image(tmp_path / "ours.tif", Image(image.array, PLACE))
    assert as_itk(tmp_path / "ours.tif").dtype == dtype
    np.testing.assert_array_equal(as_itk(tmp_path / "ours.tif"), stored)
    np.testing.assert_allclose(itk_affine(tmp_path / "ours.tif"), PLACE, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_0_is_black_whatever_a_tiff_file_has_it_mean(tmp_path, quietly, dtype):
    stored = pixels(dtype=dtype)
    path = tmp_path / "a.tif"
    write_image(path, Image(stored.T, PLACE))
    raw, black = path.read_bytes(), struct.pack("<HHIHH", 262, 3, 1, 1, 0)
    assert raw.count(black) == 1
    path.write_bytes(raw.replace(black, struct.pack("<HHIHH", 262, 3, 1, 0, 0)))
    found = read_image(path).array
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.iinfo(dtype).max - stored.T)


def test_a_pixel_lies_where_itk_says(tmp_path, quietly):
    write_image(tmp_path / "a.png", Image(pixels().T, PLACE))
    image = read_image(tmp_path / "a.png")
    point = sitk.ReadImage(str(tmp_path / "a.png")).TransformIndexToPhysicalPoint(
        (4, 6)
    )
    assert tuple(-image.grid.to_world([4.0, 6.0])) == pytest.approx(point)
    assert image.array[4, 6] == pixels()[6, 4]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {"dpi": (254, 127)}),
        ("a.tif", {"dpi": (254, 127)}),
        ("b.tif", {"x_resolution": 100, "y_resolution": 50, "resolution_unit": "cm"}),
    ],
)
def test_the_resolution_is_what_itk_makes_of_it(tmp_path, quietly, name, options):
    Pillow.fromarray(pixels()).save(tmp_path / name, **options)
    affine = read_image(tmp_path / name).affine
    np.testing.assert_allclose(affine, np.diag([-0.1, -0.2, 1]), rtol=1e-6)
    np.testing.assert_allclose(affine, itk_affine(tmp_path / name), rtol=1e-6)


def test_what_png_states_and_itk_does_not_read_is_said(tmp_path):
    Pillow.fromarray(pixels()).save(tmp_path / "a.png", dpi=(254, 127))
    with pytest.warns(UserWarning, match=r"a\.png: 0\.1 mm .*ITK .* takes 1 mm"):
        affine = read_image(tmp_path / "a.png").affine
    np.testing.assert_allclose(affine, np.diag([-0.1, -0.2, 1]), rtol=1e-4)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "unit.tif"])
def test_without_a_resolution_it_is_1_mm_with_a_word(tmp_path, name):
    options = {}
    if name == "unit.tif":
        options = {"x_resolution": 9, "y_resolution": 9, "resolution_unit": 1}
    Pillow.fromarray(pixels()).save(tmp_path / name, **options)
    with pytest.warns(UserWarning, match=f"{name}: states no resolution"):
        affine = read_image(tmp_path / name).affine
    np.testing.assert_array_equal(affine, np.diag([-1.0, -1, 1]))


def test_jpeg_is_nearly_what_was_written_and_says_so(tmp_path):
    smooth = np.add.outer(np.arange(9) * 20, np.arange(7) * 8).astype(np.uint8)
    colours = np.stack([smooth, smooth[::-1], 255 - smooth], -1)
    image = Image(smooth, PLACE, channels=colours)
    with pytest.warns(UserWarning, match=r"a\.jpg: JPEG changes values a little"):
        write_image(tmp_path / "a.jpg", image)
    back = read_image(tmp_path / "a.jpg")
    assert np.abs(back.channels.astype(float) - colours).max() < 25
    np.testing.assert_allclose(back.affine, PLACE, rtol=5e-3)
    np.testing.assert_allclose(itk_affine(tmp_path / "a.jpg"), back.affine)


def test_black_and_white_and_palettes_are_what_itk_makes_of_them(tmp_path):
    colours = Pillow.fromarray(pixels(3))
    colours.convert("1").save(tmp_path / "one.png")
    colours.convert("P").save(tmp_path / "palette.png")
    with pytest.warns(UserWarning, match="no resolution"):
        one, palette = (read_image(tmp_path / f"{n}.png") for n in ("one", "palette"))
    assert set(np.unique(one.array)) == {0, 255}
    np.testing.assert_array_equal(one.array.T, as_itk(tmp_path / "one.png"))
    found = palette.channels.swapaxes(0, 1)
    np.testing.assert_array_equal(found, as_itk(tmp_path / "palette.png"))
    with (
        pytest.warns(UserWarning, match="no resolution"),
        pytest.raises(InputError, match=r"palette\.png: labels must be one number"),
    ):
        read_labels(tmp_path / "palette.png")


def png(rows, depth, colour_type, clear):
    """A PNG file, from the rows' bytes, by the format's definition."""
    kinds = [
        (b"IHDR", struct.pack(">IIBBBBB", *SHAPE, depth, colour_type, 0, 0, 0)),
        (b"sCAL", b"\x010.5\x000.25"),
        (b"tRNS", np.asarray(clear, ">u2").tobytes()),
        (b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in kinds
    )


@pytest.mark.parametrize("depth", [1, 4, 8, 16])
@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "rgb"])
def test_one_value_that_is_transparent_is_a_channel_as_in_itk(
    tmp_path, quietly, depth, channels
):
    if channels and depth < 8:
        return  # the format has none
    values = pixels(*channels, dtype=np.uint16) >> (16 - depth)
    clear = values[2, 4]
    if depth < 8:
        bits = (values[..., None] >> np.arange(depth)[::-1]) & 1
        rows = np.packbits(bits.reshape(SHAPE[1], -1), axis=1)
    else:
        rows = values.astype(">u1" if depth == 8 else ">u2")
        rows = [row.tobytes() for row in rows]
    path = tmp_path / "a.png"
    path.write_bytes(png(rows, depth, 2 if channels else 0, clear))
    if channels:
        expected = as_itk(path)
    else:  # SimpleITK has no grey values with opacity
        top = 65535 if depth == 16 else 255
        grey = values * np.uint16(top // (2**depth - 1))
        expected = np.stack([grey, (values != clear) * np.uint16(top)], axis=-1)
        expected = expected.astype(np.uint16 if depth == 16 else np.uint8)
    assert set(np.unique(expected[..., -1])) == {0, 65535 if depth == 16 else 255}
    image = read_image(path, channel=1)
    found = image.channels.swapaxes(0, 1)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    if channels:
        write_image(tmp_path / "b.png", image)
        np.testing.assert_array_equal(as_itk(tmp_path / "b.png"), expected)


def test_what_exif_alone_says_of_the_resolution_is_taken_with_a_word(tmp_path):
    exif = Pillow.Exif()
    exif[282], exif[283], exif[296] = 20.0, 40.0, 3  # pixels per cm
    Pillow.fromarray(pixels()).save(tmp_path / "a.jpg", exif=exif)
    raw = bytearray((tmp_path / "a.jpg").read_bytes())
    raw[13] = 0  # JFIF: an aspect alone
    (tmp_path / "a.jpg").write_bytes(raw)
    with pytest.warns(UserWarning, match=r"a\.jpg: 0\.5 mm was taken .* \(EXIF\)"):
        image = read_image(tmp_path / "a.jpg")
    np.testing.assert_allclose(image.spacing, (0.5, 0.25))
    exif[282] = 0.0
    Pillow.fromarray(pixels()).save(tmp_path / "b.jpg", exif=exif)
    raw = bytearray((tmp_path / "b.jpg").read_bytes())
    raw[13] = 0
    (tmp_path / "b.jpg").write_bytes(raw)
    with pytest.warns(UserWarning, match=r"b\.jpg: states no resolution"):
        assert read_image(tmp_path / "b.jpg").spacing == (1.0, 1.0)


def test_exif_turns_nothing_as_in_itk(tmp_path):
    exif = Pillow.Exif()
    exif[274] = 6
    for name in ("a.jpg", "a.tif"):
        Pillow.fromarray(pixels()).save(tmp_path / name, exif=exif, dpi=DPI)
    with pytest.warns(UserWarning, match=r"a\.jpg: EXIF says that it's to be turned"):
        image = read_image(tmp_path / "a.jpg")
    np.testing.assert_array_equal(image.array.T, as_itk(tmp_path / "a.jpg"))
    with pytest.raises(InputError, match=r"a\.tif: must be stored upright"):
        read_image(tmp_path / "a.tif")


def _cut(path):
    Pillow.fromarray(pixels(3, seed=1)).resize((90, 70)).save(path)
    path.write_bytes(path.read_bytes()[:-400])


def _cmyk(path):
    Pillow.fromarray(pixels(3)).convert("CMYK").save(path)


def _pages(path):
    first, second = (Pillow.fromarray(pixels(seed=seed)) for seed in (1, 2))
    first.save(path, save_all=True, append_images=[second])


def _another_format(path):
    Pillow.fromarray(pixels()).save(path, format="BMP")


def _five_channels(path):
    array = pixels(5)
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=True), str(path))


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.png", _cut, "can't be read as an image"),
        ("a.tif", _cut, "can't be read as an image"),
        ("a.jpg", _cut, "can't be read as an image"),
        ("a.jpg", _cmyk, "must be of grey values, RGB or RGBA, but is CMYK"),
        ("a.tif", _cmyk, "must be of grey values, RGB or RGBA, but is CMYK"),
        ("a.tif", _pages, r"must be one picture, but has 2 pages"),
        ("a.png", _pages, r"must be one picture, but has 2 pages"),
        ("a.png", _another_format, "can't be read as an image"),
        ("a.tif", _five_channels, "RGB or RGBA, but has 5 channels"),
        ("a.png", lambda path: path.write_bytes(b""), "can't be read as an image"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(InputError, match=rf"a\.\w+: .*{message}") as caught:
        read_image(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_picture_that_memory_cannot_hold_is_not_decoded(tmp_path, monkeypatch):
    Pillow.fromarray(pixels()).save(tmp_path / "a.png")
    raw = bytearray((tmp_path / "a.png").read_bytes())
    raw[16:24] = (60_000).to_bytes(4, "big") * 2
    raw[29:33] = zlib.crc32(bytes(raw[12:29])).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(raw)
    monkeypatch.setattr(reading, "free_memory", lambda: 10**9)
    with pytest.raises(InputError, match=r"60000×60000 pixels, .* 43\.2 GB"):
        read_image(tmp_path / "a.png")


def test_what_a_picture_cannot_hold_is_refused_or_said(tmp_path):
    grey = Image(pixels().T, PLACE)
    with pytest.raises(InputError, match=r"a\.png: a picture holds 2-d images"):
        write_image(tmp_path / "a.png", Image(np.zeros((4, 5, 3), np.uint8), np.eye(4)))
    with pytest.raises(InputError, match=r"whole numbers of 8 or 16 bits.*float32"):
        write_image(tmp_path / "a.png", grey.with_array(grey.array / np.float32(2)))
    big = grey.with_array(grey.array.astype(np.int16) * 100)
    with pytest.raises(InputError, match=r"whole numbers of 8 bits.*int16, from"):
        write_image(tmp_path / "a.jpg", big)
    array = pixels(5).swapaxes(0, 1)
    five = Image(array[..., 0], PLACE, channels=array)
    with pytest.raises(InputError, match=r"can't hold 5 channels"):
        write_image(tmp_path / "a.png", five)
    assert list(tmp_path.iterdir()) == []
    elsewhere = Image(grey.array, np.array([[0, -0.5, 3], [0.5, 0, 4], [0, 0, 1]]))
    with pytest.warns(UserWarning, match=r"a\.png: .*place in the world is lost"):
        write_image(tmp_path / "a.png", elsewhere)


def test_labels_keep_their_numbers(tmp_path, quietly):
    labels = pixels().astype(np.int64).T * 100
    write_image(tmp_path / "a.png", Image(labels, PLACE))
    back = read_labels(tmp_path / "a.png")
    assert back.array.dtype == np.uint16
    np.testing.assert_array_equal(back.array, labels)


def test_one_slice_in_space_becomes_a_picture(tmp_path, quietly):
    affine = np.diag([-0.5, -0.25, 3.0, 1.0])
    write_image(tmp_path / "a.tif", Image(pixels().T[..., None], affine))
    np.testing.assert_array_equal(as_itk(tmp_path / "a.tif"), pixels())
