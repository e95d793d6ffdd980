"""`dlir-tf evaluate`, from a manifest to a table and a CSV file."""

import csv
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from dlir_tf.cli.main import group
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_image, write_image
from dlir_tf.models.folder import make_model, save_model
from dlir_tf.models.model import build_model

SHAPE = (15, 18, 7)
SPACING = np.array([1.1, 0.9, 3.0])
SHIFT = np.array([1, 2, 0])


def save_untrained(folder, ndim):
    stage = {
        "transform": "bspline",
        "downsample": 1,
        "control_point_spacing": 4,
        "filters": [4, 4],
        "lattice_filters": 4,
    }
    config = Config.model_validate({"ndim": ndim, "spacing": 2.0, "stages": [stage]})
    save_model(folder, make_model(config, build_model(config)))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_untrained(tmp_path_factory.mktemp("models") / "untrained", 3)


@pytest.fixture
def pairs(tmp_path, rng):
    """One pair with labels and points, shifted by `SHIFT`, and one without."""
    affine = np.diag([*SPACING, 1.0])
    fixed = np.zeros(SHAPE, np.int16)
    fixed[3:9, 4:12, 1:6] = rng.integers(50, 500, (6, 8, 5))
    labels = (fixed > 0).astype(np.int16) * 7
    points = rng.uniform(4, 9, (5, 3))
    for side, shift in (("fixed", 0 * SHIFT), ("moving", SHIFT)):
        for name, array in (("image", fixed), ("labels", labels)):
            image = Image(np.roll(array, shift, (0, 1, 2)), affine)
            write_image(tmp_path / f"{side}_{name}.nii", image)
        lines = [",".join(map(str, point)) for point in points + shift * SPACING]
        (tmp_path / f"{side}.csv").write_text("\n".join(["x,y,z", *lines]))
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(
        "fixed,moving,fixed_labels,moving_labels,fixed_points,moving_points\n"
        "fixed_image.nii,moving_image.nii,fixed_labels.nii,moving_labels.nii,"
        "fixed.csv,moving.csv\n"
        "fixed_image.nii,moving_image.nii,,,,\n"
    )
    return manifest


def run(pairs, model, output):
    arguments = ["--pairs", pairs, "--model", model, "--output", output]
    return CliRunner().invoke(group, ["evaluate", *map(str, arguments)])


def test_writes_a_row_per_pair_and_prints_means(pairs, model, tmp_path):
    output = tmp_path / "numbers.csv"
    result = run(pairs, model, output)
    assert result.exit_code == 0, result.output
    with output.open(newline="") as stream:
        first, second = csv.DictReader(stream)
    distance = np.linalg.norm(SHIFT * SPACING)
    for side in ("before", "after"):
        assert float(first[f"landmark_error_{side}"]) == pytest.approx(distance, 1e-4)
        assert float(first[f"dice_{side}_7"]) == pytest.approx(5 * 6 / (6 * 8), 1e-4)
    assert float(first["folded_percent"]) == 0
    assert second["dice_before"] == second["landmark_error_after"] == ""
    assert second["ncc_after"] == first["ncc_after"] != ""
    assert f"{distance:.2f}" in result.stdout
    assert "label 7" in result.stdout
    assert "2 WARN" in result.stdout  # an untrained model does nothing
    assert first["verdict"] == second["verdict"] == "WARN"
    assert result.stdout.isascii()
    assert result.stdout.splitlines()[-1] == str(output)
    assert "2 of 2 pairs" in result.stderr


def test_a_page_shows_every_pair_of_the_table(pairs, model, tmp_path):
    page = tmp_path / "numbers.html"
    arguments = ["--pairs", pairs, "--model", model, "--page", page, "--pair-pages"]
    arguments += ["--output", tmp_path / "numbers.csv"]
    result = CliRunner().invoke(group, ["evaluate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == str(page)
    html = page.read_text("utf-8")
    assert html.count('data-verdict="WARN"') == 2
    assert "line 2: moving_image.nii on fixed_image.nii" in html
    assert "landmark error after" in html
    links = re.findall(r'<a href="(numbers_pairs/[^"]+/page.html)"', html)
    assert len(set(links)) == 2
    for link in links:
        assert (tmp_path / link).with_name("thumbnail.png").is_file()
        assert 'id="volume-moved"' in (tmp_path / link).read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pair-pages"], "--pair-pages: is for --page, which isn't given"),
        (["--page", "numbers.txt"], "numbers.txt: expected a name that ends in .html"),
        (["--page", "file.html"], "file_pairs: is a file; choose another"),
    ],
)
def test_pages_that_can_not_be_are_refused_at_once(
    pairs, model, tmp_path, options, message, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file_pairs").write_text("in the way")
    arguments = ["evaluate", "--pairs", str(pairs), "--model", str(model), *options]
    result = CliRunner().invoke(group, arguments)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)
    assert not (tmp_path / "evaluation.csv").exists()


