"""Files of many frames and mosaics, made with pydicom.

dcm2niix 1.0.20260724 gives the same voxels in the same places for all that is read
here, to 2e-6 voxels, but for frames with scales of their own, of which it takes one.
"""

import gzip
import io
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import (
    affine,
    axes,
    dataset,
    enhanced,
    group,
    item,
    mosaic,
    positions,
    save,
    save_slices,
    volume,
)
from PIL import Image as Picture
from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from dlir_tf.errors import InputError
from dlir_tf.images import read_frames, read_image

SHAPE = (12, 10, 5)
SERIES = np.stack([volume(SHAPE, seed) for seed in range(3)], axis=-1)
SHUFFLED = [(k, t) for k in (3, 0, 4, 1, 2) for t in (1, 2, 0)]
ONE_SHUFFLED = [(k, 0) for k in (3, 0, 4, 1, 2)]


def saved(tmp_path, made, name="all.dcm"):
    save(made, tmp_path / name)
    return tmp_path / name


def stacked(frames):
    np.testing.assert_allclose(frames[0].affine, affine(), atol=1e-4)
    return np.stack([frame.array for frame in frames], axis=-1)


def test_a_file_of_frames_is_a_volume(tmp_path):
    path = saved(tmp_path, enhanced(SERIES[..., 0], order=ONE_SHUFFLED))
    for given in (path, tmp_path):
        image = read_image(given)
        assert image.array.dtype == np.int16
        np.testing.assert_array_equal(image.array, SERIES[..., 0])
        np.testing.assert_allclose(image.affine, affine(), atol=1e-4)


def test_what_simpleitk_writes_is_read_as_it_reads_it(tmp_path):
    """In one file, implicit: with an orientation and origin of its own."""
    written = sitk.GetImageFromArray(SERIES[..., 0].T)
    written.SetSpacing((1.5, 0.8, 4))
    written.SetOrigin((-31, 12.5, 70))
    written.SetDirection(axes().ravel().tolist())
    written.SetMetaData("0008|0060", "MR")
    sitk.WriteImage(written, str(tmp_path / "all.dcm"))
    image = read_image(tmp_path / "all.dcm")
    np.testing.assert_array_equal(image.array, SERIES[..., 0])
    np.testing.assert_allclose(image.affine, affine(), atol=1e-4)


@pytest.mark.parametrize(
    ("say", "key", "order"),
    [
        (
            lambda k, t: {"FrameContentSequence": group(TemporalPositionIndex=3 - t)},
            "temporal position",
            [2, 1, 0],
        ),
        (
            lambda k, t: {"MRDiffusionSequence": group(DiffusionBValue=500.0 * t)},
            "b-value",
            [0, 1, 2],
        ),
        (
            lambda k, t: {"MREchoSequence": group(EffectiveEchoTime=9.5 - t)},
            "echo time",
            [2, 1, 0],
        ),
        (
            lambda k, t: {
                "CardiacSynchronizationSequence": group(
                    NominalCardiacTriggerDelayTime=20.0 * (t + 1) % 60 + k
                )
            },
            "trigger time",
            [2, 0, 1],
        ),
    ],
)
def test_frames_make_volumes_in_order(tmp_path, say, key, order):
    path = saved(tmp_path, enhanced(SERIES, say, order=SHUFFLED))
    with pytest.warns(UserWarning, match=rf"3 volumes of 5 slices .* by {key}$"):
        frames = read_frames(path)
    np.testing.assert_array_equal(stacked(frames), SERIES[..., order])
    timed = (20.0, "msec") if key == "trigger time" else (0.0, "unknown")
    assert (frames.time_step, frames.time_unit) == timed


def test_dimensions_put_frames_in_order(tmp_path):
    """b-values alone don't tell directions apart, but their dimensions do."""

    def say(k, t):
        content = group(DimensionIndexValues=[k + 1, 2, 3 - t])
        diffusion = group(DiffusionBValue=700.0)
        return {"FrameContentSequence": content, "MRDiffusionSequence": diffusion}

    made = enhanced(SERIES, say, order=SHUFFLED)
    pointers = (0x00209057, 0x00189087, 0x00189089)
    made.DimensionIndexSequence = Sequence(
        [item(DimensionIndexPointer=pointer) for pointer in pointers]
    )
    with pytest.warns(UserWarning, match="by place along its dimensions"):
        frames = read_frames(saved(tmp_path, made))
    np.testing.assert_array_equal(stacked(frames), SERIES[..., ::-1])


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [
        (lambda k, t: (1, -1024), np.int16),
        (lambda k, t: (100, 7), np.int32),
        (lambda k, t: (0.25, 0.5), np.float32),
        (lambda k, t: (1 + k, 3 * k), np.float32),
    ],
)
def test_every_frame_has_its_scale(tmp_path, scale, dtype):
    image = read_image(saved(tmp_path, enhanced(SERIES[..., 0], scale=scale)))
    scales = np.array([scale(k, 0) for k in range(5)])
    assert image.array.dtype == dtype
    np.testing.assert_array_equal(
        image.array, SERIES[..., 0] * scales[:, 0] + scales[:, 1]
    )


