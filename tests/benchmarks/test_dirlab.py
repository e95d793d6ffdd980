"""DIR-Lab's files, made of a known motion: it must come back as the known error."""

import json
import re
import sys

import dirlab
import numpy as np
import pytest
from breathing_files import (
    LAYOUTS,
    MOTION,
    hounsfield_of,
    landmarks,
    small,
    write_case,
    write_series,
)
from comparison.single import snapped_errors
from dirlab_files.conversion import write_cases
from dirlab_files.datasets import COPDGENE, FOUR_D_CT
from dirlab_files.finding import find_cases

from dlir_tf.evaluation.measures import measure
from dlir_tf.images import write_image
from dlir_tf.pairs.loading import load_pair
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.transforms import Affine, Transform

CONFIG = """
ndim: 3
spacing: null
similarity: {kind: ncc}
intensity: {clip_values: [-1000, 0], clip_percentiles: null}
stages:
- {transform: bspline, downsample: 1, control_point_spacing: 8, filters: [4]}
refinement: {steps: 12, learning_rate: 0.1}
"""


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A folder to write cases to, and the sets whose sizes ours are."""
    monkeypatch.setattr(dirlab, "FOUR_D_CT", small(FOUR_D_CT))
    monkeypatch.setattr(dirlab, "COPDGENE", small(COPDGENE))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def command(monkeypatch, folder, *options):
    """Runs it as from the shell; returns what it ended with, none for success."""
    given = ["--data", str(folder), "--output", str(folder.parent / "out"), *options]
    monkeypatch.setattr(sys, "argv", ["dirlab.py", *given])
    try:
        dirlab.main()
    except SystemExit as end:
        return end.code
    return None


def before(layout):
    return np.linalg.norm(np.subtract(*landmarks(layout)), axis=-1)


@pytest.mark.parametrize(
    ("data", "number", "size"),
    [
        (FOUR_D_CT, 4, 12_976_128),
        (FOUR_D_CT, 5, 13_893_632),
        (FOUR_D_CT, 6, 67_108_864),
        (FOUR_D_CT, 7, 71_303_168),
        (FOUR_D_CT, 10, 62_914_560),
    ],
)
def test_sizes_are_those_of_the_files_that_others_have_downloaded(data, number, size):
    layout = list(data.layouts.values())[number - 1]
    assert 2 * np.prod(layout.shape) == size


def test_both_sets_have_ten_cases_of_thick_slices():
    for data in (FOUR_D_CT, COPDGENE):
        assert len(data.layouts) == 10
        for layout in data.layouts.values():
            assert layout.spacing[0] == layout.spacing[1] < 2 < layout.spacing[2]


def test_the_known_motion_comes_back_from_the_files(made):
    write_case(made, FOUR_D_CT, "case1")
    found = find_cases(made, small(FOUR_D_CT))
    pair = load_pair(read_manifest(write_cases(found, made.parent / "out"))[0])
    layout = LAYOUTS["case1"]
    for index, image in enumerate((pair.fixed, pair.moving)):
        expected = hounsfield_of(layout, index)
        expected[0, 0] = -3024
        np.testing.assert_array_equal(image.array, expected)
        np.testing.assert_allclose(image.spacing, layout.spacing, rtol=1e-6)
    # The patient's left, back and feet lie where all three axes lead to.
    assert (np.diag(pair.fixed.affine)[:3] < 0).all()
    for points, expected in zip(pair.points, landmarks(layout), strict=True):
        np.testing.assert_allclose(points, expected, atol=1e-3)

    nothing = Transform((Affine(np.eye(4)),))
    errors = measure(pair, nothing).landmark_errors
    np.testing.assert_allclose(errors, before(layout), atol=2e-3)
    np.testing.assert_allclose(
        snapped_errors(pair, nothing)["snapped_errors"], before(layout), rtol=1e-3
    )
    # By the true motion, what is left is that landmarks are on whole voxels.
    truth = Transform((Affine(MOTION),))
    fixed, moving = landmarks(layout)
    rounding = np.linalg.norm(
        fixed @ MOTION[:3, :3].T + MOTION[:3, 3] - moving, axis=-1
    )
    assert 0.5 < rounding.mean() < 2
    measures = measure(pair, truth)
    np.testing.assert_allclose(measures.landmark_errors, rounding, atol=2e-3)
    # Padding is no part of the lungs that move.
    assert measures.ncc > measure(pair, nothing).ncc + 0.05
    assert max(snapped_errors(pair, truth)["snapped_errors"]) < 2e-3


def test_a_mask_beside_a_written_image_is_taken(made):
    write_case(made, FOUR_D_CT, "case1")
    write_case(made, FOUR_D_CT, "case2")
    found, out = find_cases(made, small(FOUR_D_CT)), made.parent / "out"
    manifest = write_cases(found, out)
    image = load_pair(read_manifest(manifest)[0]).moving
    lungs = (image.array > -700) * np.uint8(2)
    write_image(out / "case1_T50_mask.nii.gz", image.with_array(lungs))
    assert write_cases(found, out) == manifest
    first, second = map(load_pair, read_manifest(manifest))
    np.testing.assert_array_equal(first.moving_mask.array, lungs > 0)
    assert first.fixed_mask is second.fixed_mask is second.moving_mask is None


@pytest.mark.slow
def test_the_command_registers_shows_and_names_what_is_missing(
    made, monkeypatch, capsys
):
    write_case(made, FOUR_D_CT, "case1")
    gone = write_case(made, FOUR_D_CT, "case2")[3]
    gone.unlink()
    config = made.parent / "quick.yaml"
    config.write_text(CONFIG)
    assert command(monkeypatch, made, "--preset", str(config)) is None
    shown = capsys.readouterr()
    assert "case2: left out, lacks the landmarks of T50" in shown.err
    assert "Missing, so not in any mean but the published ones: case2" in shown.out
    known = before(LAYOUTS["case1"])
    cell = f"{known.mean():.2f} ({known.std(ddof=1):.2f})"
    rows = [line.split(" | ") for line in shown.out.splitlines() if "| case1" in line]
    assert [row[1] for row in rows] == [cell, cell]
    assert rows[1][-1] == "0.77 |"
    for row in rows:
        assert float(row[2].split()[0]) < 0.7 * known.mean()
    assert "doi:10.1109/TMI.2016.2610583" in shown.out

    results = made.parent / "out" / "dirlab-4dct.json"
    contents = json.loads(results.read_text("utf-8"))
    assert {r["method"] for r in contents["results"]} == {
        "before",
        "refined-without-model",
        "auto",
    }
    # Files are written as they were, so nothing is measured again.
    monkeypatch.setattr(dirlab.registration, "in_process_of_its_own", None)
    assert command(monkeypatch, made, "--preset", str(config)) is None
    assert json.loads(results.read_text("utf-8")) == contents


def test_copdgene_is_inhaled_first(made, monkeypatch, capsys):
    write_case(made, COPDGENE, "copd1")
    assert command(monkeypatch, made, "--methods", "before") is None
    shown = capsys.readouterr().out
    known = before(LAYOUTS["case1"])
    assert f"| copd1 | {known.mean():.2f} ({known.std(ddof=1):.2f}) | 0.71 |" in shown
    manifest = made.parent / "out" / "dirlab-copdgene.csv"
    assert manifest.read_text().splitlines()[1] == (
        "copd1_iBH.nii.gz,copd1_iBH.csv,copd1_eBH.nii.gz,copd1_eBH.csv"
    )


@pytest.fixture
def dicom(made):
    """Ten phases of one person, an average and a scout, and landmarks of two."""
    layout, person = LAYOUTS["case1"], made / "P102"
    for percent in range(0, 100, 10):
        name = f"{percent // 10}_CT"
        phase = 1 if percent == 50 else 0
        write_series(person / name, layout, phase, f"Gated, {percent}.0%A")
    write_series(person / "average", layout, 0, "Average 0% to 90%")
    write_series(person / "scout", layout, 0, "Topogram")
    for name, points in zip(("0_CT", "5_CT"), landmarks(layout), strict=True):
        rows = "".join(f"{x},{y},{z}\n" for x, y, z in points)
        (person / f"{name}.csv").write_text(f"x,y,z\n{rows}")
    return made


def test_phases_of_dicom_are_found_by_what_they_state(dicom, monkeypatch, capsys):
    assert command(monkeypatch, dicom, "--methods", "before") is None
    known = before(LAYOUTS["case1"])
    cell = f"| P102 | {known.mean():.2f} ({known.std(ddof=1):.2f}) |"
    assert cell in capsys.readouterr().out
    pair = load_pair(read_manifest(dicom.parent / "out" / "dicom-4dct.csv")[0])
    truth = Transform((Affine(MOTION),))
    assert measure(pair, truth).ncc > 0.99


def test_dicom_without_landmarks_shows_how_alike_images_are(dicom, monkeypatch, capsys):
    for path in (dicom / "P102").glob("*.csv"):
        path.unlink()
    assert command(monkeypatch, dicom, "--methods", "before") is None
    assert "| correlation | before |" in capsys.readouterr().out


def shorten(paths):
    paths[2].write_bytes(paths[2].read_bytes()[:-2])


def lose_a_landmark(paths):
    paths[1].write_text("".join(paths[1].read_text().splitlines(True)[:-1]))


def go_outside(paths):
    lines = paths[3].read_text().splitlines()
    lines[7] = "27\t3\t5"
    paths[3].write_text("\n".join(lines))


def miss_a_number(paths):
    lines = paths[1].read_text().splitlines()
    lines[0] = "4\t5"
    paths[1].write_text("\n".join(lines))


def copy(paths):
    (paths[0].parent / "CASE1_t00.IMG").write_bytes(paths[0].read_bytes())


def store_hounsfield(paths):
    values = np.frombuffer(paths[0].read_bytes(), "<i2") - 1024
    values = np.where(np.arange(values.size) % 3, values, -1000)
    paths[0].write_bytes(values.astype("<i2").tobytes())


def lose_an_image(paths):
    paths[0].unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            shorten,
            r"case1_T50_s\.img: must be 26×30×14 voxels of 2 bytes, 21840 bytes, ",
        ),
        (lose_a_landmark, r"T00_xyz\.txt: must hold 300 landmarks, .*but holds 299; "),
        (go_outside, r"T50_xyz\.txt, line 8: must be a voxel of 26×30×14, .*27 3 5; "),
        (miss_a_number, r"T00_xyz\.txt, line 1: must be a voxel .*but is 4 5; "),
        (copy, r"must be the only file of case1 T00, but so is .*; move one"),
        (store_hounsfield, r"must store HU \+ 1024, but then 3\d % of it would be "),
        (
            lose_an_image,
            r"no case in it is complete \(case1 lacks the image of T00\); ",
        ),
    ],
)
def test_what_is_not_as_published_is_refused_and_nothing_is_written(
    made, monkeypatch, spoil, message
):
    spoil(write_case(made, FOUR_D_CT, "case1"))
    said = command(monkeypatch, made, "--methods", "before")
    assert re.search(message, said)
    assert "\n" not in said
    out = made.parent / "out"
    assert not out.exists() or not list(out.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere"], "--data: no such folder: nowhere; check the path"),
        ([], "no case in it is complete; unpack what you downloaded there"),
        (["--methods", "demons"], "no method is called 'demons'"),
        (["--preset", "no-lungs"], "no-lungs"),
        (["--model", "nowhere"], "--model: no such folder: nowhere"),
    ],
)
def test_what_can_not_be_run_is_said_before_anything_is_written(
    made, monkeypatch, options, message
):
    given = options if "--preset" in options else [*options, "--methods=before"]
    said = command(monkeypatch, made, *(options if "--methods" in options else given))
    assert message in said
    assert not (made.parent / "out").exists()


def test_two_series_of_one_phase_are_refused(dicom, monkeypatch):
    write_series(dicom / "P102" / "again", LAYOUTS["case1"], 0, "Gated 50%")
    said = command(monkeypatch, dicom, "--methods", "before")
    assert "must be the only series at 50 % there, but so is " in said
    assert not (dicom.parent / "out").exists()


def test_landmarks_of_one_phase_alone_are_refused(dicom, monkeypatch):
    (dicom / "P102" / "0_CT.csv").unlink()
    said = command(monkeypatch, dicom, "--methods", "before")
    assert "but at 0 % there are 0 and at 50 % 300; mend the CSV files" in said


def test_a_registration_that_fails_is_told_by_the_exit_code(made, monkeypatch):
    write_case(made, FOUR_D_CT, "case1")
    monkeypatch.setattr(dirlab.registration.sys, "executable", "false")
    said = command(monkeypatch, made, "--methods", "before")
    assert said == "1 registrations failed; see above"
