"""Links are written through, and what is no file is left alone."""

import os
import stat
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from dlir_tf.errors import InputError, WriteError
from dlir_tf.files import replacing, write_together
from dlir_tf.images import Image, read_image, write_image

OTHER_DISK = Path("/dev", "shm")


def _names(folder):
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture
def away(tmp_path):
    """A folder elsewhere, on another disk if there is one."""
    if not os.access(OTHER_DISK, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=OTHER_DISK) as folder:
        yield Path(folder)


@pytest.mark.parametrize("is_there", [True, False])
def test_what_a_link_leads_to_is_written(tmp_path, away, is_there):
    here = tmp_path / "here"
    here.mkdir()
    (here / "a.txt").symlink_to(here / "b.txt")
    (here / "b.txt").symlink_to(away / "c")
    if is_there:
        (away / "c").write_text("old")
    with replacing(here / "a.txt") as unfinished:
        assert unfinished.name == "a.txt"  # the suffix says the format
        unfinished.write_text("new")
    assert (away / "c").read_text() == (here / "a.txt").read_text() == "new"
    assert (here / "a.txt").is_symlink()
    assert (here / "b.txt").is_symlink()
    assert (_names(here), _names(away)) == (["a.txt", "b.txt"], ["c"])


def test_links_are_written_together_with_others_or_not_at_all(tmp_path, away):
    here = tmp_path / "here"
    here.mkdir()
    (here / "a.txt").symlink_to(away / "c")
    (away / "c").write_text("old")
    (here / "d.txt").mkdir()
    writers = {
        here / name: lambda path: path.write_text("new")
        for name in ("b.txt", "a.txt", "d.txt")
    }
    with pytest.raises(WriteError, match=r"d\.txt: .*it is a folder"):
        write_together(writers)
    assert ((away / "c").read_text(), _names(away)) == ("old", ["c"])
    assert _names(here) == ["a.txt", "d.txt"]
    (here / "d.txt").rmdir()
    write_together(writers)
    assert (away / "c").read_text() == "new"
    assert (_names(here), _names(away)) == (["a.txt", "b.txt", "d.txt"], ["c"])


def test_voxels_of_a_header_that_is_a_link_lie_beside_the_link(tmp_path):
    """Whoever opens the link looks for them there."""
    (tmp_path / "data").mkdir()
    (tmp_path / "a.mhd").symlink_to("data/b.mhd")
    voxels = np.random.default_rng(0).integers(0, 9, (5, 4, 3)).astype(np.int16)
    write_image(tmp_path / "a.mhd", Image(voxels, np.eye(4)))
    assert _names(tmp_path / "data") == ["b.mhd"]
    np.testing.assert_array_equal(read_image(tmp_path / "a.mhd").array, voxels)
    (tmp_path / "a.nii").symlink_to("data/object")
    write_image(tmp_path / "a.nii", Image(voxels, np.eye(4)))
    found = nib.load(tmp_path / "a.nii").get_fdata()
    np.testing.assert_array_equal(found, voxels)
    assert (tmp_path / "a.nii").is_symlink()


def test_a_link_to_where_nothing_can_be_is_refused(tmp_path):
    (tmp_path / "a.txt").symlink_to("none/b.txt")
    with (
        pytest.raises(WriteError, match=r"none/b\.txt: .* folder doesn't exist"),
        replacing(tmp_path / "a.txt") as unfinished,
    ):
        unfinished.write_text("new")
    assert _names(tmp_path) == ["a.txt"]


def test_pipes_and_devices_stay_what_they_are(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    (tmp_path / "circle").symlink_to("circle")
    for name, problem in {
        "pipe": "is a pipe",
        "link": "is a device",
        "circle": "is a link that leads in a circle",
    }.items():
        with (
            pytest.raises(InputError, match=f"{name}: {problem}; choose the name"),
            replacing(tmp_path / name) as unfinished,
        ):
            unfinished.write_text("new")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert _names(tmp_path) == ["circle", "link", "pipe"]
