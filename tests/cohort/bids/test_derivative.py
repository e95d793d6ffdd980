"""A cohort as a BIDS derivative: which files there are, and what is said of them.

The grammar is written down here anew, after the specification and its schema; the
official validator and pybids agreed when this was written.
"""

import json
import re
import shutil

import numpy as np
import pytest
from cohort_desk import contents, registered, rows
from shifting_model import write_pairs

from dlir_tf.cohort.bids import dataset
from dlir_tf.errors import InputError
from dlir_tf.images import read_image, read_labels
from dlir_tf.transforms import read_transform

LABEL = "[0-9a-zA-Z+]+"
# The entities that come up here, in the order of the specification's table.
ENTITIES = "".join(
    rf"(_{key}-{LABEL})?"
    for key in ("ses", "acq", "run", "space", "seg", "label", "from", "to", "mode")
)
GRAMMAR = re.compile(rf"sub-{LABEL}{ENTITIES}(_desc-{LABEL})?_[0-9a-zA-Z]+\.[a-z0-9.]+")
# What the specification has no suffix for; validators are told to leave it alone.
IGNORED = re.compile(r"_(xfm|pair|report|thumbnail|points|page)\.")


def write_dataset(here, *pairs, extras=True):
    """A raw dataset in BIDS, and a manifest of pairs of its images.

    Args:
        here: Where; the dataset is in `raw`.
        pairs: The names of the fixed and the moving image of each, without the folder
            and the ending.
        extras: Whether they have labels, landmarks and masks.
    """
    write_pairs(here / "in", len(pairs), extras=extras)
    lines = (here / "in" / "pairs.csv").read_text().splitlines()
    (here / "raw").mkdir(exist_ok=True)
    (here / "raw" / "dataset_description.json").write_text('{"Name": "a study"}')
    for number, names in enumerate(pairs):
        for side, name in zip(("fixed", "moving"), names, strict=True):
            stem, _, suffix = name.rpartition("_")
            for old, new in (
                (".nii.gz", f"{name}.nii.gz"),
                ("_labels.nii.gz", f"{stem}_seg-balls_dseg.nii.gz"),
                ("_mask.nii.gz", f"{stem}_desc-brain_mask.nii.gz"),
                (".csv", f"{stem}_{suffix}points.csv"),
            ):
                folder = (
                    here / "raw" / "/".join(re.findall(r"(?:sub|ses)-\w+?(?=_)", new))
                )
                path = folder / "anat" / new
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(here / "in" / f"{side}{number}{old}", path)
                cell = f"{side}{number}{old}"
                lines[number + 1] = ",".join(
                    f"../{path.relative_to(here)}" if each == cell else each
                    for each in lines[number + 1].split(",")
                )
    (here / "in" / "pairs.csv").write_text("\n".join(lines) + "\n")


ONE = ("sub-01_ses-1_T1w", "sub-01_ses-2_run-1_T1w")
FOLDER = "sub-01/ses-2/anat"
START = "sub-01_ses-2_run-1"


def names(here):
    """All files of the derivative, but what is in its top folder."""
    out = here / "out"
    return {path.relative_to(out).as_posix() for path in out.glob("*/**/*.*")}


def told(here, name):
    return json.loads((here / "out" / FOLDER / f"{START}_{name}").read_text())


def test_files_are_named_after_the_moving_image_and_the_fixed_ones_space(here):
    write_dataset(here, ONE)
    results = registered(bids=True)
    assert {one.problem for one in results.values()} == {""}
    stems = {
        "space-ses1T1w_desc-registered_T1w.nii.gz",
        "space-ses1T1w_desc-registered_T1w.json",
        "space-ses1T1w_seg-balls_desc-registered_dseg.nii.gz",
        "space-ses1T1w_seg-balls_desc-registered_dseg.json",
        "space-ses1T1w_desc-brain_mask.nii.gz",
        "space-ses1T1w_desc-brain_mask.json",
        "from-T1w_to-ses1T1w_mode-image_xfm.h5",
        "from-T1w_to-ses1T1w_mode-image_xfm.json",
        "from-ses1T1w_to-T1w_desc-mapped_points.csv",
        "from-T1w_to-ses1T1w_report.json",
        "from-T1w_to-ses1T1w_thumbnail.png",
        "from-T1w_to-ses1T1w_pair.json",
    }
    assert names(here) == {f"{FOLDER}/{START}_{stem}" for stem in stems}


