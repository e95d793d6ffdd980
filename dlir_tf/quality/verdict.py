"""The rules by which a registration passes, is to be looked at, or fails."""

import math
from collections.abc import Callable

from dlir_tf.metrics.similarity import most_alike
from dlir_tf.quality.report import Report, Verdict
from dlir_tf.quality.selection import is_worse, percent

# Folding tears tissue apart. A few voxels of it at an edge spoil no overlap, but every
# map of volume changes; in published comparisons, methods with 0.5 % and more are
# those without a working regularisation.
FOLDED_FAIL_PERCENT = 0.5

# Fewer fixed voxels that come from the moving image than this can't be compared.
# Half is usual where one image shows a part of what the other one does.
OVERLAP_FAIL_PERCENT = 10.0
OVERLAP_WARN_PERCENT = 50.0
# Unless so much of the moving image is seen, as of an organ in a whole body.
SHOWN_PERCENT = 50.0

# A gain that takes away less than this share of the dissimilarity is hardly one ...
SMALL_GAIN = 0.02
# ... unless the images were this alike to begin with.
ALIKE = {"ncc": 0.98}

# Images of different patients, noise, and pairs with a mirrored image stay below the
# first, and most of them below the second, whatever a model does to them; those of one
# patient have 0.9 and more. Windows of nothing but background count as 0 in windowed
# NCC, so a good one may be small, too. The other kinds have no such scale.
LOW_SIMILARITY = {"ncc": 0.5, "windowed_ncc": 0.05}
NO_SIMILARITY = {"ncc": 0.2, "windowed_ncc": 0.01}

# For those without a scale: how much one image tells of the other. T1 and T2 of two
# brains have 0.36, a heart and a brain 0.02.
NO_SCALE = ("mind_ssc", "mse", "nmi")
LOW_TOLD_SHARE = 0.06

# How much more alike the surroundings of voxels are than by chance. Of pictures that
# were laid onto a wrong place, or onto another one, seven in eight had less; T1 and T2
# of two people, brains and hearts have 0.7 and more before anything bends.
LOW_CLARITY = {"windowed_ncc": 0.45, "mind_ssc": 0.38}
_CLEAR = 0.45  # by the other kinds

# Share of a stage's control points at their bound: the motion there is larger than
# what the stage can do. Single ones are, at sharp edges.
SATURATED_WARN_PERCENT = 5.0

# People, of all sizes, and organs in motion differ by less in length; voxel sizes that
# were read wrongly differ by more.
LARGEST_SCALE = 1.5

Rule = Callable[[Report], str | None]

_NO_STAGE = "no stage is left, so the result is the initial alignment alone"


def judge(report: Report) -> tuple[Verdict, tuple[str, ...]]:
    """Applies all rules to the numbers of a report.

    Args:
        report: Its own verdict doesn't count.

    Returns:
        The verdict and the reasons for it, gravest first.
    """
    failures = [found for rule in _FAILURES if (found := rule(report))]
    warnings = [found for rule in _WARNINGS if (found := rule(report))]
    warnings += [*report.wrong_units, *_left_out(report)]
    verdict: Verdict = "FAIL" if failures else "WARN" if warnings else "PASS"
    return verdict, (*failures, *warnings)


def _less_alike(report: Report) -> str | None:
    kind, before = report.similarity_kind, report.similarity_before
    after = report.similarity_after
    if after != after or before != before:  # NaN
        return "no voxel of the working grid could be compared"
    if not is_worse(kind, after, before):
        return None
    return (
        f"the images are less alike than before ({kind} {before:.4f} before, "
        f"{after:.4f} after)"
    )


def _folds_much(report: Report) -> str | None:
    if report.folded_percent <= FOLDED_FAIL_PERCENT:
        return None
    return (
        f"the transform folds at {percent(report.folded_percent)} of the voxels, more "
        f"than {percent(FOLDED_FAIL_PERCENT)}"
    )


def _hardly_overlaps(report: Report) -> str | None:
    return _told_overlap(report) if _is_hardly_seen(report) else None


def _moves_far(report: Report) -> str | None:
    if report.largest_displacement <= report.extent:
        return None
    return (
        f"voxels move by up to {report.largest_displacement:.0f} mm, further than the "
        f"fixed image is large ({report.extent:.0f} mm)"
    )


def _have_nothing_in_common(report: Report) -> str | None:
    return _too_unlike(report, NO_SIMILARITY, "nothing in common")


