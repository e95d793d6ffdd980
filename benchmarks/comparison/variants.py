"""A config without one of its parts, to see what the part brings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dlir_tf.config import AffineStage, BSplineStage, Config
from dlir_tf.config.stages import Stage


@dataclass(frozen=True)
class Variant:
    """A way to change a config.

    Attributes:
        title: What tables call it.
        stages: Makes the variant's stages from the config's.
        refined: Whether pairs are refined after the one shot. The model is that of
            the variant that isn't and has the same stages.
    """

    title: str
    stages: Callable[[tuple[Stage, ...]], Iterator[Stage]] = iter
    refined: bool = False


def _affine_only(stages: tuple[Stage, ...]) -> Iterator[Stage]:
    return (stage for stage in stages if isinstance(stage, AffineStage))


def _one_deformable(stages: tuple[Stage, ...]) -> Iterator[Stage]:
    yield from _affine_only(stages)
    yield from [stage for stage in stages if isinstance(stage, BSplineStage)][:1]


def _changed(kind: type, **update: object) -> Callable:
    """Replaces settings of the stages of a kind."""

    def change(stages: tuple[Stage, ...]) -> Iterator[Stage]:
        for stage in stages:
            of_kind = isinstance(stage, kind)
            yield stage.model_copy(update=update) if of_kind else stage

    return change


VARIANTS = {
    "affine": Variant("affine stages only", _affine_only),
    "one-deformable": Variant("up to the first deformable stage", _one_deformable),
    "all": Variant("all stages"),
    "no-bending": Variant(
        "all, without bending energy", _changed(BSplineStage, bending_energy=0.0)
    ),
    "no-bound": Variant(
        "all, without the injectivity bound", _changed(BSplineStage, injective=False)
    ),
    "neither": Variant(
        "all, with neither of them",
        _changed(BSplineStage, bending_energy=0.0, injective=False),
    ),
    "average-pooling": Variant(
        "all, with the paper's average pooling in affine stages",
        _changed(AffineStage, pooling_mode="average"),
    ),
    "affine-average-pooling": Variant(
        "affine stages only, with the paper's average pooling",
        lambda stages: _changed(AffineStage, pooling_mode="average")(
            tuple(_affine_only(stages))
        ),
    ),
    "refined": Variant("all stages, then refined", refined=True),
}


def variant_config(config: Config, name: str) -> Config | None:
    """The config of a variant.

    Args:
        config: The whole one.
        name: Of `VARIANTS`.

    Returns:
        The changed config; `None` if the variant says nothing about this config: no
        stages are left, or what is changed isn't there.
    """
    variant = VARIANTS[name]
    stages = tuple(variant.stages(config.stages))
    unchanged = stages == config.stages and name not in ("all", "refined")
    if not stages or unchanged:
        return None
    return config.model_copy(update={"stages": stages})
