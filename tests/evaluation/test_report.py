"""What a table of pairs shows, and its file."""

import csv
import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
from tables import rendered

from dlir_tf.evaluation.evaluate import (
    PairEvaluation,
)
from dlir_tf.evaluation.measures import Measures
from dlir_tf.evaluation.report import write_csv
from dlir_tf.metrics import SurfaceDistances
from dlir_tf.pairs.manifest import Pair


def made_up(name, **changes):
    """An evaluation with numbers of its own in every place."""
    before = Measures(0.25, 0, 0)
    after = Measures(0.75, 1.5, 0.125)
    pair = Pair(Path(f"{name}-fixed.nii"), Path(f"{name}-moving.nii"), "somewhere")
    report = SimpleNamespace(seconds=2.5, verdict="WARN")
    evaluation = PairEvaluation(pair, before, after, report)
    return dataclasses.replace(evaluation, **changes)


def with_labels(labels, dice):
    nan = float("nan")
    surface = {label: SurfaceDistances(1.5, 4.0) for label in labels}
    surface[labels[-1]] = SurfaceDistances(nan, nan)
    scores = dict.fromkeys(labels, dice) | {labels[-1]: 0.0}
    return Measures(0.5, 0, 0, scores, surface)


def test_csv_has_a_row_per_pair_and_columns_for_what_there_is(tmp_path):
    labelled = made_up(
        "b", before=with_labels([3, 21], 0.5), after=with_labels([3, 21], 0.75)
    )
    write_csv(tmp_path / "evaluation.csv", [made_up("a"), labelled])
    with (tmp_path / "evaluation.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["fixed"], first["moving"]) == ("a-fixed.nii", "a-moving.nii")
    assert (first["ncc_before"], first["ncc_after"]) == ("0.25", "0.75")
    assert (first["folded_percent"], first["std_log_jacobian"]) == ("1.5", "0.125")
    assert (first["seconds"], first["verdict"]) == ("2.5", "WARN")
    assert first["dice_after"] == first["dice_after_3"] == ""
    assert not any(name.startswith("landmark") for name in first)
    assert (second["dice_before_3"], second["dice_after_3"]) == ("0.5", "0.75")
    assert second["dice_after"] == "0.375"
    assert (second["hd95_after"], second["hd95_after_3"]) == ("4", "4")
    assert (second["surface_distance_before"], second["hd95_before_21"]) == (
        "1.5",
        "nan",
    )


def test_table_shows_means_and_deviations_over_pairs():
    second = made_up("b", after=Measures(0.25, 0.5, 0.125))
    lines = rendered([made_up("a"), second])
    assert "2 pairs" in lines[0]
    row = next(line for line in lines if "NCC" in line)
    assert row.split()[-4:] == ["0.250", "(0.000)", "0.500", "(0.354)"]
    assert next(line for line in lines if "Folded" in line).split()[-2] == "1.0000"
    assert not any("Dice" in line or "Landmark" in line for line in lines)
    assert lines[-1].split() == ["Verdicts", "2", "WARN"]


@pytest.mark.parametrize(("num_labels", "shown"), [(10, 30), (11, 0)])
def test_table_lists_only_few_labels(num_labels, shown):
    measures = with_labels(list(range(1, num_labels + 1)), 0.8)
    lines = rendered([made_up("a", before=measures, after=measures)])
    assert sum("label " in line for line in lines) == shown
    assert any("mean over labels" in line for line in lines)
    hint = "11 labels: see the CSV file"
    assert (lines[-1].strip() == hint) == (shown == 0)
    assert any(hint in line for line in lines) == (shown == 0)


def test_seconds_of_the_first_pair_count_where_it_is_the_only_one():
    slow, quick = (SimpleNamespace(seconds=s, verdict="PASS") for s in (90.0, 2.0))
    first, second = made_up("a", report=slow), made_up("b", report=quick)
    (alone,) = [line for line in rendered([first]) if "Seconds" in line]
    (both,) = [line for line in rendered([first, second]) if "Seconds" in line]
    assert "90.00" in alone
    assert "2.00" in both
    assert "90" not in both
