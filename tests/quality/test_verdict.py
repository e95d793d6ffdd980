"""Each rule, on both sides of its threshold."""

import dataclasses
import json
import math

import pytest

from dlir_tf.quality import RefinementOutcome, Report, write_report
from dlir_tf.quality import verdict as rules
from dlir_tf.quality.selection import StageOutcome
from dlir_tf.quality.verdict import judge

GOOD_STAGE = StageOutcome(1, "bspline", True, 0.9, 0.5, 0.0, None)
GOOD = Report(
    verdict="PASS",
    reasons=(),
    similarity_kind="ncc",
    similarity_before=0.7,
    similarity_after=0.9,
    stages=(GOOD_STAGE,),
    refinement=None,
    initial_alignment="header",
    initial_shift=(0.0, 0.0, 0.0),
    affine_scales=None,
    smallest_jacobian=0.5,
    folded_percent=0.0,
    std_log_jacobian=0.1,
    largest_displacement=9.0,
    mean_displacement=1.0,
    extent=300.0,
    overlap_percent=99.0,
    masks=(),
    seconds=0.5,
    model="abc",
    versions={"dlir_tf": "0.1.0"},
)
HARMFUL = dataclasses.replace(GOOD_STAGE, kept=False, reason="it makes it worse")
STUCK = dataclasses.replace(GOOD_STAGE, saturated_percent=5.1)
NO_SCALE = {
    "similarity_kind": "mind_ssc",
    "similarity_before": -0.2,
    "similarity_after": -0.1,
}

WINDOWS = {
    "similarity_kind": "windowed_ncc",
    "similarity_before": 0.2,
    "similarity_after": 0.6,
}

