"""Manifests: what is wrong with them is said once, with its line."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.images import Image, write_image
from dlir_tf.pairs.digests import data_digest
from dlir_tf.pairs.manifest import read_manifest


@pytest.fixture
def folder(tmp_path):
    """A folder with files `a` to `d` in a subfolder; a manifest opens none of them."""
    (tmp_path / "scans").mkdir()
    for name in "abcd":
        (tmp_path / "scans" / f"{name}.nii").write_text(name)
    return tmp_path


def write(folder, text):
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path


def problem(folder, text):
    with pytest.raises(InputError) as caught:
        read_manifest(write(folder, text))
    return str(caught.value)


def test_paths_are_relative_to_the_manifest_wherever_it_is_read_from(
    folder, monkeypatch
):
    monkeypatch.chdir(Path(__file__).parent)
    path = write(folder, "fixed,moving\nscans/a.nii,scans/b.nii\n")
    (pair,) = read_manifest(path)
    assert pair.fixed.read_text() == "a"
    assert pair.moving.read_text() == "b"
    assert pair.fixed_labels is None
    assert pair.place == f"{path}, line 2"


def test_absolute_paths_are_taken_as_they_are(folder):
    a, b = folder / "scans" / "a.nii", folder / "scans" / "b.nii"
    (pair,) = read_manifest(write(folder, f"moving,fixed\n{a},{b}\n"))
    assert (pair.fixed, pair.moving) == (b, a)


def test_optional_columns_may_be_empty_in_some_lines(folder):
    text = (
        "fixed,moving,fixed_labels,moving_labels,fixed_points,moving_points\n"
        "scans/a.nii,scans/b.nii,scans/c.nii,scans/d.nii,,\n"
        "scans/b.nii,scans/a.nii,,,scans/c.nii,scans/d.nii\n"
    )
    first, second = read_manifest(write(folder, text))
    assert [file.name for file in first.files] == ["a.nii", "b.nii", "c.nii", "d.nii"]
    assert first.fixed_points is None
    assert second.fixed_labels is None
    assert second.moving_points.name == "d.nii"


def test_spreadsheets_add_marks_spaces_and_blank_lines(folder):
    text = "\ufefffixed, moving\n\nscans/a.nii , scans/b.nii\n,\n\n"
    (pair,) = read_manifest(write(folder, text))
    assert pair.moving.name == "b.nii"
    assert pair.place.endswith("line 3")


def test_images_stand_for_all_ordered_pairs_of_them(folder):
    text = "image,labels\nscans/a.nii,scans/d.nii\nscans/b.nii,scans/c.nii\n"
    text += "scans/c.nii,scans/a.nii\n"
    pairs = read_manifest(write(folder, text))
    names = [pair.fixed.stem + pair.moving.stem for pair in pairs]
    assert names == ["ab", "ac", "ba", "bc", "ca", "cb"]
    assert [p.fixed_labels.stem + p.moving_labels.stem for p in pairs[:2]] == [
        "dc",
        "da",
    ]
    assert pairs[1].place.endswith("lines 2 and 4")


def test_masks_are_optional_on_either_side(folder):
    text = (
        "fixed,moving,fixed_mask,moving_mask\n"
        "scans/a.nii,scans/b.nii,scans/c.nii,\n"
        "scans/a.nii,scans/b.nii,,scans/d.nii\n"
        "scans/a.nii,scans/b.nii,,\n"
    )
    pairs = read_manifest(write(folder, text))
    masks = [(p.fixed_mask and p.fixed_mask.stem, p.moving_mask) for p in pairs]
    assert masks == [("c", None), (None, folder / "scans/d.nii"), (None, None)]
    assert [file.stem for file in pairs[1].files] == ["a", "b", "d"]


def test_masks_of_only_some_images_follow_them_to_either_side(folder):
    text = "image,mask\nscans/a.nii,scans/d.nii\nscans/b.nii,\n"
    first, second = read_manifest(write(folder, text))
    assert first.fixed_mask == second.moving_mask == folder / "scans/d.nii"
    assert first.moving_mask is second.fixed_mask is None


def test_a_missing_mask_is_named_with_its_line(folder):
    text = "fixed,moving,moving_mask\nscans/a.nii,scans/b.nii,scans/x.nii\n"
    assert "line 2: no such file" in problem(folder, text)
    text = "image,mask\nscans/a.nii,\nscans/b.nii,scans/x.nii\n"
    assert "line 3: no such file" in problem(folder, text)


def test_every_faulty_line_is_named_once(folder):
    text = (
        "fixed,moving,fixed_labels,moving_labels\n"
        "scans/a.nii,scans/x.nii,,\n"
        "scans/a.nii,scans/b.nii,,\n"
        ",scans/b.nii,,\n"
        "scans/a.nii,scans/b.nii,scans/c.nii,\n"
    )
    lines = problem(folder, text).splitlines()
    assert [line.split(": ")[0].rsplit(" ", 1)[1] for line in lines] == ["2", "4", "5"]
    assert "no such file" in lines[0]
    assert "scans/x.nii" in lines[0]
    assert "'fixed' is empty" in lines[1]
    assert "labels are given for only one" in lines[2]


def test_a_missing_image_is_named_once_for_all_its_pairs(folder):
    text = "image\nscans/a.nii\nscans/x.nii\nscans/b.nii\n"
    message = problem(folder, text)
    assert message.count("\n") == 0
    assert "line 3: no such file" in message


def test_labels_of_only_some_images(folder):
    text = "image,labels\nscans/a.nii,scans/c.nii\nscans/b.nii,\n"
    assert "line 3: labels are missing" in problem(folder, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "'fixed' is missing; the first line must name fixed,moving"),
        ("fixed,labels\na,b\n", "'moving' is missing"),
        ("fixed;moving\na;b\n", "with commas between cells, not semicolons. Received"),
        ("fixed\tmoving\na\tb\n", "with commas between cells, not tabs. Received"),
        ("fixed;moving\na;b\n", "Received: fixed;moving"),
        ("fixed,moving\n", "has no pairs"),
        ("fixed,moving\n\n\n", "has no pairs"),
        ("image\nscans/a.nii\n", "one image makes no pair"),
        ("fixed,moving,weight\na,b,1\n", "unknown column 'weight'"),
        ("image,moving\na,b\n", "unknown column 'moving'; beside 'image'"),
        ("fixed,moving,fixed\na,b,c\n", "'fixed' is there twice"),
        ("fixed,moving\na,b,c\n", "line 2: has 3 values for 2 columns"),
    ],
)
def test_faulty_manifests(folder, text, expected):
    message = problem(folder, text)
    assert expected in message
    assert "pairs.csv" in message


@pytest.mark.parametrize("closed", ["", '"'], ids=["open to the end", "closed later"])
def test_a_quote_that_is_not_closed_swallows_no_lines(folder, closed):
    text = 'fixed,moving\nscans/a.nii,"scans/b.nii\nscans/b.nii,scans/c.nii\n'
    text += f"scans/c.nii,{closed}scans/a.nii\n"
    assert "each quote closed on its line" in problem(folder, text)
    (pair,) = read_manifest(write(folder, 'fixed,moving\n"scans/a.nii","scans/b.nii"'))
    assert pair.moving.name == "b.nii"


def test_more_pairs_than_anybody_waits_for_are_refused_at_once(folder, monkeypatch):
    text = "image\n" + "scans/a.nii\n" * 2000
    message = problem(folder, text)
    assert "2000 images, which make 3998000 ordered pairs" in message
    assert "in the columns fixed,moving" in message
    monkeypatch.setattr("dlir_tf.pairs.manifest.MAX_PAIRS", 6)
    assert len(read_manifest(write(folder, "image\n" + "scans/a.nii\n" * 3))) == 6
    assert "4 images" in problem(folder, "image\n" + "scans/a.nii\n" * 4)
    text = "fixed,moving\n" + "scans/a.nii,scans/b.nii\n" * 6
    assert len(read_manifest(write(folder, text))) == 6
    assert "7 pairs; split it" in problem(folder, text + "scans/a.nii,scans/b.nii\n")


def test_what_is_no_manifest_at_all(folder):
    with pytest.raises(InputError, match=r"none\.csv: can't be read as a manifest"):
        read_manifest(folder / "none.csv")
    with pytest.raises(InputError, match="can't be read as a manifest"):
        read_manifest(folder)
    image = folder / "image.nii"
    affine = np.diag([1.5, 0.7, 3.0, 1.0])
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    write_image(image, Image(array, affine))
    with pytest.raises(InputError, match=r"image\.nii"):
        read_manifest(image)


def test_the_digest_follows_contents_and_order_but_not_names(folder):
    path = write(folder, "fixed,moving\nscans/a.nii,scans/b.nii\n")
    before = data_digest(read_manifest(path))
    renamed = folder / "scans" / "other.nii"
    renamed.write_text("a")
    path = write(folder, "fixed,moving\nscans/other.nii,scans/b.nii\n")
    assert data_digest(read_manifest(path)) == before
    path = write(folder, "fixed,moving\nscans/b.nii,scans/other.nii\n")
    assert data_digest(read_manifest(path)) != before
    renamed.write_text("A")
    path = write(folder, "fixed,moving\nscans/other.nii,scans/b.nii\n")
    assert data_digest(read_manifest(path)) != before


def test_the_digest_knows_masks_from_labels_and_fixed_from_moving(folder):
    digests = set()
    for columns in (
        "fixed_labels,moving_labels",
        "fixed_mask,moving_mask",
        "moving_mask,fixed_mask",
    ):
        text = f"fixed,moving,{columns}\n" + "scans/a.nii,scans/b.nii,scans/c.nii,"
        pairs = read_manifest(write(folder, text + "scans/d.nii\n"))
        digests.add(data_digest(pairs))
    for side in ("fixed", "moving"):
        text = f"fixed,moving,{side}_mask\nscans/a.nii,scans/b.nii,scans/c.nii\n"
        digests.add(data_digest(read_manifest(write(folder, text))))
    assert len(digests) == 5


def test_a_file_that_vanished_is_named_with_its_line(folder):
    pairs = read_manifest(write(folder, "fixed,moving\nscans/a.nii,scans/b.nii\n"))
    pairs[0].moving.unlink()
    with pytest.raises(InputError, match=r"line 2: .*b\.nii can't be read"):
        data_digest(pairs)


def warned(folder, text):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pairs = read_manifest(write(folder, text))
    return len(pairs), [str(warning.message) for warning in caught]


def test_pairs_of_one_image_are_told(folder):
    (folder / "link.nii").symlink_to(folder / "scans" / "c.nii")
    lines = ("a,b", "a,a", "b,./b", "c,../link", "c,d", "d,c", "d,d")
    text = "\n".join(
        ",".join(f"scans/{name}.nii" for name in line.split(",")) for line in lines
    )
    num_pairs, (said,) = warned(folder, f"fixed,moving\n{text}\n")
    assert num_pairs == 7  # they stay
    assert said == (
        f"{folder}/pairs.csv: in 4 pairs (line 3, line 4, line 5 and 1 more), the "
        "fixed and the moving image are the same file; its registration to itself says "
        "nothing"
    )


def test_pairs_that_are_listed_again_are_told(folder):
    header, line = "fixed,moving,fixed_mask", "scans/a.nii,scans/b.nii"
    lines = [header, line, f"{line},scans/c.nii", f"{line},scans/d.nii"]
    assert warned(folder, "\n".join(lines)) == (3, [])
    lines += ["scans/b.nii,scans/a.nii", f"{line},scans/./c.nii"]
    _, (said,) = warned(folder, "\n".join(lines))
    assert "pairs.csv: 1 pair (line 6) came before with the same files" in said
    images = "id,image\n1,scans/a.nii\n2,scans/b.nii\n3,scans/a.nii\n"
    _, (alone, again) = warned(folder, images)
    assert "in 2 pairs (lines 2 and 4, lines 4 and 2), the fixed" in alone
    assert "3 pairs (lines 3 and 4, lines 4 and 2, lines 4 and 3) came" in again


def test_folders_of_series_are_images_too(folder):
    """Of several, one by `#`; the digest follows what is inside."""
    for name in ("x", "y"):
        (folder / "ct").mkdir(exist_ok=True)
        (folder / "ct" / f"{name}.dcm").write_text(name)
    chosen = write(folder, "fixed,moving\nct,ct#3\n")
    pairs = read_manifest(chosen)
    assert pairs[0].moving == folder / "ct#3"
    digest = data_digest(pairs)
    other = read_manifest(write(folder, "fixed,moving\nct,ct#4\n"))
    assert data_digest(other) != digest
    (folder / "ct" / "x.dcm").rename(folder / "ct" / "z.dcm")
    assert data_digest(pairs) == digest
    (folder / "ct" / "y.dcm").write_text("changed")
    assert data_digest(pairs) != digest
    assert "no such file" in problem(folder, "fixed,moving\nct,mr#4\n")


def test_a_pipe_is_no_manifest(tmp_path):
    """It would be waited for, for ever."""
    os.mkfifo(tmp_path / "pairs.csv")
    with pytest.raises(InputError, match=r"pairs\.csv: can't be read .* is a pipe"):
        read_manifest(tmp_path / "pairs.csv")


def test_of_many_faults_the_first_ones_are_said(folder):
    """And how many more: nobody reads thousands of lines."""
    lines = [f"scans/a.nii,gone{number}" for number in range(5000)]
    told = problem(folder, "fixed,moving\n" + "\n".join(lines) + "\n").splitlines()
    assert len(told) == 11
    assert "gone0 " in told[0]
    assert "gone9 " in told[9]
    assert told[10].endswith("pairs.csv: and 4990 more like these")
