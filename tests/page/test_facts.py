"""What a page says of a report."""

import re

from made_pages import HOSTILE, oblique_page

from dlir_tf.page.building import build
from dlir_tf.page.facts import facts_html, verdict_html

REPORT = {
    "verdict": "FAIL",
    "reasons": [HOSTILE],
    "similarity_kind": "nmi",
    "similarity_before": 1.1,
    "similarity_after": None,
    "stages": [
        {"number": 1, "transform": "affine", "kept": True, "similarity": 1.15,
         "smallest_jacobian": 0.9, "saturated_percent": None, "reason": None},
        {"number": 2, "transform": "bspline", "kept": False, "similarity": 1.12,
         "smallest_jacobian": -0.5, "saturated_percent": 3.0, "reason": "it folds"},
        {"number": 3, "transform": "bspline", "kept": True, "similarity": 1.25,
         "smallest_jacobian": 0.4, "saturated_percent": 0.0, "reason": None},
    ],
    "refinement": {"steps": 7, "loss_before": 0.5, "loss_after": 0.25},
    "initial_alignment": "mass",
    "initial_shift": [1.0, 2.5],
    "affine_scales": [1.1, 0.9],
    "folded_percent": 0.25,
    "seconds": 3.21,
    "versions": {"python": "3.13"},
    "choices": [HOSTILE],
}  # fmt: skip


def text_of(html):
    """What is read: without tags, and with one space between words."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_verdict_has_its_reasons_and_none_is_said_so():
    html = verdict_html(REPORT)
    assert "verdict fail" in html
    assert HOSTILE not in html
    assert "judge by what you see" in verdict_html(None)


def test_stages_say_what_they_brought_beyond_those_that_were_kept():
    html = facts_html(REPORT, build(oblique_page().contents))
    text = text_of(html)
    assert "1 affine 1.150 +0.050 0.90" in text
    assert "2 bspline 1.120 -0.030 -0.50" in text
    assert "3 bspline 1.250 +0.100 0.40" in text
    told = "Stage 2: left out; it folds; 3.0 % of its control points at their bound."
    assert told in text
    assert "Refined in 7 steps: loss 0.5000 before, 0.2500 after." in text


def test_what_is_not_known_is_a_dash_and_nothing_is_code():
    html = facts_html(REPORT, build(oblique_page().contents))
    assert "After –" in text_of(html)
    assert "0.250 %" in html
    assert HOSTILE not in html


def test_without_a_report_overlap_and_landmarks_are_measured():
    text = text_of(facts_html(None, build(oblique_page().contents)))
    assert "Cross-correlation of what is shown" in text
    assert "mean" in text
    assert "0.75" in text  # of landmarks 0.5 and 1 mm apart
    assert "What each stage brought" not in text
