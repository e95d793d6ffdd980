"""`dlir-tf register --pairs` as a user meets it."""

import csv

import pytest
from register_desk import PAIR

from dlir_tf.cli import main
from dlir_tf.transforms import read_transform

MANY = ("register", "--pairs", "pairs.csv", "--output", "many")


@pytest.fixture
def manifest(here):
    """Two pairs of the images that are here, and the wrong one in between."""
    lines = ["fixed,moving", "fixed.nii.gz,moving.nii.gz", "fixed.nii.gz,no.nii.gz"]
    (here / "no.nii.gz").write_bytes(b"no image")
    (here / "pairs.csv").write_text("\n".join([*lines, "moving.nii.gz,fixed.nii.gz"]))
    return here


def ended(*arguments):
    """Runs a command; returns its exit code."""
    try:
        main(list(arguments))
    except SystemExit as stop:
        return stop.code or 0
    return 0


def test_every_pair_is_registered_as_the_single_command_does(manifest, capsys):
    options = ("--all-stages", "--model", "model", "--displacement", "field.nii.gz")
    assert ended(*MANY, *options) == 1
    printed = capsys.readouterr()
    assert printed.out == "many/summary.csv\n"
    assert "3 of 3 pairs\nVerdicts: " in printed.err
    assert "Error: 1 of 3 pairs couldn't be registered; the others are in many" in (
        printed.err
    )
    assert "pairs.csv, line 3: no.nii.gz: " in printed.err
    with open("many/summary.csv", newline="") as stream:
        found = list(csv.DictReader(stream))
    names = ["moving_to_fixed", "no_to_fixed", "fixed_to_moving"]
    assert [row["id"] for row in found] == [row["folder"] for row in found] == names
    assert found[1]["verdict"] == "ERROR"
    main([*PAIR, "--transform", "out/t.h5", "--displacement", "out/field.nii.gz"])
    folder = manifest / "many" / "moving_to_fixed"
    for name in ("moved.nii.gz", "field.nii.gz"):
        assert (folder / name).read_bytes() == (manifest / "out" / name).read_bytes()
    points = [[-40.0, 10.0, 75.0], [-35.0, 5.0, 90.0]]
    by_both = [
        read_transform(p).map_points(points)
        for p in ("out/t.h5", folder / "transform.h5")
    ]
    assert (by_both[0] == by_both[1]).all()

    capsys.readouterr()
    (manifest / "pairs.csv").write_text("fixed,moving\nfixed.nii.gz,moving.nii.gz\n")
    assert ended(*MANY, *options, "--transform", "none", "--strict") in (0, 3)
    printed = capsys.readouterr()
    assert "moving_to_fixed: registered again, other settings (files)" in printed.err
    written = {path.name for path in folder.iterdir()}
    usual = {"moved.nii.gz", "report.json", "pair.json", "thumbnail.png"}
    assert written == {"field.nii.gz", *usual}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("fixed.nii.gz",), "can't be given with --pairs, whose manifest lists them"),
        (("--labels", "labels.nii.gz"), "--labels: can't be given with --pairs"),
        (("--fixed-mask", "m.nii.gz"), "--fixed-mask: can't be given with --pairs"),
        (("--transform", "out/t.h5"), "--transform: must be the name of a file"),
        (("--transform", "moved.nii.gz"), "is an input or another output already"),
        (("--report", "r.txt"), "r.txt: expected a name that ends in .json"),
        (("--points-weight", "1"), "is for --go-by points, which isn't given"),
        (("--go-by", "labels"), "no pair of the manifest has labels"),
        (("--model", "model", "--stiffness", "2"), "its refinement, which isn't asked"),
        (("--model", "model", "--preset", "rigid"), "exclude each other"),
        (("--bids",), "line 2: fixed.nii.gz: has no name of BIDS, such as sub-01_T1w"),
        (("--bids", "--moved", "m.mha"), "--moved m.mha: with --bids, such a file"),
        (("--without-initial",), "is for --initial-transform, which isn't given"),
    ],
)
def test_what_can_not_be_is_refused_in_one_sentence(manifest, capsys, options, message):
    assert ended(*MANY, *options) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert not list(manifest.glob("many/*"))


def test_options_for_many_pairs_need_them(here, capsys):
    assert ended(*PAIR, "--jobs", "2") == 1
    assert capsys.readouterr().err == (
        "Error: --jobs: is for --pairs, which isn't given\n"
    )
    assert ended(*PAIR, "--bids") == 1
    assert "--bids: is for --pairs, which isn't given" in capsys.readouterr().err
    assert ended("register", "--output", "moved.nii.gz") == 2
    assert "Missing argument 'FIXED'; give two images, or --pairs" in (
        capsys.readouterr().err
    )


def test_an_id_that_is_there_twice_is_named_with_both_lines(here, capsys):
    pair = "fixed.nii.gz,moving.nii.gz"
    lines = ["id,fixed,moving", f"a,{pair}", f"b,{pair}", f"a,{pair}", f",{pair}"]
    (here / "pairs.csv").write_text("\n".join(lines))
    assert ended(*MANY) == 1
    assert capsys.readouterr().err.splitlines() == [
        "Error: pairs.csv, line 4: has the id 'a', as line 2 has; give every line a "
        "name of its own",
        "pairs.csv, line 5: the column 'id' is empty; give every line a name",
    ]
