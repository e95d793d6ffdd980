"""Names of results, and that all of them are written or none."""

from pathlib import Path

import numpy as np
import pytest

from dlir_tf.apply import output_paths, write_results
from dlir_tf.errors import InputError
from dlir_tf.images import Image, write_image


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("out", "series", "dicom"):
        (tmp_path / name).mkdir()
    return tmp_path


def names(inputs, output, of_points=False):
    paths = [Path(name) for name in inputs]
    results = output_paths(paths, Path(output), of_points=of_points)
    assert list(results) == paths
    return [str(result) for result in results.values()]


def test_one_input_goes_to_a_file_or_into_a_folder_that_is_there(here):
    assert names(["a.nii"], "b.nrrd") == ["b.nrrd"]
    assert names(["a.nii"], "out") == ["out/a.nii"]
    assert names(["series/a.csv"], "out", of_points=True) == ["out/a.csv"]
    assert names(["a.txt"], "b.txt", of_points=True) == ["b.txt"]
    with pytest.raises(InputError, match=r"new: expected a name that ends in \.nii"):
        names(["a.nii"], "new")


def test_names_are_kept_in_a_folder_where_their_format_is_written(here):
    inputs = ["a.nii", "b.mha", "c.nii.gz", "d.img", "e.mgz", "f.1.hdr", "g.img.gz"]
    kept = ["a.nii", "b.mha", "c.nii.gz"]
    changed = ["d.nii.gz", "e.nii.gz", "f.1.nii.gz", "g.nii.gz"]
    expected = [f"new/{name}" for name in kept + changed]
    assert names(inputs, "new") == expected
    assert names(["A.NII.GZ", "B.Nrrd"], "new") == ["new/A.nii.gz", "new/B.nrrd"]
    assert names(["series", "dicom/."], "new") == [
        "new/series.nii.gz",
        "new/dicom.nii.gz",
    ]


def test_two_results_never_have_one_name(here):
    with pytest.raises(
        InputError, match=r"a\.img and a\.mgz: .* both be out/a\.nii\.gz"
    ):
        names(["a.img", "a.mgz"], "out")
    with pytest.raises(InputError, match=r"a\.nii and a\.nii: "):
        names(["a.nii", "a.nii"], "out")


def test_folders_that_cannot_be_are_refused(here):
    (here / "file").write_text("")
    (here / "out" / "a.nii").mkdir()
    for output, message in {
        "file": "several inputs need a folder",
        "new.nii.gz": "several inputs need a folder",
        "none/new": "its folder doesn't exist",
        "out": "out/a.nii: is a folder",
    }.items():
        with pytest.raises(InputError, match=message):
            names(["a.nii", "b.nii"], output)


def test_all_are_written_or_none(here):
    image = Image(np.arange(24.0).reshape(2, 3, 4), np.eye(4))
    old = here / "out" / "old.nii"
    old.write_text("old")

    def write(path):
        write_image(path, image)

    for folder in (here / "out", here / "new"):
        before = sorted(folder.rglob("*"))
        names = ("old.nii", "b.mhd", "c.xyz")
        with pytest.raises(InputError, match=rf"{folder}/c\.xyz: "):
            write_results({folder / name: write for name in names})
        assert sorted(folder.rglob("*")) == before
        assert old.read_text() == "old"
    assert not (here / "new").exists()
    write_results({here / "new" / "b.mhd": write})
    assert sorted(p.name for p in (here / "new").iterdir()) == ["b.mhd", "b.zraw"]


def test_warnings_name_the_file_that_the_user_knows(here):
    """They come while the file has another name yet."""
    sheared = np.eye(4)
    sheared[0, 1] = 0.3
    image = Image(np.arange(24.0).reshape(2, 3, 4), sheared)
    path = here / "out" / "a.nii"

    def write(draft):
        assert draft != path
        write_image(draft, image)

    with pytest.warns(UserWarning, match="the axes aren't") as caught:
        write_results({path: write})
    assert [str(one.message).split(": ")[0] for one in caught] == [str(path)]
