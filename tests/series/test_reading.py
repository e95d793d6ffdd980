"""Series from one file, from a DICOM folder with phases, and from many files."""

import numpy as np
import pytest
from dicom_files import save_slices, volume

from dlir_tf.errors import InputError
from dlir_tf.images import Image, write_frames, write_image
from dlir_tf.series.reading import read_series

GRID = np.diag([2.0, 2.0, 4.0, 1.0])


def frames(number=3, shape=(6, 5, 4)):
    """Images with noise."""
    rng = np.random.default_rng(1)
    return [
        Image(rng.integers(0, 99, shape).astype(np.int16), GRID) for _ in range(number)
    ]


def test_a_dicom_folder_with_phases_is_a_series(tmp_path):
    voxels = volume((12, 10, 3, 4))
    folder = save_slices(
        tmp_path / "cine",
        voxels,
        lambda k, t: {"TemporalPositionIdentifier": t + 1, "TemporalResolution": "45"},
    )
    with pytest.warns(UserWarning, match="ordered by temporal position"):
        found = read_series([folder])
    assert len(found) == 4
    assert found[2].shape == (12, 10, 3)
    assert (found.time_step, found.time_unit) == (45.0, "msec")
    assert not np.array_equal(found[1].array, found[2].array)


def test_a_slice_that_is_missing_in_one_phase_is_named(tmp_path):
    folder = save_slices(
        tmp_path / "cine",
        volume((12, 10, 3, 4)),
        lambda k, t: {"TemporalPositionIdentifier": t + 1},
    )
    sorted(folder.iterdir())[5].unlink()
    with pytest.raises(InputError, match="cine"):
        read_series([folder])


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_a_file_and_its_frames_are_the_same_series(tmp_path, suffix):
    images = frames()
    write_frames(tmp_path / f"all{suffix}", images, time_step=2.0, time_unit="sec")
    names = [tmp_path / f"{n}{suffix}" for n in range(3)]
    for name, image in zip(names, images, strict=True):
        write_image(name, image)
    whole, parts = read_series([tmp_path / f"all{suffix}"]), read_series(names)
    for one, other, image in zip(whole, parts, images, strict=True):
        assert np.array_equal(one.array, image.array)
        assert np.array_equal(other.array, image.array)
        assert one.grid.same_as(other.grid)
    assert (whole.time_step, parts.time_step) == (2.0, 0.0)


def test_frames_on_other_grids_are_named(tmp_path):
    first, second = frames(2)
    write_image(tmp_path / "a.nii.gz", first)
    write_image(tmp_path / "b.nii.gz", Image(second.array[..., :3], GRID))
    write_image(tmp_path / "c.nii.gz", Image(second.array, GRID * [1, 1, 1.02, 1]))
    names = [tmp_path / f"{name}.nii.gz" for name in "abc"]
    with pytest.raises(InputError, match=r"b.nii.gz: all frames.*\(6, 5, 3\)"):
        read_series(names[:2])
    with pytest.raises(InputError, match=r"c.nii.gz: all frames.*0.24 mm away"):
        read_series([names[0], names[2]])
    with pytest.raises(InputError, match=r"a.nii.gz: must have at least two frames"):
        read_series(names[:1])


@pytest.mark.parametrize(
    ("asked", "looked_at"),
    [
        ({"channel": 2}, 1),
        ({"usual_channel": 3}, 2),
        ({"channel": 1, "usual_channel": 3}, 0),
    ],
)
def test_a_channel_of_coloured_frames_is_what_is_looked_at(tmp_path, asked, looked_at):
    rng, names = np.random.default_rng(2), []
    colours = rng.integers(0, 255, (2, 9, 7, 3)).astype(np.uint8)
    for number, one in enumerate(colours):
        names.append(tmp_path / f"{number}.mha")
        write_image(names[-1], Image(one[..., 0], np.eye(3), None, one))
    found = read_series(names, **asked)
    for frame, one in zip(found, colours, strict=True):
        assert np.array_equal(frame.array, one[..., looked_at])
        assert np.array_equal(frame.channels, one)


def test_a_channel_of_grey_frames_is_refused_but_a_model_may_have_one(tmp_path):
    write_frames(tmp_path / "grey.nii.gz", frames())
    with pytest.raises(InputError, match=r"channel 2 .* no frame of .*grey.nii.gz has"):
        read_series([tmp_path / "grey.nii.gz"], channel=2)
    assert len(read_series([tmp_path / "grey.nii.gz"], usual_channel=2)) == 3
