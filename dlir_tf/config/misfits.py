"""What in a config doesn't fit together, with its place."""

from collections.abc import Iterator, Mapping, Sequence

from dlir_tf.config.stages import BSplineStage, Stage, per_axis_message

# Places and messages.
Misfits = Iterator[tuple[str, str]]


def misfits_of_stages(stages: Mapping[str, Stage], ndim: int) -> Misfits:
    """Looks at every stage, and at each with those before it.

    What has too few or too many values is compared with nothing else.

    Args:
        stages: By their places in the config, in its order.
        ndim: The config's.
    """
    earlier: list[BSplineStage] = []
    for place, stage in stages.items():
        if earlier and not isinstance(stage, BSplineStage):
            yield place, f"{stage.transform} stages come before all bspline stages"
        for key, message in stage.misfits(ndim):
            yield f"{place}.{key}", message
        if isinstance(stage, BSplineStage):
            if stage.has_rank(ndim):
                coarser = [spline for spline in earlier if spline.has_rank(ndim)]
                yield from _too_coarse(stage, f"{place}.downsample", coarser)
            earlier.append(stage)


def _too_coarse(
    stage: BSplineStage, place: str, earlier: Sequence[BSplineStage]
) -> Misfits:
    for coarser in earlier:
        pairs = zip(coarser.control_point_spacing, stage.downsample, strict=True)
        if any(spacing % factor for spacing, factor in pairs):
            yield (
                place,
                "must divide the control_point_spacing of every stage "
                f"before, {coarser.control_point_spacing}: stages go from "
                f"coarse to fine. Received: {stage.downsample}",
            )
            return


def misfits_of_patch(
    patch: tuple[int, ...], ndim: int, multiple: tuple[int, ...] | None
) -> Misfits:
    """Looks at the size of patches.

    Args:
        patch: In working voxels.
        ndim: The config's.
        multiple: What the stages need; `None` if that isn't known.
    """
    place = "training.patch_size"
    if len(patch) != ndim:
        yield place, per_axis_message(patch, ndim)
    elif multiple and any(p % m for p, m in zip(patch, multiple, strict=True)):
        yield (
            place,
            f"must be a multiple of {multiple}, what the stages need. "
            f"Received: {patch}",
        )


def misfits_of_synthesis(
    sizes: Sequence[tuple[int, ...]], ndim: int, multiple: tuple[int, ...] | None
) -> Misfits:
    """Looks at the sizes of synthetic images.

    Args:
        sizes: In working voxels.
        ndim: The config's.
        multiple: What the stages need; `None` if that isn't known.
    """
    for index, size in enumerate(sizes):
        place = f"training.synthesis.sizes[{index}]"
        if len(size) != ndim:
            yield place, per_axis_message(size, ndim)
        elif multiple and any(n % m for n, m in zip(size, multiple, strict=True)):
            yield (
                place,
                f"must be a multiple of {multiple}, what the stages need. "
                f"Received: {size}",
            )
