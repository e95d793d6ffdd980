"""The comparison of refinements: two versions, the same pairs, in turn."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import refinement
from random_models import write_random_model

from dlir_tf.config import load_config
from dlir_tf.phantoms import write_phantoms

ROOT = Path(__file__).resolve().parents[2]


def test_a_version_beside_itself_gives_the_same(tmp_path, monkeypatch, capsys):
    manifest = write_phantoms(tmp_path / "hearts", num_train=2, num_test=0)[0]
    output = tmp_path / "figures.json"
    arguments = ["--pairs", manifest, "--preset", "demo", "--refine", 12]
    arguments += ["--beside", ROOT, "--json", output]
    monkeypatch.setattr(sys, "argv", ["refinement.py", *map(str, arguments)])
    refinement.main()
    found = json.loads(output.read_text())["versions"]
    ours, other = found[refinement.THIS], found[refinement.BESIDE]
    assert len(ours["pairs"]) == len(other["pairs"]) == 2
    for one, same in zip(ours["pairs"], other["pairs"], strict=True):
        assert one["dice"] == same["dice"] > 0.5
        assert one["folded_percent"] == 0
        assert one["cpu_seconds"] > 0
    assert len(ours["command_seconds"]) == 2
    assert "| this version | " in capsys.readouterr().out


@pytest.mark.slow
def test_a_models_answer_is_measured_and_refined(tmp_path, monkeypatch):
    """Without steps in one shot, with steps by gradient descent from there."""
    manifest = write_phantoms(tmp_path / "hearts", num_train=1, num_test=0)[0]
    rng = np.random.default_rng(1)
    model = write_random_model(tmp_path / "model", load_config("demo"), rng, 0.01)
    found = []
    for steps in ([], ["--refine", 12]):
        output = tmp_path / f"figures{len(found)}.json"
        arguments = ["--pairs", manifest, "--model", model, "--json", output, *steps]
        monkeypatch.setattr(sys, "argv", ["refinement.py", *map(str, arguments)])
        refinement.main()
        contents = json.loads(output.read_text())
        assert contents["model"] == str(model)
        found.append(contents["versions"][refinement.THIS]["pairs"][0])
    assert found[0]["dice"] < found[1]["dice"]
