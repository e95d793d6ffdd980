"""The comparison of refinements: two versions, the same pairs, in turn."""

import json
import sys
from pathlib import Path

import refinement

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