def j2k(plane):
    stream = io.BytesIO()
    picture = Picture.fromarray(np.ascontiguousarray(plane.T))
    picture.save(stream, "JPEG2000", irreversible=False, no_jp2=True)
    return stream.getvalue()


def jpeg(plane):
    stream = io.BytesIO()
    Picture.fromarray(np.ascontiguousarray(plane.T)).save(stream, "JPEG", quality=100)
    return stream.getvalue()


def pack(made, frames, syntax, encode):
    """Packs the frames of a file, by a program that isn't GDCM."""
    if encode is None:
        made.compress(syntax, generate_instance_uid=False)
        return
    made.PixelData = encapsulate([encode(plane) for plane in frames])
    made.file_meta.TransferSyntaxUID = syntax
    made["PixelData"].is_undefined_length = True


@pytest.mark.parametrize(
    ("syntax", "encode", "dtype", "within"),
    [
        (JPEG2000Lossless, j2k, np.uint16, 0),
        (RLELossless, None, np.int16, 0),
        (JPEGBaseline8Bit, jpeg, np.uint8, 2),
    ],
)
def test_packed_voxels_are_unpacked(tmp_path, syntax, encode, dtype, within):
    voxels = (SERIES[..., 0] % 256 if dtype == np.uint8 else SERIES[..., 0]) // 1
    if dtype == np.uint8:  # what a lossy packing keeps is smooth
        voxels = np.add.outer(np.arange(12) * 9, np.arange(10) * 11)[..., None]
        voxels = voxels + np.arange(5)
    voxels = voxels.astype(dtype)
    made = enhanced(voxels)
    pack(made, np.moveaxis(voxels, 2, 0), syntax, encode)
    image = read_image(saved(tmp_path, made))
    assert np.abs(image.array - voxels.astype(int)).max() <= within

    folder = save_slices(tmp_path / "slices", voxels)
    for k, path in enumerate(sorted(folder.iterdir())):
        made = dataset(voxels[..., k])
        pack(made, [voxels[..., k]], syntax, encode)
        made.ImagePositionPatient = [f"{x:.6f}" for x in positions(5)[k]]
        made.ImageOrientationPatient = [f"{x:.8f}" for x in axes().T[:2].ravel()]
        made.PixelSpacing = ["0.8", "1.5"]
        save(made, path)
    image = read_image(folder)
    assert np.abs(image.array - voxels.astype(int)).max() <= within
    np.testing.assert_allclose(image.affine, affine(), atol=1e-4)


@pytest.mark.parametrize("packed", ["RLE", "jp2klossless", "jpeg_ls_lossless"])
def test_a_scanners_slice_is_unpacked(tmp_path, packed):
    """A slice that comes with pydicom, packed by others, is as pydicom reads it."""
    plain = get_testdata_file("MR_small.dcm", download=False)
    path = get_testdata_file(f"MR_small_{packed}.dcm", download=False)
    if plain is None or path is None:
        pytest.skip("this pydicom comes without its files for tests")
    (tmp_path / "slice.dcm").write_bytes(Path(path).read_bytes())
    image = read_image(tmp_path)
    expected = dcmread(plain).pixel_array
    np.testing.assert_array_equal(image.array[..., 0], expected.T)


def test_lossless_jpeg_is_unpacked(tmp_path):
    """As most archives pack it; no other program here writes it than GDCM."""
    plane = sitk.GetImageFromArray(np.ascontiguousarray(SERIES[:, :, :1, 0].T))
    plane.SetMetaData("0008|0060", "CT")
    plane.SetMetaData("0020|0032", "1\\2\\3")
    plane.SetMetaData("0020|0037", "1\\0\\0\\0\\1\\0")
    writer = sitk.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.SetFileName(str(tmp_path / "x.dcm"))
    writer.Execute(plane)
    syntax = dcmread(tmp_path / "x.dcm").file_meta.TransferSyntaxUID
    assert syntax == "1.2.840.10008.1.2.4.70"
    np.testing.assert_array_equal(read_image(tmp_path).array, SERIES[:, :, :1, 0])


def test_implicit_elements_are_read_and_big_endian_ones_refused(tmp_path):
    made = enhanced(SERIES[..., 0], scale=lambda k, t: (2, 1))
    made.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    image = read_image(saved(tmp_path, made))
    np.testing.assert_array_equal(image.array, 2 * SERIES[..., 0] + 1)
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dcmwrite(
        tmp_path / "all.dcm",
        made,
        implicit_vr=False,
        little_endian=False,
        force_encoding=True,
    )
    with pytest.raises(InputError, match="big-endian"):
        read_image(tmp_path / "all.dcm")


