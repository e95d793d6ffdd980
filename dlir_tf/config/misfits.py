"""What in a config doesn't fit together, with its place."""

from collections.abc import Iterator
from typing import Any, Protocol

from dlir_tf.config.refinement import Refinement
from dlir_tf.config.stages import AffineStage, BSplineStage, Stage

Misfits = Iterator[tuple[str, str]]


class _Augmentation(Protocol):
    @property
    def deformation(self) -> float: ...


class _Training(Protocol):
    @property
    def patch_size(self) -> tuple[int, ...] | None: ...
    @property
    def augmentation(self) -> _Augmentation: ...


class _Config(Protocol):
    """What of a config is looked at here; its class looks at this in turn."""

    @property
    def ndim(self) -> int: ...
    @property
    def spacing(self) -> tuple[float | None, ...]: ...
    @property
    def stages(self) -> tuple[Stage, ...]: ...
    @property
    def all_stages(self) -> tuple[Stage, ...]: ...
    @property
    def refinement(self) -> Refinement: ...
    @property
    def training(self) -> _Training: ...
    @property
    def multiple(self) -> tuple[int, ...]: ...
    @property
    def coarsest_lattice(self) -> tuple[int, ...] | None: ...


def misfits(config: _Config) -> Misfits:
    """Yields (place, message) for everything that doesn't fit together.

    What has too few or too many values is compared with nothing else.
    """
    if len(config.spacing) != config.ndim:
        yield "spacing", _per_axis_message(config.spacing, config.ndim)
    earlier: list[BSplineStage] = []
    complete = True
    places = [f"stages[{number}]" for number in range(len(config.stages))]
    more = len(config.refinement.stages)
    places += [f"refinement.stages[{number}]" for number in range(more)]
    for number, (place, stage) in enumerate(
        zip(places, config.all_stages, strict=True)
    ):
        if isinstance(stage, AffineStage) and any(
            isinstance(before, BSplineStage) for before in config.stages[:number]
        ):
            yield place, "affine stages come before all bspline stages"
        wrong_lengths = list(_wrong_lengths(stage, place, config.ndim))
        yield from wrong_lengths
        if wrong_lengths:
            complete = False
            continue
        yield from _odd_cells(stage, place)
        if isinstance(stage, BSplineStage):
            yield from _too_coarse(stage, place, earlier)
            earlier.append(stage)
    yield from _unfit_patch(config, complete)
    if config.training.augmentation.deformation and config.coarsest_lattice is None:
        yield (
            "training.augmentation.deformation",
            "needs a bspline stage, whose lattice it takes; set it to 0",
        )


def _wrong_lengths(stage: Stage, place: str, ndim: int) -> Misfits:
    for name in ("downsample", _cell_name(stage)):
        values = getattr(stage, name)
        if len(values) != ndim:
            yield f"{place}.{name}", _per_axis_message(values, ndim)


def _odd_cells(stage: Stage, place: str) -> Misfits:
    pairs = zip(stage.cell_spacing, stage.downsample, strict=True)
    if any(
        cell % factor or not _is_power_of_two(cell // factor) for cell, factor in pairs
    ):
        yield (
            f"{place}.{_cell_name(stage)}",
            f"must be a power of two times `downsample` {stage.downsample}. "
            f"Received: {stage.cell_spacing}",
        )


def _too_coarse(
    stage: BSplineStage, place: str, earlier: list[BSplineStage]
) -> Misfits:
    for coarser in earlier:
        pairs = zip(coarser.control_point_spacing, stage.downsample, strict=True)
        if any(spacing % factor for spacing, factor in pairs):
            yield (
                f"{place}.downsample",
                "must divide the control_point_spacing of every stage "
                f"before, {coarser.control_point_spacing}: stages go from "
                f"coarse to fine. Received: {stage.downsample}",
            )
            return


def _unfit_patch(config: _Config, stages_complete: bool) -> Misfits:
    patch = config.training.patch_size
    if patch is None:
        return
    if len(patch) != config.ndim:
        yield "training.patch_size", _per_axis_message(patch, config.ndim)
    elif stages_complete and any(
        p % m for p, m in zip(patch, config.multiple, strict=True)
    ):
        yield (
            "training.patch_size",
            f"must be a multiple of {config.multiple}, what the stages need. "
            f"Received: {patch}",
        )


def _cell_name(stage: Stage) -> str:
    is_affine = isinstance(stage, AffineStage)
    return "feature_spacing" if is_affine else "control_point_spacing"


def _per_axis_message(values: tuple[Any, ...], ndim: int) -> str:
    return f"needs {ndim} values, one per axis. Received: {list(values)}"


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0