def test_default_output_is_evaluation_csv(pairs, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["evaluate", "--pairs", str(pairs), "--model", str(model)]
    assert CliRunner().invoke(group, arguments).exit_code == 0
    assert (tmp_path / "evaluation.csv").is_file()


def test_failure_leaves_the_old_results_alone(pairs, tmp_path):
    output = tmp_path / "numbers.csv"
    output.write_text("old")
    result = run(pairs, save_untrained(tmp_path / "flat", 2), output)
    assert isinstance(result.exception, InputError)
    lines = str(result.exception).splitlines()
    assert lines[0].startswith(f"{pairs}, line 2: the fixed image is 3-d")
    assert lines[1].startswith(f"{pairs}, line 3: the fixed image is 3-d")
    assert output.read_text() == "old"
    assert not list(tmp_path.glob(".numbers*"))


def move_far_away(path):
    image = read_image(path)
    far = image.affine + 400 * np.eye(4, k=3)
    write_image(path, Image(image.array, far))


def test_a_pair_that_cannot_be_registered_does_not_stop_the_others(
    pairs, model, tmp_path
):
    folder, output = pairs.parent, tmp_path / "numbers.csv"
    shutil.copy(folder / "moving_image.nii", folder / "far.nii")
    move_far_away(folder / "far.nii")
    (folder / "damaged.nii").write_bytes(b"no image")
    header, *lines = pairs.read_text().splitlines()
    bad = [f"fixed_image.nii,{name}.nii,,,," for name in ("far", "damaged")]
    pairs.write_text("\n".join([header, bad[0], lines[0], bad[1], lines[1]]))
    result = run(pairs, model, output)
    assert isinstance(result.exception, InputError)
    told = str(result.exception).splitlines()
    assert told[0] == f"2 of 4 pairs couldn't be evaluated; the others are in {output}"
    assert told[1].startswith(f"{pairs}, line 2: ")
    assert told[2].startswith(f"{pairs}, line 4: ")
    with output.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["verdict"] for row in rows] == ["ERROR", "WARN", "ERROR", "WARN"]
    assert [row["problem"] for row in rows] == [told[1], "", told[2], ""]
    assert rows[0]["ncc_after"] == rows[0]["seconds"] == ""
    assert float(rows[1]["dice_before_7"]) == pytest.approx(5 * 6 / (6 * 8), 1e-4)
    assert "2 pairs: mean" in result.stdout
    assert "4 of 4 pairs" in result.stderr


def test_the_cure_that_is_named_is_an_option(pairs, model, tmp_path):
    folder, output = pairs.parent, tmp_path / "numbers.csv"
    move_far_away(folder / "moving_image.nii")
    pairs.write_text("fixed,moving\nfixed_image.nii,moving_image.nii\n")
    result = run(pairs, model, output)
    assert isinstance(result.exception, InputError)
    assert "initial_alignment" in str(result.exception)
    assert not output.exists()
    arguments = ["--pairs", pairs, "--model", model, "--output", output]
    arguments += ["--initial-alignment", "centers"]
    result = CliRunner().invoke(group, ["evaluate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    with output.open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["ncc_after"]) > 0.3


@pytest.mark.parametrize(
    ("output", "model_name", "message"),
    [
        ("numbers.txt", "untrained", "ends in .csv"),
        ("nowhere/numbers.csv", "untrained", "folder doesn't exist"),
        ("numbers.csv", "missing", "no such model folder"),
    ],
)
def test_what_cannot_work_is_refused(
    pairs, model, tmp_path, output, model_name, message
):
    result = run(pairs, model.parent / model_name, tmp_path / output)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_faulty_files_show_before_tensorflow_is_loaded(pairs, model):
    (pairs.parent / "moving.csv").write_text("x,y,z\n1,2,three\n")
    first = pairs.read_text().splitlines()[:2]
    pairs.write_text("\n".join([*first, first[-1]]))
    code = (
        "import sys\n"
        "from dlir_tf.cli.main import group\n"
        "from dlir_tf.errors import InputError\n"
        "try:\n"
        "    group(sys.argv[1:], standalone_mode=False)\n"
        "except InputError as error:\n"
        "    print(error, 'tensorflow' in sys.modules)\n"
    )
    output = pairs.parent / "numbers.csv"
    arguments = ["--pairs", pairs, "--model", model, "--output", output]
    done = subprocess.run(
        [sys.executable, "-c", code, "evaluate", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"{pairs}, line 2: {pairs.parent / 'moving.csv'}")
    assert done.stdout.rstrip().endswith("False")
    assert not output.exists()


@pytest.mark.parametrize("name", ["pairs.csv", "fixed.csv", "moving.csv"])
def test_what_is_read_is_not_written_over(pairs, model, name):
    """A table of numbers in the place of the manifest, or of landmarks, loses these."""
    before = (pairs.parent / name).read_bytes()
    result = run(pairs, model, pairs.parent / name)
    assert isinstance(result.exception, InputError)
    assert f"{name}: is an input already, and would be" in str(result.exception)
    assert (pairs.parent / name).read_bytes() == before
