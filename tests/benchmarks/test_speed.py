"""The page of benchmarks shows the speeds that are kept, and no others."""

import argparse
import json
from pathlib import Path

import pytest
import scaling
import speed
import timing
import training

from dlir_tf.errors import InputError
from dlir_tf.phantoms import write_phantoms

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks" / "results" / "speed"
TABLES = {
    "layers": lambda contents: timing.tables(contents["groups"]),
    "registration": speed.tables,
    "scaling": scaling.tables,
    "training": training.tables,
    "training_step": lambda contents: timing.tables(contents["groups"]),
}


def test_all_kept_speeds_are_shown():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(TABLES)


@pytest.mark.parametrize("name", TABLES)
def test_the_page_shows_the_speeds_that_are_kept(name):
    contents = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    assert f"\n{TABLES[name](contents)}" in page


def test_medians_of_rounds_and_means_of_pairs_are_compared(tmp_path, monkeypatch):
    manifest, _ = write_phantoms(tmp_path, num_train=2, num_test=0)
    seconds = {"before": iter([1, 9, 2, 5, 3, 7]), "elastix": iter([40.0] * 6)}

    def measured(index, name, options):
        value = next(seconds[name])
        return {"seconds": value, "cpu_seconds": 2 * value, "other": index}

    monkeypatch.setattr(speed, "in_process_of_its_own", measured)
    options = argparse.Namespace(
        pairs=manifest, first=2, methods="before,elastix", rounds=3, threads=1
    )
    options.model = options.preset = options.refine = None
    contents = speed.measure(options)
    medians = [by["seconds"] for by in contents["rows"]["before"].values()]
    assert medians == [2, 7]
    assert [line.split(" | ")[1:] for line in speed.tables(contents).splitlines()] == [
        ["seconds", "CPU seconds", "times the first", "of CPU seconds |"],
        ["---", "---", "---", "--- |"],
        ["4.50", "9.00", "1.0", "1.0 |"],
        ["40.00", "80.00", "8.9", "8.9 |"],
    ]
    monkeypatch.setattr(speed, "in_process_of_its_own", lambda *_: None)
    with pytest.raises(InputError, match="before failed; see above"):
        speed.measure(options)
