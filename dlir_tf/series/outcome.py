"""How the registration of a frame went, in numbers."""

from dataclasses import dataclass

import numpy as np

from dlir_tf.images import Image
from dlir_tf.models.parameters import Parameters
from dlir_tf.quality.making import make_report
from dlir_tf.quality.selection import Selection
from dlir_tf.series.frame import Answer, FrameRegistrar
from dlir_tf.transforms import Affine, Transform


@dataclass(frozen=True)
class FrameOutcome:
    """How a frame went.

    Attributes:
        frame: Its number, from 0.
        start: Where its registration started from: `"rest"`, `"its own answer"`,
            `"frame 3"` or `"the start chosen by the images"`; empty for the reference.
        similarity_kind: `"ncc"`, say; see `dlir_tf.metrics.similarity`.
        similarity_before: To the reference, as the frame is.
        similarity_after: Through the transform.
        mean_displacement: Over the reference's voxels, mm.
        largest_displacement: Likewise.
        smallest_jacobian: The smallest Jacobian determinant there.
        folded_percent: Share of the voxels where it's at most 0.
        failure: Why the transform isn't to be used; empty if nothing speaks against it.
    """

    frame: int
    start: str
    similarity_kind: str
    similarity_before: float
    similarity_after: float
    mean_displacement: float
    largest_displacement: float
    smallest_jacobian: float
    folded_percent: float
    failure: str


def outcome_of(
    number: int,
    registrar: FrameRegistrar,
    frame: Image,
    answer: Answer,
    transform: Transform,
    displacement: np.ndarray,
) -> FrameOutcome:
    """Measures what became of a frame.

    Args:
        number: Of the frame.
        registrar: That registered it.
        frame: As it was registered.
        answer: That was found.
        transform: What became of its transform after smoothing.
        displacement: Of that, on the grid of what it was registered to, mm.
    """
    after = answer.similarity_after
    if transform is not answer.transform:
        after = registrar.alike(frame, transform)
    ndim, fixed = frame.ndim, registrar.fixed
    still = Transform((Affine(np.eye(ndim + 1)),))
    selection = Selection(
        Parameters.identity(ndim), (), answer.similarity_before, after, None
    )
    report = make_report(
        selection,
        displacement,
        fixed.grid,
        frame.grid,
        config=registrar.judging,
        initial=still,
        alignment="header",
        provenance={},
        masks={"fixed_mask": registrar.mask},
        numerics=registrar.numerics,
    )
    failed = report.verdict == "FAIL"
    return FrameOutcome(
        number,
        answer.start,
        report.similarity_kind,
        report.similarity_before,
        after,
        report.mean_displacement,
        report.largest_displacement,
        report.smallest_jacobian,
        report.folded_percent,
        report.reasons[0] if failed else "",
    )
