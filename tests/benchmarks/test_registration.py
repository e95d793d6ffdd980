"""The comparison: what is measured, kept, measured again, and shown."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
import registration
from comparison import methods
from comparison.single import as_numbers
from comparison.store import Store, current_results
from comparison.table import tables
from pages import put_into_page

from dlir_tf.errors import InputError
from dlir_tf.evaluation.measures import measure
from dlir_tf.pairs.loading import load_pair
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.phantoms import write_phantoms
from dlir_tf.transforms import Affine, Transform

ROOT = Path(__file__).resolve().parents[2]
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
NUMBERS = {
    "seconds": 2.0,
    "cpu_seconds": 3.0,
    "peak_gb": 0.5,
    "dice": {"1": 0.5, "2": 0.7, "3": None},
    "folded_percent": 0.0,
    "std_log_jacobian": 0.1,
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hearts")
    return write_phantoms(folder, num_train=2, num_test=0)[0]


def options_for(manifest, folder, **changes):
    defaults = {
        "pairs": manifest,
        "first": None,
        "methods": "before",
        "model": None,
        "preset": None,
        "refine": None,
        "threads": 1,
        "timeout": 120.0,
        "fresh": False,
        "output": folder / "results.json",
    }
    return argparse.Namespace(**(defaults | changes))


def test_a_pair_in_its_own_process_gets_our_own_measures(manifest, tmp_path):
    options = options_for(manifest, tmp_path, first=1)
    contents = registration.run(options)
    (result,) = contents["results"]
    loaded = load_pair(read_manifest(manifest)[0])
    expected = as_numbers(measure(loaded, Transform((Affine(np.eye(4)),))))
    expected["dice"] = {str(k): v for k, v in expected["dice"].items()}
    assert result["dice"] == expected["dice"]
    assert 0.2 < min(result["dice"].values()) < 0.95
    assert result["ncc"] == expected["ncc"]
    assert 0.05 < result["peak_gb"] < 1
    assert json.loads(options.output.read_text()) == contents


@pytest.fixture
def measured(monkeypatch):
    """What would have been measured, instead of measuring it."""
    calls = []

    def pretend(index, name, options):
        calls.append((index, name))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return NUMBERS

    monkeypatch.setattr(registration, "in_process_of_its_own", pretend)
    monkeypatch.setattr(
        methods, "versions", lambda packages: dict.fromkeys(packages, "1")
    )
    return calls


def test_an_interrupted_run_goes_on_where_it_was(manifest, tmp_path, measured):
    options = options_for(manifest, tmp_path, methods="before,elastix")
    with pytest.raises(KeyboardInterrupt):
        registration.run(options)
    contents = registration.run(options)
    assert measured == [
        (0, "before"),
        (0, "elastix"),
        (1, "before"),
        (1, "before"),
        (1, "elastix"),
    ]
    assert len(contents["results"]) == 4
    registration.run(options)
    assert len(measured) == 5
    registration.run(options_for(manifest, tmp_path, first=1, fresh=True))
    assert measured[5:] == [(0, "before")]


@pytest.mark.parametrize("what", ["threads", "version", "settings", "data"])
def test_what_is_bound_otherwise_is_measured_again(
    manifest, tmp_path, measured, monkeypatch, what
):
    options = options_for(manifest, tmp_path, methods="elastix", first=1)
    registration.run(options)
    if what == "threads":
        options.threads = 2
    elif what == "version":
        monkeypatch.setattr(methods, "versions", lambda p: dict.fromkeys(p, "2"))
    elif what == "settings":
        monkeypatch.setitem(methods.METHODS["elastix"].settings, "maps", ["affine"])
    else:
        monkeypatch.setattr(registration, "data_digest", lambda pairs: "0" * 64)
    contents = registration.run(options)
    assert len(measured) == 2
    assert len(contents["results"]) == 1


def test_two_runs_share_a_file_of_results(tmp_path):
    path = tmp_path / "results.json"
    first, second = Store(path, "a.csv"), Store(path, "a.csv")
    first.add("p", "before", {"threads": 1}, "d", NUMBERS)
    second.add("p", "elastix", {"threads": 1}, "d", NUMBERS)
    first.add("q", "before", {"threads": 1}, "d", NUMBERS)
    found = current_results(Store(path, "a.csv").contents)
    assert {name: sorted(pairs) for name, pairs in found.items()} == {
        "before": ["p", "q"],
        "elastix": ["p"],
    }


def test_results_of_an_older_binding_are_not_shown_with_newer_ones(tmp_path):
    store = Store(tmp_path / "results.json", "a.csv")
    store.add("p", "elastix", {"threads": 1}, "d", NUMBERS)
    store.add("q", "elastix", {"threads": 2}, "d", NUMBERS)
    assert sorted(current_results(store.contents)["elastix"]) == ["q"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"manifest": "b.csv"}'])
def test_another_file_is_not_taken_for_results(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(InputError, match="choose another --output"):
        Store(path, "a.csv")


def test_the_table_has_means_of_the_pairs_that_all_methods_have(tmp_path):
    store = Store(tmp_path / "results.json", "a.csv")
    for pair, dice in (("p", 0.5), ("q", 0.9)):
        numbers = NUMBERS | {"dice": {"1": dice}, "folded_percent": dice}
        store.add(pair, "elastix", {}, "d", numbers)
    store.add("p", "before", {}, "d", NUMBERS)
    common, fuller = tables(store.contents).split("\n\n")
    header, _, before, elastix = common.splitlines()
    assert header.startswith("| 1 pair | Dice | folded (%) | std log J | seconds")
    assert before.split(" | ")[1:] == ["0.600", "0", "0.100", "", "", " |"]
    assert elastix.split(" | ")[1:3] == ["0.500", "0.5 (at most 0.5)"]
    lines = fuller.splitlines()
    assert lines[0].startswith("| mean over 2 pairs | Dice")
    assert lines[2].split(" | ")[1:3] == ["0.700 (0.283)", "0.7 (at most 0.9)"]
    assert len(lines) == 3


def test_a_table_takes_the_place_of_the_older_one_on_a_page(tmp_path):
    store, page = Store(tmp_path / "results.json", "a.csv"), tmp_path / "page.md"
    store.add("p", "elastix", {}, "d", NUMBERS)
    page.write_text("above\n<!-- b.csv -->\n<!-- end -->\n", "utf-8")
    with pytest.raises(InputError, match=r"belong between <!-- a\.csv --> and"):
        put_into_page(tables(store.contents), "a.csv", page)
    for _ in range(2):
        page.write_text(page.read_text("utf-8").replace("b.csv", "a.csv"), "utf-8")
        put_into_page(tables(store.contents), "a.csv", page)
    assert page.read_text("utf-8") == (
        f"above\n<!-- a.csv -->\n\n{tables(store.contents)}\n<!-- end -->\n"
    )


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_page_shows_the_results_that_are_kept(path):
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    assert tables(json.loads(path.read_text("utf-8"))) in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": "demons"}, "no method is called 'demons'; choose from before, "),
        ({"methods": "one-shot"}, "one-shot needs --model; give it as well"),
        ({"model": Path("nowhere")}, "--model: no such folder: nowhere; train a model"),
        (
            {"methods": "refined-without-model", "refine": 60},
            "refined-without-model needs --preset; give it as well",
        ),
    ],
)
def test_what_can_not_be_run_is_said_before_anything_is(
    manifest, tmp_path, measured, changes, message
):
    with pytest.raises(InputError, match=message):
        registration.run(options_for(manifest, tmp_path, **changes))
    assert measured == []


def test_a_peer_that_is_not_installed_is_named(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(methods, "_ELASTIX", ())
    absent = methods.Method("absent", "elastix", {}, ("no-such-package",))
    monkeypatch.setitem(methods.METHODS, "elastix", absent)
    options = options_for(manifest, tmp_path, methods="before,elastix")
    with pytest.raises(InputError, match=r"elastix: needs no-such-package, .*pip"):
        registration.run(options)
    assert not options.output.exists()


def test_a_method_that_fails_leaves_the_others_going(
    manifest, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(registration.sys, "executable", "false")
    contents = registration.run(options_for(manifest, tmp_path))
    assert contents["results"] == []
    assert "before, pair 2: ended with 1: no message" in capsys.readouterr().err