def test_files_hold_what_their_names_say(here):
    write_dataset(here, ONE)
    registered(bids=True)
    folder = here / "out" / FOLDER
    raw = here / "raw" / "sub-01" / "ses-1" / "anat"
    fixed = read_image(raw / "sub-01_ses-1_T1w.nii.gz").array
    moved = read_image(folder / f"{START}_space-ses1T1w_desc-registered_T1w.nii.gz")
    np.testing.assert_allclose(moved.array[1:-2], fixed[1:-2], atol=1e-6)
    name = f"{START}_space-ses1T1w_seg-balls_desc-registered_dseg.nii.gz"
    expected = read_labels(raw / "sub-01_ses-1_seg-balls_dseg.nii.gz").array
    np.testing.assert_array_equal(read_labels(folder / name).array, expected)
    # As ITK stores it: from points of TO, where voxels are asked for, to those of FROM.
    forth = read_transform(folder / f"{START}_from-T1w_to-ses1T1w_mode-image_xfm.h5")
    np.testing.assert_allclose(forth.map_points([[20.0, 18.0]]), [[22.0, 18.0]])


def test_every_name_keeps_the_grammar_and_has_a_sidecar(here):
    write_dataset(here, ONE, ("sub-02_acq-a_T1w", "sub-02_acq-a_run-2_T2w"))
    files = {"moved": "m.nii.gz", "transform": "t.h5", "inverse": "i.npz"}
    files |= {"moved_mask": "m.nii", "displacement": "d.nii.gz", "page": "p.html"}
    registered(bids=True, files=files)
    found = names(here)
    for path in found:
        name = path.rpartition("/")[2]
        assert GRAMMAR.fullmatch(name), name
        entities = dict(part.split("-") for part in name.split("_")[:-1])
        expected = f"sub-{entities['sub']}/"
        expected += f"ses-{entities['ses']}/" if "ses" in entities else ""
        assert path == f"{expected}anat/{name}"
    images = {path for path in found if re.search(r"\.(nii|nii\.gz|h5|npz)$", path)}
    assert len(images) == 2 * 5
    for path in images:
        assert f"{path.partition('.')[0]}.json" in found
    lines = (here / "out" / ".bidsignore").read_text().splitlines()
    ignored = {line.strip("*").partition(".")[0] for line in lines}
    for path in found:
        suffix = path.partition(".")[0].rpartition("_")[2]
        assert (f"_{suffix}" in ignored) == (suffix not in ("T1w", "T2w", "mask"))


def test_lines_that_others_ignore_stay_in_any_encoding(tmp_path):
    theirs = b"extra/\n*_gr\xfcn.txt\n"  # Latin-1
    (tmp_path / ".bidsignore").write_bytes(theirs)
    dataset.write_dataset(tmp_path, [])
    ignored = (tmp_path / ".bidsignore").read_bytes()
    assert ignored.startswith(theirs)
    assert b"summary.csv" in ignored


