"""Report: how a registration went, in numbers and as a verdict."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from dlir_tf.files import replacing
from dlir_tf.quality.selection import StageOutcome

Verdict = Literal["PASS", "WARN", "FAIL"]

FORMAT_VERSION = 1


@dataclass(frozen=True)
class RefinementOutcome:
    """What a refinement did.

    Attributes:
        steps: How many were taken.
        loss_before: Of what it started from.
        loss_after: Of what it ended with; the same if it found nothing better.
    """

    steps: int
    loss_before: float
    loss_after: float


@dataclass(frozen=True)
class Report:
    """How a registration went.

    What can't be measured is NaN here and `null` in a file.

    Attributes:
        verdict: `"PASS"`, `"WARN"` (have a look) or `"FAIL"` (don't use it).
        reasons: Why it isn't `"PASS"`, a sentence each.
        similarity_kind: `"ncc"`, say; see `dlir_tf.metrics.similarity`.
        similarity_before: With the initial alignment alone; the higher, the more alike.
        similarity_after: With the result.
        stages: What became of each stage, in the order in which they build upon each
            other.
        refinement: What the refinement did; `None` if there was none.
        initial_alignment: `"header"`, `"centers"`, `"mass"`, `"search"` or `"pose"`; or
            `"transform"`, where one was given to start from; or, where it was chosen,
            what led there.
        initial_shift: How far that moves the centre of the fixed image, in mm along
            the world axes (RAS+).
        affine_scales: By what factors the affine stage stretches lengths, the largest
            first; `None` if it's not part of the result.
        smallest_jacobian: The smallest Jacobian determinant on the fixed grid.
        folded_percent: Share of voxels where it's at most 0.
        std_log_jacobian: Standard deviation of its logarithm.
        largest_displacement: In mm, beyond the initial alignment.
        mean_displacement: Likewise.
        extent: The diagonal of the fixed image, in mm.
        overlap_percent: Share of the fixed voxels that come from inside the moving
            image; with a fixed mask, of the voxels inside that.
        masks: Which masks there were: `"fixed_mask"`, `"moving_mask"`.
        wrong_units: What images aren't in the units that the config was made for, a
            sentence each.
        choices: What was chosen for this pair, where nothing else was said, a sentence
            each.
        seconds: How long the registration took.
        model: SHA-256 of the model's weights, as in its provenance; `None` if unknown.
        versions: Of Python and the packages that the result comes from.
        shown_percent: Share of the moving image that the fixed one shows.
        told_share: How much of either image the other one tells, of what isn't
            background, from about 0 to 1; see `dlir_tf.metrics.telling`.
        clarity: How much more alike the surroundings of voxels that were laid onto each
            other are than those of any two, as a share, at most 1; measured where
            settings were chosen for the pair.
        format_version: Of the file.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    similarity_kind: str
    similarity_before: float
    similarity_after: float
    stages: tuple[StageOutcome, ...]
    refinement: RefinementOutcome | None
    initial_alignment: str
    initial_shift: tuple[float, ...]
    affine_scales: tuple[float, ...] | None
    smallest_jacobian: float
    folded_percent: float
    std_log_jacobian: float
    largest_displacement: float
    mean_displacement: float
    extent: float
    overlap_percent: float
    masks: tuple[str, ...]
    seconds: float
    model: str | None
    versions: Mapping[str, str]
    wrong_units: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    shown_percent: float = math.nan
    told_share: float = math.nan
    clarity: float = math.nan
    format_version: int = FORMAT_VERSION

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON knows it: NaN is `None`."""
        plain = _plain(asdict(self))
        return dict(plain)


def write_report(path: str | Path, report: Report) -> None:
    """Writes a report as JSON, whole or not at all.

    Args:
        path: An existing file is replaced.
        report: Of a registration.
    """
    with replacing(Path(path)) as unfinished:
        text = json.dumps(report.to_dict(), indent=2, allow_nan=False)
        unfinished.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
