"""`register_pairs`: what is written, what goes on, what is done again."""

import json
import os
import shutil

import numpy as np
import pytest
from cohort_desk import act, contents, registered, rows, undisturbed
from shifting_model import load, write_pairs

import dlir_tf
from dlir_tf.cohort import register_pairs
from dlir_tf.errors import InputError
from dlir_tf.images import read_image, read_labels, read_points, write_image

FILES = {
    "moved.nii.gz",
    "pair.json",
    "report.json",
    "thumbnail.png",
    "transform.h5",
}
EXTRAS = {"moved_labels.nii.gz", "moved_mask.nii.gz", "mapped_points.csv"}


def test_every_pair_has_a_folder_and_a_row(here):
    write_pairs(here / "in", 3, extras=True)
    results = registered()
    assert (here / "loads").read_text().count("\n") == 1
    assert {r.verdict for r in results.values()} == {"PASS"}
    assert {p.name for p in (here / "out").iterdir()} == {
        "index.html",
        "p0",
        "p1",
        "p2",
        "summary.csv",
    }
    for row in rows(here):
        folder = here / "out" / row["folder"]
        assert {path.name for path in folder.iterdir()} == FILES | EXTRAS
        number = row["id"][1]
        fixed = read_image(f"in/fixed{number}.nii.gz").array
        moved = read_image(folder / "moved.nii.gz").array
        np.testing.assert_allclose(moved[1:-2], fixed[1:-2], atol=1e-6)
        labels = read_labels(folder / "moved_labels.nii.gz").array
        expected = read_labels(f"in/fixed{number}_labels.nii.gz").array
        np.testing.assert_array_equal(labels, expected)
        mask = read_image(folder / "moved_mask.nii.gz").array
        expected = read_image(f"in/fixed{number}_mask.nii.gz").array
        np.testing.assert_array_equal(mask, expected)
        points = read_points(folder / "mapped_points.csv")
        np.testing.assert_allclose(points, read_points(f"in/moving{number}.csv"))
        assert "apex" in (folder / "mapped_points.csv").read_text()
        assert row["verdict"] == "PASS"
        assert float(row["similarity_after"]) > float(row["similarity_before"])
        assert float(row["dice_before_3"]) < float(row["dice_after_3"]) == 1
        assert float(row["landmark_error_before"]) == pytest.approx(2)
        assert float(row["landmark_error_after"]) == pytest.approx(0, abs=1e-9)
        assert float(row["folded_percent"]) == 0
        assert float(row["seconds"]) > 0


def test_what_is_whole_is_not_done_again(here):
    write_pairs(here / "in", 3)
    registered()
    before = {p: p.stat().st_mtime_ns for p in (here / "out").glob("p*/*")}
    again = registered()
    assert not any(result.is_new for result in again.values())
    assert {p: p.stat().st_mtime_ns for p in (here / "out").glob("p*/*")} == before
    assert [row["verdict"] for row in rows(here)] == ["PASS"] * 3
    assert (here / "loads").read_text().count("\n") == 1


def test_what_is_to_be_said_of_files_is_said_at_once_and_later(here):
    write_pairs(here / "in", 1)
    files = {"moved": "moved.nii.gz", "inverse": "inverse.nii.gz"}
    (first,) = registered(files=files).values()
    (again,) = registered(files=files).values()
    assert first.is_new
    assert not again.is_new
    assert first.notes == again.notes
    assert any("inverse.nii.gz" in note for note in first.notes)


def test_an_input_that_changed_is_noticed_and_one_that_was_only_touched_is_not(here):
    write_pairs(here / "in", 3)
    registered()
    image = read_image("in/moving1.nii.gz")
    write_image("in/moving1.nii.gz", image.with_array(image.array * np.float32(0.9)))
    os.utime("in/moving2.nii.gz")
    results = registered()
    assert [r.is_new for _, r in sorted(results.items())] == [False, True, False]
    assert results["p1"].again.endswith("moving1.nii.gz has changed")


def test_a_file_that_went_or_shrank_is_written_again(here):
    write_pairs(here / "in", 3)
    before = {n: contents(r.folder) for n, r in registered().items()}
    (here / "out" / "p0" / "moved.nii.gz").unlink()
    with (here / "out" / "p2" / "transform.h5").open("r+b") as stream:
        stream.truncate(100)
    results = registered()
    assert [r.is_new for _, r in sorted(results.items())] == [True, False, True]
    assert {n: contents(r.folder) for n, r in results.items()} == before


def test_a_record_without_an_image_is_none(here):
    write_pairs(here / "in", 2)
    registered()
    path = here / "out" / "p0" / "pair.json"
    record = json.loads(path.read_text("utf-8"))
    del record["inputs"]["fixed"]
    path.write_text(json.dumps(record), "utf-8")
    results = registered()
    assert "wasn't written by such a run" in results["p0"].problem
    assert results["p1"].verdict == "PASS"


def test_other_settings_are_noticed_and_old_files_go(here):
    write_pairs(here / "in", 2)
    files = {"moved": "moved.mha", "report": "report.json"}
    registered(files=files | {"jacobian": "jacobian.nii.gz"})
    results = registered(files=files)
    assert all(result.again == "other settings (files)" for result in results.values())
    names = {path.name for path in (here / "out" / "p0").iterdir()}
    assert names == {"moved.mha", "report.json", "pair.json"}
    results = registered(files=files, stiffness=1.0, fill_value=0.5)
    assert results["p1"].again == "other settings (fill value)"


def test_every_pair_has_a_page_if_one_is_named(here):
    write_pairs(here / "in", 1, extras=True)
    files = {"moved": "moved.nii.gz", "page": "look.html"}
    registered(files=files)
    assert 'href="p0/look.html"' in (here / "out" / "index.html").read_text("utf-8")
    html = (here / "out" / "p0" / "look.html").read_text("utf-8")
    assert "<h1>p0</h1>" in html
    assert 'id="volume-moved_labels"' in html