def without(made, name):
    for frame in made.PerFrameFunctionalGroupsSequence[1:2]:
        delattr(frame, name)
    return made


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (dataset(SERIES[..., 0]), "5 frames that don't state where each lies.*as PNG"),
        (
            without(enhanced(SERIES[..., 0]), "PlanePositionSequence"),
            "but frame 2 doesn't",
        ),
        (
            enhanced(SERIES[..., 0], order=[(k, 0) for k in (0, 1, 3, 4)]),
            "evenly apart.*between frame 2 of all.dcm and frame 3",
        ),
        (
            enhanced(
                SERIES,
                lambda k, t: {
                    "FrameContentSequence": group(TemporalPositionIndex=t + 1),
                    "MRImageFrameTypeSequence": group(
                        FrameType=["ORIGINAL", "PRIMARY", "MPP"[t], "NONE"]
                    ),
                },
            ),
            "images of one kind, but holds M, P",
        ),
    ],
)
def test_frames_that_make_no_volume_are_refused(tmp_path, made, said):
    with pytest.raises(InputError, match=said):
        read_image(saved(tmp_path, made))


def test_a_count_of_frames_that_is_wrong(tmp_path):
    made = enhanced(SERIES[..., 0])
    del made.PerFrameFunctionalGroupsSequence[4]
    with pytest.raises(InputError, match="each of its 5 frames, but describes 4"):
        read_image(saved(tmp_path, made))


def test_frames_in_files_of_their_own_are_a_series(tmp_path):
    """Newer scanners write each slice, or each volume, as an enhanced file."""
    for k in (2, 0, 3, 1):
        made = enhanced(SERIES[..., 0], order=[(k, 0)])
        save(made, tmp_path / f"{k}.dcm")
    image = read_image(tmp_path)
    np.testing.assert_array_equal(image.array, SERIES[:, :, :4, 0])
    np.testing.assert_allclose(image.affine, affine(), atol=1e-4)
    folder = tmp_path / "volumes"
    folder.mkdir()
    for t in (1, 2, 0):
        made = enhanced(SERIES[..., t : t + 1])
        made.InstanceNumber = 9 - t
        save(made, folder / f"{t}.dcm")
    with pytest.warns(UserWarning, match="3 volumes .* by instance number"):
        frames = read_frames(folder)
    np.testing.assert_array_equal(stacked(frames), SERIES[..., ::-1])


@pytest.mark.parametrize("name", ["siemens_dwi_1000", "philips_mprage"])
def test_files_of_scanners_lie_where_nibabel_lays_them(tmp_path, name):
    """A mosaic and an enhanced file, with empty voxels, of nibabel's own tests."""
    packed = Path(nib.__file__).parent / "nicom" / "tests" / "data" / f"{name}.dcm.gz"
    if not packed.is_file():
        pytest.skip("this nibabel comes without its files for tests")
    path = tmp_path / f"{name}.dcm"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nibabel.nicom.dicomwrappers import wrapper_from_file

        judge = wrapper_from_file(path)
    (image,) = read_frames(path)
    assert image.shape == judge.image_shape[:3]
    there = np.linalg.inv(np.diag([-1, -1, 1, 1]) @ judge.affine) @ image.affine
    index = np.indices(image.shape).reshape(3, -1)[:, [0, -1]]
    place = (there @ np.vstack([index, np.ones(index.shape[1])]))[:3]
    nearest = np.rint(place).astype(int)
    np.testing.assert_allclose(place, nearest, atol=2e-3)
    assert nearest.min() == 0
    np.testing.assert_array_equal(nearest.max(axis=1) + 1, image.shape)


@pytest.mark.parametrize("side", [1, -1])
def test_a_mosaic_is_a_volume(tmp_path, side):
    """Its slices go on to the side that Siemens' own header says."""
    made = mosaic(SERIES[..., 0], side * axes()[:, 2])
    image = read_image(saved(tmp_path, made))
    np.testing.assert_array_equal(image.array, SERIES[:, :, ::side, 0])
    expected = affine()
    if side < 0:
        expected[:3, 3] -= 4 * expected[:3, 2]
    np.testing.assert_allclose(image.affine, expected, atol=1e-4)


def test_mosaics_make_a_series(tmp_path):
    for t in (2, 0, 1):
        made = mosaic(SERIES[..., t], axes()[:, 2], InstanceNumber=str(t + 1))
        saved(tmp_path, made, f"{9 - t}.dcm")
    with pytest.warns(UserWarning, match="3 volumes .* by instance number"):
        frames = read_frames(tmp_path)
    np.testing.assert_array_equal(stacked(frames), SERIES)
    assert (frames.time_step, frames.time_unit) == (2000.0, "msec")


def test_a_mosaic_that_was_cropped_is_refused(tmp_path):
    made = mosaic(SERIES[..., 0], axes()[:, 2])
    made.Columns, made.Rows = 35, 31
    made.PixelData = bytes(2 * 35 * 31)
    with pytest.raises(InputError, match="5 slices, 3 in a row, which can't be of one"):
        read_image(saved(tmp_path, made))


def test_a_mosaic_without_its_header_is_refused(tmp_path):
    made = mosaic(SERIES[..., 0], axes()[:, 2], with_csa=False)
    with pytest.raises(InputError, match="is a mosaic of slices, but doesn't say how"):
        read_image(saved(tmp_path, made))