CASES = {
    "less alike": ({"similarity_after": 0.699}, "FAIL", "less alike than before"),
    "as alike": ({"similarity_after": 0.7}, "WARN", "hardly more alike"),
    "a small gain": ({"similarity_after": 0.705}, "WARN", "ncc 0.7000 before, 0.7050"),
    "a gain": ({"similarity_after": 0.707}, "PASS", None),
    "alike already": (
        {"similarity_before": 0.981, "similarity_after": 0.981},
        "PASS",
        None,
    ),
    "nothing compared": ({"similarity_after": math.nan}, "FAIL", "no voxel"),
    "unlike": (
        {"similarity_before": 0.1, "similarity_after": 0.49},
        "WARN",
        "little in common",
    ),
    "nothing in common": (
        {"similarity_before": 0.01, "similarity_after": 0.19},
        "FAIL",
        "nothing in common (ncc 0.19, below 0.2)",
    ),
    "mse has no scale": (
        {
            "similarity_kind": "mse",
            "similarity_before": -0.3,
            "similarity_after": -0.2,
        },
        "PASS",
        None,
    ),
    "tells little": (
        NO_SCALE | {"told_share": 0.05},
        "WARN",
        "tells next to nothing about the other (0.05 of 1, below 0.06)",
    ),
    "tells enough": (NO_SCALE | {"told_share": 0.061}, "PASS", None),
    "tells who knows what": (NO_SCALE | {"told_share": math.nan}, "PASS", None),
    "tells little by values that mean the same": ({"told_share": 0.0}, "PASS", None),
    "as alike, and clear": (
        WINDOWS | {"similarity_after": 0.2, "clarity": 0.46},
        "PASS",
        None,
    ),
    "as alike, clear, and nothing found": (
        WINDOWS | {"similarity_after": 0.2, "clarity": 0.9, "stages": ()},
        "WARN",
        "hardly more alike",
    ),
    "unclear in another contrast": (
        NO_SCALE | {"clarity": 0.37},
        "WARN",
        "hardly resembles what surrounds it in the other (0.37 of 1, below 0.38)",
    ),
    "clear in another contrast": (NO_SCALE | {"clarity": 0.38}, "PASS", None),
    "unclear in windows": (WINDOWS | {"clarity": 0.44}, "WARN", "(0.44 of 1, below"),
    "clear in windows": (WINDOWS | {"clarity": 0.45}, "PASS", None),
    "as clear as who knows": (WINDOWS | {"clarity": math.nan}, "PASS", None),
    "unclear, and tells little": (
        NO_SCALE | {"clarity": 0.1, "told_share": 0.05},
        "WARN",
        "tells next to nothing",
    ),
    "folds much": ({"folded_percent": 0.51}, "FAIL", "folds at 0.51 % of the voxels"),
    "folds": ({"folded_percent": 0.5}, "WARN", "folds at 0.5 % of the voxels"),
    "hardly overlaps": ({"overlap_percent": 9.9}, "FAIL", "only 9.9 % of the fixed"),
    "hardly overlaps, but shows most of it": (
        {"overlap_percent": 7.0, "shown_percent": 50.0},
        "WARN",
        "only 7 % of the fixed",
    ),
    "hardly overlaps, and shows little of it": (
        {"overlap_percent": 7.0, "shown_percent": 49.0},
        "FAIL",
        "only 7 % of the fixed",
    ),
    "overlaps partly": ({"overlap_percent": 49.0}, "WARN", "only 49 % of the fixed"),
    "overlaps": ({"overlap_percent": 50.0}, "PASS", None),
    "moves far": ({"largest_displacement": 301.0}, "FAIL", "by up to 301 mm"),
    "moves": ({"largest_displacement": 299.0}, "PASS", None),
    "stuck": ({"stages": (STUCK,)}, "WARN", "5.1 % in stage 1 (bspline)"),
    "stuck, but left out": (
        {"stages": (dataclasses.replace(STUCK, kept=False), GOOD_STAGE)},
        "WARN",
        "stage 1 (bspline) was left out",
    ),
    "stretches": ({"affine_scales": (1.51, 1.0, 1.0)}, "WARN", "by 1.51, 1.00, 1.00"),
    "shrinks": ({"affine_scales": (1.0, 1.0, 0.66)}, "WARN", "voxel sizes"),
    "scales": ({"affine_scales": (1.49, 1.0, 0.68)}, "PASS", None),
    "found no more": (
        {"stages": (GOOD_STAGE, dataclasses.replace(HARMFUL, looks_again=True))},
        "PASS",
        None,
    ),
    "left out": (
        {"stages": (GOOD_STAGE, HARMFUL)},
        "WARN",
        "stage 1 (bspline) was left out: it makes it worse",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_holds_from_its_threshold_on(name):
    changes, expected, told = CASES[name]
    verdict, reasons = judge(dataclasses.replace(GOOD, **changes))
    assert verdict == expected
    assert len(reasons) == (told is not None), reasons
    assert told is None or told in reasons[0]


GRAVITY = ("PASS", "WARN", "FAIL")
# What there is of stages and of a refinement, whatever the numbers are.
CIRCUMSTANCES = {
    "no stage": {"stages": ()},
    "all stages left out": {"stages": (HARMFUL, HARMFUL)},
    "no stage and no model": {"stages": (), "model": None},
    "a refinement that found nothing": {
        "stages": (),
        "model": None,
        "refinement": RefinementOutcome(30, 0.034, 0.034),
    },
}
# These are about stages; where there is none they have nothing to say.
OF_STAGES = {"stuck", "stuck, but left out", "left out"}


@pytest.mark.parametrize("circumstance", CIRCUMSTANCES)
@pytest.mark.parametrize("name", sorted(CASES.keys() - OF_STAGES))
def test_every_rule_holds_whatever_became_of_the_stages(name, circumstance):
    changes, expected, _ = CASES[name]
    report = dataclasses.replace(GOOD, **{**changes, **CIRCUMSTANCES[circumstance]})
    verdict, _ = judge(report)
    assert GRAVITY.index(verdict) >= GRAVITY.index(expected)


@pytest.mark.parametrize("circumstance", CIRCUMSTANCES)
def test_nothing_found_is_no_pass(circumstance):
    report = dataclasses.replace(
        GOOD,
        similarity_before=0.966,
        similarity_after=0.966,
        **CIRCUMSTANCES[circumstance],
    )
    verdict, reasons = judge(report)
    assert verdict == "WARN"
    assert "the initial alignment alone" in reasons[-1]


def test_if_no_stage_is_left_it_says_what_the_result_is():
    report = dataclasses.replace(GOOD, similarity_after=0.7, stages=(HARMFUL, HARMFUL))
    verdict, reasons = judge(report)
    assert verdict == "WARN"
    assert len(reasons) == 3
    assert "the result is the initial alignment alone" in reasons[-1]


def test_failures_come_before_warnings():
    report = dataclasses.replace(GOOD, folded_percent=3.0, stages=(GOOD_STAGE, HARMFUL))
    verdict, reasons = judge(report)
    assert verdict == "FAIL"
    assert ["folds" in reasons[0], "left out" in reasons[1]] == [True, True]


def test_thresholds_are_documented(request):
    """The page names each of them."""
    page = (request.config.rootpath / "docs" / "report.md").read_text("utf-8")
    for value in (
        rules.FOLDED_FAIL_PERCENT,
        rules.OVERLAP_FAIL_PERCENT,
        rules.OVERLAP_WARN_PERCENT,
        rules.SATURATED_WARN_PERCENT,
        100 * rules.SMALL_GAIN,
    ):
        assert f"{value:g} %" in page
    for value in (
        *rules.ALIKE.values(),
        *rules.LOW_SIMILARITY.values(),
        *rules.NO_SIMILARITY.values(),
        rules.LARGEST_SCALE,
        rules.LOW_TOLD_SHARE,
        *rules.LOW_CLARITY.values(),
    ):
        assert f"{value:g}" in page


def test_a_report_is_json_without_nan(tmp_path):
    report = dataclasses.replace(GOOD, similarity_after=math.nan, stages=(STUCK,))
    write_report(tmp_path / "report.json", report)
    text = (tmp_path / "report.json").read_text("utf-8")
    content = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert content == report.to_dict()
    assert content["similarity_after"] is None
    assert content["stages"][0]["saturated_percent"] == 5.1
    assert set(content) == {field.name for field in dataclasses.fields(Report)}