def test_pairs_that_fail_have_their_sentence_and_are_tried_again(here):
    write_pairs(here / "in", 4)
    act(here, p2="fail")
    (here / "in" / "moving1.nii.gz").write_bytes(b"no image")
    results = registered()
    verdicts = [r.verdict for _, r in sorted(results.items())]
    assert verdicts == ["PASS", "ERROR", "ERROR", "PASS"]
    assert results["p1"].problem.startswith("in/pairs.csv, line 3: in/moving1.nii.gz")
    assert "the sky has fallen" in results["p2"].problem
    assert [row["problem"] for row in rows(here)][2] == results["p2"].problem
    assert sorted(p.name for p in (here / "out").iterdir()) == [
        "index.html",
        "p0",
        "p3",
        "summary.csv",
    ]
    index = (here / "out" / "index.html").read_text("utf-8")
    assert index.index('data-id="p2"') < index.index('data-id="p0"')  # worst first
    assert "the sky has fallen" in index
    assert 'src="p3/thumbnail.png"' in index
    assert "p2/thumbnail.png" not in index
    assert "page.html" not in index
    act(here)
    results = registered()
    assert [r.is_new for _, r in sorted(results.items())] == [False, True, True, False]
    assert results["p2"].verdict == "PASS"


def test_what_others_wrote_is_left_alone(here):
    write_pairs(here / "in", 3)
    registered()
    shutil.rmtree(here / "out" / "p0")
    (here / "out" / "p0").mkdir()
    (here / "out" / "p0" / "notes.txt").write_text("mine")
    manifest = (here / "in" / "pairs.csv").read_text().splitlines()
    manifest[2] = "p1,fixed0.nii.gz,moving2.nii.gz"
    (here / "in" / "pairs.csv").write_text("\n".join(manifest) + "\n")
    before = contents(here / "out" / "p1")
    results = registered()
    assert "has notes.txt, which wasn't written by such a run" in results["p0"].problem
    assert "has the results of another pair" in results["p1"].problem
    assert results["p2"].verdict == "PASS"
    assert [path.name for path in (here / "out" / "p0").iterdir()] == ["notes.txt"]
    assert contents(here / "out" / "p1") == before


def test_a_study_that_moved_is_known_again(here):
    write_pairs(here / "in", 2)
    registered()
    (here / "in").rename(here / "elsewhere")
    results = list(register_pairs("elsewhere/pairs.csv", "out", load=load))
    assert not any(result.is_new for result in results)


def test_headers_whose_voxels_changed_are_noticed(here):
    write_pairs(here / "in", 1)
    image = read_image("in/moving0.nii.gz")
    write_image("in/moving0.mhd", image)
    manifest = (here / "in" / "pairs.csv").read_text()
    (here / "in" / "pairs.csv").write_text(
        manifest.replace("moving0.nii.gz", "moving0.mhd")
    )
    registered()
    header = (here / "in" / "moving0.mhd").read_bytes()
    write_image("in/moving0.mhd", image.with_array(image.array * np.float32(0.5)))
    assert registered()["p0"].is_new
    assert (here / "in" / "moving0.mhd").read_bytes()[:40] == header[:40]


@pytest.mark.parametrize("jobs", [1, 2])
def test_processes_write_the_same_files(here, jobs):
    write_pairs(here / "in", 4, extras=True)
    results = registered(jobs=jobs)
    assert len(results) == 4
    found = {name: contents(result.folder) for name, result in results.items()}
    assert found == undisturbed(found)


def test_a_process_that_dies_costs_its_pair_alone(here):
    write_pairs(here / "in", 6)
    act(here, p1="die", p4=f"die once {here / 'died'}")
    results = registered(jobs=2)
    assert (here / "died").exists()
    verdicts = [r.verdict for _, r in sorted(results.items())]
    assert verdicts == ["PASS", "ERROR", "PASS", "PASS", "PASS", "PASS"]
    assert "ended by SIGKILL, 2 times" in results["p1"].problem


def test_whoever_stops_listening_stops_the_work(here):
    write_pairs(here / "in", 6)
    results = register_pairs("in/pairs.csv", "out", load=load)
    first = next(results)
    results.close()
    assert [row["id"] for row in rows(here)] == [first.id]
    again = registered()
    assert not again[first.id].is_new
    assert len(again) == 6


def test_one_at_a_time_writes_to_a_folder(here):
    write_pairs(here / "in", 2)
    results = register_pairs("in/pairs.csv", "out", load=load)
    next(results)
    with pytest.raises(InputError, match="out: another process registers pairs"):
        registered()
    assert len(list(results)) == 1


def test_options_that_can_not_be_are_refused_at_once(here):
    write_pairs(here / "in", 1)
    for options, message in (
        ({"files": {"moved": "a/b.nii.gz"}}, "--moved: must be the name of a file"),
        ({"files": {"moved": "moved.txt"}}, "moved.txt: expected a name that ends in"),
        ({"files": {"report": "r.json"}}, "must have the moved image's name"),
        ({"files": {"noise": "n.wav"}}, "'noise' is none of"),
        ({"jobs": 0}, "jobs: must be at least 1"),
        ({"model": "missing"}, "missing: no such model folder"),
        ({"model": "missing", "config": "rigid"}, "exclude each other"),
        ({"initial_transform": ("gone.h5",)}, "gone.h5"),
    ):
        with pytest.raises(InputError, match=message):
            registered(**options)
    assert not list((here / "out").iterdir()) if (here / "out").exists() else True
    assert dlir_tf.register_pairs is register_pairs