def _folds(report: Report) -> str | None:
    if not 0 < report.folded_percent <= FOLDED_FAIL_PERCENT:
        return None
    return f"the transform folds at {percent(report.folded_percent)} of the voxels"


def _hardly_gains(report: Report) -> str | None:
    kind, after = report.similarity_kind, report.similarity_after
    if report.stages and not any(stage.kept for stage in report.stages):
        return None  # said by `_left_out`
    if report.initial_alignment == "pose":
        return None  # which has gained most of it already
    before = report.similarity_before
    if is_worse(kind, after, before) or before >= ALIKE.get(kind, most_alike(kind)):
        return None
    if report.stages and report.clarity >= LOW_CLARITY.get(kind, _CLEAR):
        return None  # it started where the two belong, as was found out
    best = most_alike(kind)
    if best - after < (1 - SMALL_GAIN) * (best - before):
        return None
    told = (
        f"the images are hardly more alike than before ({kind} {before:.4f} before, "
        f"{after:.4f} after)"
    )
    # A refinement that finds nothing better leaves no stage at all.
    return told if report.stages else f"{told}: {_NO_STAGE}"


def _unlike(report: Report) -> str | None:
    if _have_nothing_in_common(report):
        return None
    return _too_unlike(report, LOW_SIMILARITY, "little in common")


def _too_unlike(report: Report, limits: dict[str, float], told: str) -> str | None:
    kind, after = report.similarity_kind, report.similarity_after
    if not after < limits.get(kind, -float("inf")):
        return None
    return (
        f"the images have {told} ({kind} {after:.2f}, below {limits[kind]}): do they "
        "show the same, and were they acquired alike?"
    )


def _tells_little(report: Report) -> str | None:
    share = report.told_share
    if report.similarity_kind not in NO_SCALE or not share < LOW_TOLD_SHARE:
        return None
    return (
        f"either image tells next to nothing about the other ({share:.2f} of 1, below "
        f"{LOW_TOLD_SHARE:g}): do they show the same?"
    )


def _is_unclear(report: Report) -> str | None:
    limit = LOW_CLARITY.get(report.similarity_kind, -math.inf)
    if not report.clarity < limit or _tells_little(report):
        return None
    return (
        "what surrounds a voxel in the one image hardly resembles what surrounds it in "
        f"the other ({report.clarity:.2f} of 1, below {limit:g}): do they show the "
        "same, and does it lie where it belongs?"
    )


def _overlaps_partly(report: Report) -> str | None:
    partly = report.overlap_percent < OVERLAP_WARN_PERCENT
    return _told_overlap(report) if partly and not _is_hardly_seen(report) else None


def _is_hardly_seen(report: Report) -> bool:
    """Whether next to nothing of the one is in the other, nor the other way round."""
    is_part = report.shown_percent >= SHOWN_PERCENT
    return report.overlap_percent < OVERLAP_FAIL_PERCENT and not is_part


def _told_overlap(report: Report) -> str:
    overlap = percent(report.overlap_percent)
    return f"only {overlap} of the fixed image come from inside the moving image"


def _saturated(report: Report) -> str | None:
    names = [
        f"{percent(share)} in {stage.name}"
        for stage in report.stages
        if stage.kept
        and (share := stage.saturated_percent or 0.0) > SATURATED_WARN_PERCENT
    ]
    if not names:
        return None
    return (
        "control points are at the bound that keeps the stage from folding "
        f"({', '.join(names)}): the motion may be larger than the model can follow"
    )


def _stretches(report: Report) -> str | None:
    scales = report.affine_scales or (1.0,)
    if max(scales) <= LARGEST_SCALE and min(scales) >= 1 / LARGEST_SCALE:
        return None
    told = ", ".join(f"{scale:.2f}" for scale in scales)
    return (
        f"the affine stage stretches lengths by {told}; are the voxel sizes in both "
        "headers right?"
    )


def _left_out(report: Report) -> list[str]:
    found = [
        f"{stage.name} was left out: {stage.reason}"
        for stage in report.stages
        if not (stage.kept or stage.looks_again)
    ]
    if found and not any(stage.kept for stage in report.stages):
        found.append(_NO_STAGE)
    return found


_FAILURES: tuple[Rule, ...] = (
    _less_alike,
    _have_nothing_in_common,
    _folds_much,
    _hardly_overlaps,
    _moves_far,
)
_WARNINGS: tuple[Rule, ...] = (
    _folds,
    _hardly_gains,
    _unlike,
    _tells_little,
    _is_unclear,
    _overlaps_partly,
    _saturated,
    _stretches,
)
