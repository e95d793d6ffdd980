"""What a page says of a pair in words and numbers, as HTML."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from dlir_tf.errors import counted
from dlir_tf.page.markup import (
    items,
    millimetres,
    number,
    pairs,
    percent,
    section,
    table,
)
from dlir_tf.page.packing import Built

_BADGES = {
    "PASS": "Passed every check",
    "WARN": "Have a look before you use it",
    "FAIL": "Don't use it",
}
KINDS = {
    "ncc": "Cross-correlation",
    "windowed_ncc": "Windowed cross-correlation",
    "mse": "Minus the mean squared difference",
    "nmi": "Normalised mutual information",
    "mind_ssc": "Minus the distance of self-similarity contexts",
}


def verdict_html(report: Mapping[str, Any] | None) -> str:
    """The verdict with its reasons; a line that there is none, without a report.

    Args:
        report: As `Report.to_dict` has it.
    """
    verdict = str((report or {}).get("verdict", ""))
    if verdict not in _BADGES:
        return '<p class="verdict none">No report: judge by what you see.</p>'
    reasons = items((report or {}).get("reasons") or ())
    return (
        f'<p class="verdict {verdict.lower()}"><strong>{verdict}</strong> '
        f"{_BADGES[verdict]}</p>{reasons}"
    )


def facts_html(report: Mapping[str, Any] | None, built: Built) -> str:
    """All sections beside the images.

    Args:
        report: As `Report.to_dict` has it, or none.
        built: What was measured on the shown grid.
    """
    sections = []
    if report:
        sections += [
            section("How alike they are", _similarity(report)),
            section("What each stage brought", _stages(report)),
            section("Deformation", _deformation(report)),
        ]
    else:
        sections += [section("How alike they are", _measured_similarity(built))]
    sections += [
        section("Overlap of labels (Dice)", _overlap(built)),
        section("Landmarks", _landmarks(built.data.get("landmarks", ()))),
    ]
    if report:
        sections += [
            section("How it was done", _making(report)),
            section("Versions", pairs(report.get("versions") or {})),
        ]
    return "\n".join(filter(None, sections))


def can_be_told(report: Mapping[str, Any]) -> bool:
    """Whether what a page says of a report is in it, each of its kind.

    Args:
        report: From a file, so it may hold anything.
    """
    try:
        verdict_html(report)
        facts_html(report, Built({}, {}, (), {}))
    except (TypeError, ValueError, LookupError, AttributeError):
        return False
    return True


def _similarity(report: Mapping[str, Any]) -> str:
    kind = str(report.get("similarity_kind"))
    rows = {
        "Before": number(report.get("similarity_before"), 3),
        "After": number(report.get("similarity_after"), 3),
        "Voxels from inside the moving image": percent(report.get("overlap_percent")),
    }
    return f"<p>{escape(KINDS.get(kind, kind))}; the higher, the better.</p>" + pairs(
        rows
    )


def _measured_similarity(built: Built) -> str:
    found = built.measured.get("similarity") or {}
    names = {"moving": "Before", "moved": "After"}
    rows = {names[role]: number(value, 3) for role, value in found.items()}
    return "<p>Cross-correlation of what is shown; 1 is the most.</p>" + pairs(rows)


def _stages(report: Mapping[str, Any]) -> str:
    stages = report.get("stages") or ()
    if not stages:
        return ""
    rows: list[tuple[str, ...]] = []
    told: list[str] = []
    previous = report.get("similarity_before")
    for stage in stages:
        similarity = stage.get("similarity")
        gain = "–"
        if similarity is not None and previous is not None:
            gain = f"{similarity - previous:+.3f}"
        kept = bool(stage.get("kept"))
        previous = similarity if kept else previous
        about = [] if kept else ["left out"]
        about += [str(stage["reason"])] if stage.get("reason") else []
        if (full := stage.get("saturated_percent")) is not None and full > 0:
            about.append(f"{full:.1f} % of its control points at their bound")
        rows.append(
            (
                f"{stage.get('number')} {stage.get('transform')}",
                number(similarity, 3),
                gain,
                number(stage.get("smallest_jacobian"), 2),
            )
        )
        if about:
            told.append(f"Stage {stage.get('number')}: {'; '.join(about)}.")
    heads = ("Stage", "Similarity", "Gain", "Smallest Jacobian")
    brought = table(heads, rows, "What each stage brought")
    return brought + items(told) + _refinement(report)


def _refinement(report: Mapping[str, Any]) -> str:
    refined = report.get("refinement")
    if not refined:
        return ""
    return (
        f"<p>Refined in {counted(int(refined['steps']), 'step', 'steps')}: loss "
        f"{number(refined['loss_before'], 4)} before, "
        f"{number(refined['loss_after'], 4)} after.</p>"
    )


def _deformation(report: Mapping[str, Any]) -> str:
    scales = report.get("affine_scales")
    rows = {
        "Mean displacement": millimetres(report.get("mean_displacement")),
        "Largest displacement": millimetres(report.get("largest_displacement")),
        "Folded voxels": percent(report.get("folded_percent"), 3),
        "Smallest Jacobian": number(report.get("smallest_jacobian"), 3),
        "Spread of log Jacobian": number(report.get("std_log_jacobian"), 3),
    }
    if scales:
        rows["Affine scales"] = " × ".join(f"{scale:.3f}" for scale in scales)
    return pairs(rows)


def _overlap(built: Built) -> str:
    found = built.measured.get("dice") or {}
    if not found:
        return ""
    names = sorted(set().union(*found.values()))
    rows = [
        (str(name), *(number(found.get(r, {}).get(name), 3) for r in found))
        for name in names
    ]
    heads = ("Label", *({"moving": "Before", "moved": "After"}[role] for role in found))
    means = [np.nanmean(list(values.values()) or [np.nan]) for values in found.values()]
    rows.append(("mean", *(number(mean, 3) for mean in means)))
    return table(heads, rows, "Overlap of labels")


def _landmarks(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    kinds = [kind for kind in ("before", "after") if f"error_{kind}" in rows[0]]
    lines = []
    for index, row in enumerate(rows):
        cells = "".join(f"<td>{row[f'error_{kind}']:.2f}</td>" for kind in kinds)
        lines.append(
            f'<tr><td><button type="button" class="landmark" data-index="{index}">'
            f"{escape(row['name'])}</button></td>{cells}</tr>"
        )
    errors = {kind: [row[f"error_{kind}"] for row in rows] for kind in kinds}
    foot = "".join(f"<td>{np.mean(errors[kind]):.2f}</td>" for kind in kinds)
    heads = "".join(f'<th scope="col">{kind.title()} (mm)</th>' for kind in kinds)
    return (
        "<p>A click goes there.</p>"
        '<div class="scroll"><table><caption>Errors of landmarks</caption><thead><tr>'
        f'<th scope="col">Landmark</th>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody>"
        f"<tfoot><tr><td>mean</td>{foot}</tr></tfoot></table></div>"
    )


def _making(report: Mapping[str, Any]) -> str:
    shift = report.get("initial_shift") or ()
    rows = {
        "Initial alignment": str(report.get("initial_alignment")),
        "It shifts by": " , ".join(f"{value:.1f}" for value in shift) + " mm",
        "Masks": ", ".join(report.get("masks") or ()) or "none",
        "Seconds": number(report.get("seconds"), 1),
        "Model": str(report.get("model") or "none")[:12],
    }
    return pairs(rows) + items(report.get("choices") or ())
