"""What ships: whole model folders, small enough, and found wherever one stands."""

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import dlir_tf
from dlir_tf.models.card import ModelCard, bytes_of
from dlir_tf.models.names import GENERAL, MOST_BYTES, SHIPPED, model_names

ROOT = Path(__file__).resolve().parents[2]
NEEDED = {"ATTRIBUTION.md", "config.yaml", "provenance.json", "training.csv"}
WEIGHTS = "model.weights.h5"
FOLDERS = sorted(path.name for path in SHIPPED.glob("*"))

PROGRAM = """
import json, sys
from dlir_tf.models.names import SHIPPED, shipped_names
from dlir_tf.models.card import ModelCard
cards = {name: ModelCard.of(name) for name in shipped_names()}
told = {n: [c.num_bytes, c.attribution, c.provenance] for n, c in cards.items()}
json.dump({"place": str(SHIPPED), "told": told}, sys.stdout)
"""


def test_all_that_ships_is_small():
    assert bytes_of() == sum(len(path.read_bytes()) for path in SHIPPED.glob("*/*"))
    assert bytes_of() <= MOST_BYTES == 10_000_000


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_ships_is_whole_and_no_more(name):
    assert {path.name for path in (SHIPPED / name).iterdir()} == NEEDED | {WEIGHTS}
    card = ModelCard.of(name)
    assert card.config.description
    assert card.provenance["licence"] == "Apache-2.0"
    assert card.provenance["training_data"]
    assert card.provenance["commands"]
    assert card.attribution
    with (SHIPPED / name / "training.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    last_steps = {row["phase"]: int(row["step"]) for row in rows}
    for phase, steps in last_steps.items():
        assert card.provenance["steps"][phase] == steps


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_its_weights_are_those_of_its_provenance(name):
    model = dlir_tf.load_model(name)
    assert model.provenance["weights_sha256"]
    assert model.config == ModelCard.of(name).config


def test_a_general_model_is_named_by_its_rank():
    for name in FOLDERS:
        if name.startswith(GENERAL):
            assert name == f"{GENERAL}-{ModelCard.of(name).config.ndim}d"
            assert GENERAL in model_names()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package as a wheel brings it, built from the repository's own files."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "dlir_tf", source / "dlir_tf", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, source / name)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--no-index"]
    build += ["--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.mark.slow
def test_an_installed_package_finds_them_from_an_empty_folder(installed, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
    )
    found = json.loads(done.stdout)
    assert Path(found["place"]) == installed / SHIPPED.relative_to(ROOT)
    assert sorted(found["told"]) == FOLDERS
    for name in FOLDERS:
        card = ModelCard.of(name)
        expected = [card.num_bytes, card.attribution, card.provenance]
        assert found["told"][name] == expected
    for path in SHIPPED.glob("*/*"):
        copy = installed / path.relative_to(ROOT)
        assert copy.read_bytes() == path.read_bytes()