def test_sidecars_and_the_description_say_where_all_comes_from(here):
    write_dataset(here, ONE)
    moving = here / "raw" / FOLDER / f"{START}_T1w.json"
    moving.write_text('{"SkullStripped": true, "EchoTime": 0.1, "SliceTiming": [1]}')
    registered(bids=True)
    fixed_uri = "bids:raw:sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"
    moving_uri = f"bids:raw:{FOLDER}/{START}_T1w.nii.gz"
    transform = f"bids::{FOLDER}/{START}_from-T1w_to-ses1T1w_mode-image_xfm.h5"
    moved = told(here, "space-ses1T1w_desc-registered_T1w.json")
    assert moved.pop("Description")
    assert moved == {
        "Sources": [moving_uri, fixed_uri, transform],
        "SpatialReference": fixed_uri,
        "SkullStripped": True,
        "EchoTime": 0.1,
    }
    mask = told(here, "space-ses1T1w_desc-brain_mask.json")
    assert (mask["Type"], mask["SpatialReference"]) == ("Brain", fixed_uri)
    description = json.loads((here / "out" / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "dlir-tf"
    assert description["DatasetLinks"] == {"raw": "../raw"}


def test_the_tables_find_the_files(here):
    write_dataset(here, ONE, extras=False)
    registered(bids=True, files={"moved": "moved.nii.gz", "thumbnail": "t.png"})
    (row,) = rows(here)
    assert row["folder"] == FOLDER
    assert (here / "out" / row["moved"]).is_file()
    index = (here / "out" / "index.html").read_text("utf-8")
    (picture,) = re.findall(r'<img src="([^"]+)"', index)
    assert (here / "out" / picture).is_file()


def test_it_goes_on_and_what_is_called_otherwise_goes(here):
    write_dataset(here, ONE, ("sub-01_ses-1_T1w", "sub-01_ses-2_run-2_T1w"))
    first = registered(bids=True)
    before = contents(here / "out" / FOLDER)
    assert not any(result.is_new for result in registered(bids=True).values())
    image = here / "out" / FOLDER / f"{START}_space-ses1T1w_desc-registered_T1w.nii.gz"
    image.unlink()
    again = registered(bids=True)
    assert {name: result.is_new for name, result in again.items()} == {
        "p0": True,
        "p1": False,
    }
    assert contents(here / "out" / FOLDER) == before
    files = {"moved": "moved.nii", "report": "report.json"}
    results = registered(bids=True, files=files)
    assert {result.again for result in results.values()} == {"other settings (files)"}
    assert not image.exists()
    assert len(names(here)) == 2 * 4
    assert len(first) == 2


def test_what_a_killed_process_left_in_a_folder_of_several_pairs_goes(here):
    write_dataset(here, ONE, ("sub-01_ses-1_T1w", "sub-01_ses-2_run-2_T1w"))
    registered(bids=True)
    left = here / "out" / FOLDER / ".unfinished-abc" / "0"
    left.mkdir(parents=True)
    (left / f"{START}_T1w.nii.gz").write_bytes(b"half of it")
    results = registered(bids=True)
    assert not any(result.is_new for result in results.values())
    assert not left.exists()


def test_names_never_collide_and_stay_the_same(here):
    pairs = [
        ONE,
        ONE,
        ("sub-01_ses-1_T1w", "sub-01_ses-2_run-1_desc-a_T1w"),
        ("sub-01_ses-1_desc-b_T1w", "sub-01_ses-2_run-1_T1w"),
        ("sub-02_T1w", "sub-03_T1w"),
        ("sub-04_T1w", "sub-03_T1w"),
    ]
    write_dataset(here, *pairs)
    results = registered(bids=True)
    assert {one.problem for one in results.values()} == {""}
    moved = [row["moved"] for row in rows(here)]
    assert len({name.casefold() for name in moved}) == len(pairs)
    assert moved[-2:] == [
        f"sub-03/anat/sub-03_space-sub{number}T1w_desc-registered_T1w.nii.gz"
        for number in ("02", "04")
    ]
    records = {path for path in names(here) if path.endswith("_pair.json")}
    assert len(records) == len(pairs)
    assert not any(result.is_new for result in registered(bids=True).values())


def test_a_template_is_laid_onto_a_subject_under_the_subjects_name(here):
    write_dataset(here, ("sub-01_T1w", "sub-02_T1w"), extras=False)
    image = here / "raw" / "sub-02" / "anat" / "sub-02_T1w.nii.gz"
    image.rename(here / "tpl-MNI152Lin_res-01_T1w.nii.gz")
    manifest = here / "in" / "pairs.csv"
    text = manifest.read_text().replace(
        "raw/sub-02/anat/sub-02_T", "tpl-MNI152Lin_res-01_T"
    )
    manifest.write_text(text)
    registered(bids=True, files={"moved": "m.nii.gz", "inverse": "i.h5"})
    assert {path for path in names(here) if not path.endswith(".json")} == {
        "sub-01/anat/sub-01_space-T1w_desc-MNI152Lin_T1w.nii.gz",
        "sub-01/anat/sub-01_from-T1w_to-MNI152Lin_mode-image_xfm.h5",
    }


def test_what_can_not_be_is_said_at_once(here):
    write_pairs(here / "in", 2)
    with pytest.raises(InputError) as caught:
        registered(bids=True)
    assert str(caught.value).startswith(
        "in/pairs.csv, line 2: in/fixed0.nii.gz: has no name of BIDS, such as sub-01"
    )
    assert "\n" not in str(caught.value)
    write_dataset(here, ONE)
    for name, message in (
        (
            "moved.mha",
            r"--moved moved\.mha: with --bids, .* end in \.nii\.gz or \.nii;",
        ),
        ("0GenericAffine.mat", r"--transform .*Affine\.mat: with --bids, .* \.h5"),
    ):
        role = "moved" if name.startswith("moved") else "transform"
        files = {"moved": "moved.nii.gz"} | {role: name}
        with pytest.raises(InputError, match=message):
            registered(bids=True, files=files)
    (here / "out").mkdir()
    (here / "out" / "dataset_description.json").write_text('{"Name": "raw"}')
    with pytest.raises(
        InputError, match=r"out: is a dataset already.*derivatives/dlir"
    ):
        registered(bids=True)
    assert [path.name for path in (here / "out").iterdir()] == [
        "dataset_description.json"
    ]


def test_what_others_wrote_under_such_a_name_is_left_alone(here):
    write_dataset(here, ONE, extras=False)
    folder = here / "out" / FOLDER
    folder.mkdir(parents=True)
    (folder / f"{START}_desc-preproc_T1w.nii.gz").write_text("not in the way")
    image = folder / f"{START}_space-ses1T1w_desc-registered_T1w.nii.gz"
    image.write_text("mine")
    (result,) = registered(bids=True).values()
    assert "has sub-01_ses-2_run-1_space-ses1T1w_desc-reg" in result.problem
    assert image.read_text() == "mine"
    image.unlink()
    (result,) = registered(bids=True).values()
    assert result.problem == ""
