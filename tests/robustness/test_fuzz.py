"""Damaged files of every format: the same image, or one sentence; nothing else."""

from pathlib import Path

import pytest
from fuzz import Guard, fuzz
from mutants import mutant_of
from originals import make_originals


def test_300_damaged_files_are_read_right():
    """`make fuzz` reads 10,000 of them."""
    table, faults = fuzz(300, first_seed=1)
    assert faults == []
    total = sum(row.total() for row in table.values())
    refused = sum(row["refused"] for row in table.values())
    assert total == 300
    # Damage that is never found, or always, would be none worth trying.
    assert 100 < refused < 290


def test_a_seed_gives_the_same_damage():
    for original in make_originals()[:3]:
        mutants = [mutant_of(original, seed) for seed in range(40)]
        again = [mutant_of(original, seed) for seed in range(40)]
        assert [m.files for m in mutants] == [m.files for m in again]
        assert len({m.how for m in mutants}) > 5


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended with -11"),
        ("raise InputError('two\\nlines')", "not one sentence"),
        ("np.ones(1 << 27)", None),
    ],
    ids=["exception", "signal", "lines", "memory"],
)
def test_what_is_wrong_is_seen(tmp_path, monkeypatch, body, said):
    """The guard itself: a reader that does what none may do."""
    guard = Path(__file__).with_name("guard.py").read_text(encoding="utf-8")
    broken = f"def _broken(path):\n    {body}\n    return []\n\n\ndef _digest("
    text = guard.replace("def _digest(", broken, 1)
    text = text.replace(
        "lambda path: [read_points(path)]", "lambda path: _broken(path)"
    )
    (tmp_path / "guard.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr("fuzz._GUARD", tmp_path / "guard.py")
    asked = Guard()
    answer = asked.ask("points", tmp_path / "p.csv")
    asked.close()
    if said is None:
        assert answer["megabytes"] > 1000
    else:
        assert answer["is"] == "wrong"
        assert said in answer["said"]
