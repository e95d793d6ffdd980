"""What `dlir-tf export` writes, on a server: the same files as with a model folder."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from random_models import affine, spline, write_random_model
from served_exports import served_exports

from dlir_tf.cli import main
from dlir_tf.images import Image, read_image, write_image
from dlir_tf.phantoms import beating_heart

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "serving.md"
TUTORIAL = DOCS / "tutorials" / "serve-and-ask.md"
CONFIG = {
    "ndim": 3,
    "spacing": [3.0, 3.5, None],
    "axes": "slices_last",
    "initial_alignment": "mass",
    "stages": [
        affine([4, 4, 1], [2, 2, 1]),
        spline([16, 8, 1], [2, 2, 1]),
        spline([8, 4, 1], [2, 1, 1]),
    ],
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Files as the page speaks of them: a pair on different oblique grids, a model."""
    folder = tmp_path_factory.mktemp("desk")
    first = beating_heart(3, shape=(41, 44, 6), spacing=(3.7, 3.4, 9.5))
    other = beating_heart(4, shape=(37, 52, 7), spacing=(4.1, 3.1, 8.5))
    images = {
        "fixed": first.fixed,
        "moving": other.moving,
        "moving_labels": other.moving_labels,
    }
    for name, image in images.items():
        # As single precision holds it, because that's what a server gets.
        affine = image.affine.astype(np.float32).astype(np.float64)
        write_image(folder / f"{name}.nii.gz", Image(image.array, affine))
    rng = np.random.default_rng(7)
    write_random_model(folder / "model", CONFIG, rng, 0.3, provenance={"seed": 7})
    return folder


@pytest.fixture(scope="module")
def server(desk, tmp_path_factory):
    models = {"dlir": desk / "model"}
    with served_exports(models, tmp_path_factory.mktemp("exported")) as server:
        yield server


def run(words):
    code = 0
    try:
        main(words)
    except SystemExit as stop:
        code = stop.code
    assert not code, words


def register(desk, name, *options):
    """Registers with every kind of output; returns their arrays."""
    files = {
        "--output": desk / f"{name}_moved.nii.gz",
        "--displacement": desk / f"{name}_field.nii.gz",
        "--moved-labels": desk / f"{name}_labels.nii.gz",
    }
    images = [str(desk / f"{image}.nii.gz") for image in ("fixed", "moving")]
    labels = ["--labels", str(desk / "moving_labels.nii.gz")]
    outputs = [str(part) for item in files.items() for part in item]
    run(["register", *images, *options, *labels, *outputs])
    moved, field, labels = files.values()
    return read_image(moved).array, np.squeeze(load(field)), read_image(labels).array


def load(path):
    import nibabel as nib

    return np.asanyarray(nib.load(path).dataobj)


@pytest.mark.parametrize("options", [["--all-stages"], []])
@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_server_and_model_folder_write_the_same_files(desk, server, protocol, options):
    address = getattr(server, protocol)
    moved, field, labels = register(desk, "there", "--server", address, *options)
    expected = register(desk, "here", "--model", str(desk / "model"), *options)
    assert np.ptp(expected[1], axis=(0, 1, 2)).min() > 1.0 or not options
    np.testing.assert_allclose(field, expected[1], atol=1e-3)
    # Integers, which the last bit may round to the next one.
    assert np.abs(moved.astype(float) - expected[0]).max() <= 1
    assert np.mean(moved != expected[0]) < 0.01
    np.testing.assert_array_equal(labels, expected[2])
    assert len(np.unique(labels)) > 2


def test_the_server_sends_itself_a_request_of_each_signature(server):
    assert server.warm_ups == {"dlir": 4}


@pytest.fixture
def page(desk, server, monkeypatch):
    """The page, with the places where the server of this test listens."""
    monkeypatch.chdir(desk)
    return about(server, PAGE)


def about(server, page):
    text = page.read_text(encoding="utf-8")
    text = text.replace("http://localhost:8501", server.rest)
    return text.replace("localhost:8500", server.grpc)


def fenced(text, language):
    parts = text.split("```")[1::2]
    return [p.removeprefix(language) for p in parts if p.startswith(f"{language}\n")]


@pytest.mark.slow
def test_the_examples_of_the_page_run(desk, page):
    examples = fenced(page, "python")
    assert len(examples) == 3
    for example in examples:
        (desk / "moved.nii.gz").unlink(missing_ok=True)
        run_python(example)
        if "moved.nii.gz" in example:
            assert load(desk / "moved.nii.gz").shape == (41, 44, 6)
    assert (desk / "request.json").is_file()


def test_the_commands_of_the_page_run(desk, page):
    if not (desk / "request.json").is_file():
        run_python(fenced(page, "python")[-1])
    lines = "".join(fenced(page, "sh")).strip().splitlines()
    asked = [line for line in lines if line.startswith("dlir-tf register")]
    for line in asked:
        (desk / "moved.nii.gz").unlink(missing_ok=True)
        run(shlex.split(line)[1:])
        assert load(desk / "moved.nii.gz").shape == (41, 44, 6)
    curls = [line for line in lines if line.startswith("curl")]
    assert (len(asked), len(curls)) == (2, 3)
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    answers = [shell(line) for line in curls]
    assert '"AVAILABLE"' in answers[0]
    assert "moving_labels" in answers[1]
    assert "smallest_jacobian" in answers[2]


@pytest.mark.slow
def test_the_tutorial_asks_from_a_program_without_dlir_tf(desk, server, monkeypatch):
    monkeypatch.chdir(desk)
    text = about(server, TUTORIAL)
    (line,) = "".join(fenced(text, "sh")).strip().splitlines()
    run(shlex.split(line)[1:])
    (example,) = fenced(text, "python")
    assert not {"dlir_tf", "tensorflow", "grpc"} & set(re.findall(r"\w+", example))
    (desk / "moved.nii.gz").unlink()
    run_python(example)
    # The server leaves no stage out.
    expected, *_ = register(desk, "all", "--server", server.grpc, "--all-stages")
    assert np.abs(load(desk / "moved.nii.gz") - expected).max() <= 1


def run_python(code):
    """In a process of its own, as a user would."""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def shell(line):
    words = [*shlex.split(line), "--silent", "--fail"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
