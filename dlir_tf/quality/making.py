"""Making the report of a registration."""

import functools
import importlib.metadata
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from dlir_tf._version import __version__
from dlir_tf.config import Config
from dlir_tf.images import Grid, Image
from dlir_tf.numerics import UNCOMPILED, Numerics
from dlir_tf.quality.field import measure_field
from dlir_tf.quality.report import RefinementOutcome, Report
from dlir_tf.quality.selection import Selection
from dlir_tf.quality.verdict import judge
from dlir_tf.transforms import Transform


def make_report(
    selection: Selection,
    displacement: np.ndarray,
    fixed: Grid,
    moving: Grid,
    *,
    config: Config,
    initial: Transform,
    alignment: str,
    choices: tuple[str, ...] = (),
    clarity: float = math.nan,
    provenance: Mapping[str, Any],
    refinement: RefinementOutcome | None = None,
    masks: Mapping[str, Image | None] | None = None,
    wrong_units: tuple[str, ...] = (),
    packages: tuple[str, ...] = (),
    numerics: Numerics = UNCOMPILED,
) -> Report:
    """Measures a result and judges it.

    Args:
        selection: The stages that are part of it.
        displacement: `(*fixed.shape, ndim)`, mm, RAS+.
        fixed: The fixed image's grid.
        moving: The moving image's grid.
        config: The model's.
        initial: The initial alignment, from fixed to moving points.
        alignment: What the initial alignment is called.
        choices: What was chosen for this pair, a sentence each.
        clarity: How clearly the two belong together like that, if it was measured.
        provenance: The model's, or nothing.
        refinement: What the refinement did, if there was one.
        masks: `fixed_mask` and `moving_mask`, each on its image's grid, or `None`.
        wrong_units: See `dlir_tf.quality.units`.
        packages: What had a say in the result.
        numerics: What measures it.
    """
    masks = masks or {}
    (centre,) = initial.map_points(fixed.centre[None])
    own_mask = masks.get("fixed_mask")
    field = measure_field(displacement, fixed, moving, initial, own_mask, numerics)
    report = Report(
        verdict="PASS",
        reasons=(),
        similarity_kind=config.similarity.kind,
        similarity_before=selection.similarity_before,
        similarity_after=selection.similarity_after,
        stages=selection.stages,
        refinement=refinement,
        initial_alignment=alignment,
        initial_shift=tuple(float(x) for x in centre - fixed.centre),
        affine_scales=selection.affine_scales,
        told_share=selection.told_share,
        **asdict(field),
        extent=float(np.linalg.norm(fixed.extent)),
        masks=tuple(name for name, mask in masks.items() if mask is not None),
        seconds=math.nan,
        model=provenance.get("weights_sha256"),
        versions=_versions(packages),
        wrong_units=wrong_units,
        choices=choices,
        clarity=clarity,
    )
    verdict, reasons = judge(report)
    return replace(report, verdict=verdict, reasons=reasons)


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    own = {"dlir_tf": __version__, "python": platform.python_version()}
    return own | {name: _version(name) for name in packages}


# Reading a package's metadata takes some milliseconds.
_version = functools.cache(importlib.metadata.version)
