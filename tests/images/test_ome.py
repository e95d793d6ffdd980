"""OME-TIFF: channels in pages of their own, in the place that OME's metadata state."""

import sys
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from dlir_tf.errors import InputError
from dlir_tf.images import read_frames, read_image, write_image
from dlir_tf.images.pictures import reading

SIZES = {
    "PhysicalSizeX": 0.5,
    "PhysicalSizeXUnit": "µm",
    "PhysicalSizeY": 250,
    "PhysicalSizeYUnit": "nm",
}


def stains(*shape):
    return np.random.default_rng(0).integers(0, 60_000, shape).astype(np.uint16)


def save(path, array, axes, **options):
    tifffile.imwrite(path, array, metadata={"axes": axes, **SIZES}, **options)


@pytest.fixture(autouse=True)
def quietly():
    """All that is needed is stated."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize(
    ("axes", "shape"), [("CYX", (5, 7, 9)), ("CYX", (3, 7, 9)), ("ZCYX", (1, 2, 7, 9))]
)
def test_stains_come_in_their_order_and_one_is_chosen(tmp_path, axes, shape):
    array = stains(*shape)
    path = tmp_path / "a.ome.tif"
    save(path, array, axes, compression="zlib")
    planes = array.reshape(-1, 7, 9)
    image = read_image(path, channel=2)
    np.testing.assert_array_equal(image.array, planes[1].T)
    np.testing.assert_array_equal(image.channels, planes.transpose(2, 1, 0))
    np.testing.assert_allclose(image.affine, np.diag([-0.0005, -0.00025, 1]))
    with pytest.raises(InputError, match="which are no colours; choose"):
        read_image(path)  # nor are three stains
    assert read_frames(path)[0].channels.shape == image.channels.shape


def test_colours_and_grey_values(tmp_path):
    colours = (stains(7, 9, 3) >> 8).astype(np.uint8)
    save(tmp_path / "a.ome.tif", colours, "YXS", photometric="rgb")
    image = read_image(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(image.channels, colours.swapaxes(0, 1))
    grey = np.asarray(Pillow.fromarray(colours).convert("L")).astype(int)
    assert np.abs(image.array.T - grey).max() <= 1
    save(tmp_path / "b.ome.tiff", stains(7, 9), "YX")
    image = read_image(tmp_path / "b.ome.tiff")
    np.testing.assert_array_equal(image.array.T, stains(7, 9))
    assert image.channels is None


def test_what_is_only_called_so_is_a_plain_tiff(tmp_path):
    """So is what is written under such a name."""
    path = tmp_path / "a.ome.tif"
    Pillow.fromarray(stains(7, 9)).save(path, format="TIFF", dpi=(254, 254))
    image = read_image(path)
    np.testing.assert_array_equal(image.array.T, stains(7, 9))
    write_image(path, image)
    np.testing.assert_array_equal(read_image(path).array, image.array)
    np.testing.assert_allclose(read_image(path).affine, image.affine, rtol=1e-6)


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("ZYX", (4, 7, 9), r"must be one picture with channels.*Z: 4, Y: 7, X: 9"),
        ("TCYX", (3, 2, 7, 9), r"must be one picture with channels.*T: 3"),
    ],
)
def test_stacks_and_series_are_refused(tmp_path, axes, shape, message):
    save(tmp_path / "a.ome.tif", stains(*shape), axes)
    with pytest.raises(InputError, match=rf"a\.ome\.tif: {message}"):
        read_image(tmp_path / "a.ome.tif")


def test_cut_too_large_or_without_tifffile(tmp_path, monkeypatch):
    path = tmp_path / "a.ome.tif"
    save(path, stains(3, 70, 90), "CYX")
    raw = path.read_bytes()
    monkeypatch.setattr(reading, "free_memory", lambda: 1000)
    with pytest.raises(InputError, match=r"GB of memory or more"):
        read_image(path, channel=1)
    monkeypatch.undo()
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InputError, match=r"a\.ome\.tif: can't be read as an image"):
        read_image(path, channel=1)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(InputError, match=r"needs tifffile.*dlir-tf\[ome\]"):
        read_image(path)
