"""The settings of a model: frozen, validated, with defaults."""

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from dlir_tf.config.misfits import (
    misfits_of_patch,
    misfits_of_stages,
    misfits_of_synthesis,
)
from dlir_tf.config.refinement import Refinement
from dlir_tf.config.similarity import Similarity
from dlir_tf.config.stages import (
    BSplineStage,
    Flag,
    Frozen,
    Kept,
    LinearStage,
    NamedStage,
    Number,
    Positive,
    PositiveInt,
    Stage,
    named,
    per_axis_message,
)
from dlir_tf.config.training import Training
from dlir_tf.errors import InputError

# Where one number may stand for all axes.
PER_AXIS = (
    "spacing",
    "downsample",
    "control_point_spacing",
    "feature_spacing",
    "patch_size",
)


class Intensity(Frozen):
    """How intensities are brought to [0, 1]: clip, then scale.

    `hounsfield` says whether images are CT, in Hounsfield units; if not set, they may
    be either.
    """

    clip_percentiles: tuple[Number, Number] | None = (0.5, 99.5)
    clip_values: tuple[Number, Number] | None = None
    hounsfield: Flag | None = None

    @model_validator(mode="after")
    def _check(self) -> "Intensity":
        if self.clip_values is not None and self.clip_percentiles is not None:
            raise ValueError(
                "clip_values and clip_percentiles exclude each other; set "
                "clip_percentiles to null"
            )
        for low, high in filter(None, (self.clip_values, self.clip_percentiles)):
            if not low < high:
                raise ValueError(f"the lower limit {low} isn't below the upper {high}")
        low, high = self.clip_percentiles or (0, 100)
        if low < 0 or high > 100:
            raise ValueError("percentiles lie between 0 and 100")
        return self


InitialAlignment = Literal["header", "centers", "mass", "search", "pose"]


class Config(Frozen):
    """A registration model: the working grid, the chain of stages, the training."""

    description: str = ""
    ndim: Literal[2, 3]
    spacing: tuple[Positive | None, ...]
    longest_axis: PositiveInt | None = None
    axes: Literal["ras", "slices_last"] = "ras"
    initial_alignment: InitialAlignment = "header"
    channel: PositiveInt | None = None
    intensity: Intensity = Intensity()
    similarity: Similarity = Similarity()
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    training: Training = Training()
    refinement: Refinement = Refinement()

    @property
    def all_stages(self) -> tuple[Stage, ...]:
        """Those of the networks, then those that only a refinement has.

        That is, the networks' lattices once more, and further ones.
        """
        return (*self.stages, *self._lattices_again, *self.refinement.stages)

    @property
    def linear_stages(self) -> tuple[NamedStage[LinearStage], ...]:
        """Those whose matrices make one; they come before all others."""
        return named(self.stages, LinearStage)

    @property
    def freest_linear_stage(self) -> NamedStage[LinearStage] | None:
        """That whose matrix is made of most numbers; of several, the last."""
        return max(
            reversed(self.linear_stages),
            key=lambda one: one.stage.num_parameters[self.ndim],
            default=None,
        )

    @property
    def keeps(self) -> Kept | None:
        """What the matrix of all linear stages leaves as it is in the world."""
        freest = self.freest_linear_stage
        return None if freest is None else freest.stage.keeps

    @property
    def deformable_stages(self) -> tuple[NamedStage[BSplineStage], ...]:
        """Those whose control points a network predicts."""
        return named(self.stages, BSplineStage)

    @property
    def all_deformable_stages(self) -> tuple[NamedStage[BSplineStage], ...]:
        """Those that have control points, also if only a refinement has them."""
        return named(self.all_stages, BSplineStage)

    @property
    def stages_again(self) -> tuple[NamedStage[BSplineStage], ...]:
        """The networks' lattices, as a refinement of their answer has them again."""
        first = len(self.deformable_stages)
        return self.all_deformable_stages[first : first + len(self._lattices_again)]

    @property
    def own_stages_of_refinement(self) -> tuple[NamedStage[BSplineStage], ...]:
        """Those that only the config's `refinement` names."""
        first = len(self.deformable_stages) + len(self._lattices_again)
        return self.all_deformable_stages[first:]

    @property
    def _lattices_again(self) -> tuple[BSplineStage, ...]:
        """One of each lattice of the networks, unless a refinement leaves them out."""
        if not self.refinement.networks_lattices:
            return ()
        lattices = {
            (one.stage.downsample, one.stage.control_point_spacing): one.stage
            for one in self.deformable_stages
        }
        return tuple(lattices.values())

    @property
    def network_names(self) -> tuple[str, ...]:
        """What the networks of the stages are called within the model."""
        numbered = enumerate(self.stages, start=1)
        return tuple(stage.network_name(number) for number, stage in numbered)

    @property
    def multiple(self) -> tuple[int, ...]:
        """What the working grid's size is padded to a multiple of, per axis."""
        cells = [stage.cell_spacing for stage in self.all_stages]
        return tuple(math.lcm(*axis) for axis in zip(*cells, strict=True))

    @property
    def coarsest_lattice(self) -> tuple[int, ...] | None:
        """Control point spacing of the first deformable stage, if there is one."""
        spacings = (one.stage.control_point_spacing for one in self.deformable_stages)
        return next(spacings, None)

    @property
    def while_refining(self) -> "Config":
        """With the similarity that a refinement maximises, if that's another one."""
        if self.refinement.similarity is None:
            return self
        return self.model_copy(update={"similarity": self.refinement.similarity})

    def with_alignment(self, method: InitialAlignment | None) -> "Config":
        """The config with another initial alignment, if one is asked for.

        Raises:
            InputError: If there is no such alignment.
        """
        if method is None:
            return self
        if method not in get_args(InitialAlignment):
            raise InputError(
                f"initial_alignment: must be {', '.join(get_args(InitialAlignment))}. "
                f"Received: {method!r}"
            )
        return self.model_copy(update={"initial_alignment": method})

    @model_validator(mode="before")
    @classmethod
    def _expand_numbers(cls, data: Any) -> Any:
        """One number where one per axis is wanted stands for all axes, null too."""
        if not isinstance(data, dict) or data.get("ndim") not in (2, 3):
            return data
        ndim = int(data["ndim"])

        def expand(mapping: Any) -> Any:
            if not isinstance(mapping, dict):
                return mapping
            wide = {
                key: [mapping[key]] * ndim
                for key in PER_AXIS
                if key in mapping and _stands_for_all_axes(key, mapping[key])
            }
            return {**mapping, **wide}

        def expand_stages(mapping: Any) -> Any:
            if not isinstance(mapping, dict):
                return mapping
            stages = mapping.get("stages")
            if not isinstance(stages, list | tuple):
                return mapping
            return {**mapping, "stages": [expand(stage) for stage in stages]}

        data = expand_stages(expand(data))
        if "training" in data:
            data["training"] = expand(data["training"])
        if "refinement" in data:
            data["refinement"] = expand_stages(data["refinement"])
        return data

    @model_validator(mode="after")
    def _check(self) -> "Config":
        if found := list(self._misfits()):
            raise ValueError("\n".join(f"{place}: {what}" for place, what in found))
        return self

    def _misfits(self) -> Iterator[tuple[str, str]]:
        """Yields (place, message) for everything that doesn't fit together."""
        if len(self.spacing) != self.ndim:
            yield "spacing", per_axis_message(self.spacing, self.ndim)
        groups = {"stages": self.stages, "refinement.stages": self.refinement.stages}
        stages = {
            f"{name}[{index}]": stage
            for name, group in groups.items()
            for index, stage in enumerate(group)
        }
        yield from misfits_of_stages(stages, self.ndim)
        known = all(stage.has_rank(self.ndim) for stage in self.all_stages)
        multiple = self.multiple if known else None
        if self.training.patch_size is not None:
            yield from misfits_of_patch(self.training.patch_size, self.ndim, multiple)
        if self.training.synthesis is not None:
            sizes = self.training.synthesis.sizes
            yield from misfits_of_synthesis(sizes, self.ndim, multiple)
        if self.longest_axis is not None and any(self.spacing):
            yield (
                "longest_axis",
                "fits the spacing to each pair, so `spacing` has to be null. "
                f"Received: {list(self.spacing)}",
            )
        if not (self.training.steps or self.training.joint_steps):
            yield (
                "training.steps",
                "must be greater than 0. Received: 0, which trains nothing unless "
                "training.joint_steps says how long all stages train together",
            )
        if not (self.refinement.networks_lattices or self.refinement.stages):
            yield (
                "refinement.networks_lattices",
                "false leaves a refinement the lattices of refinement.stages alone, "
                "and there are none; add some, or set it to true",
            )
        if self.training.augmentation.deformation and self.coarsest_lattice is None:
            yield (
                "training.augmentation.deformation",
                "needs a bspline stage, whose lattice it takes; set it to 0",
            )


def _stands_for_all_axes(key: str, value: Any) -> bool:
    if value is None:
        return key == "spacing"
    return isinstance(value, int | float) and not isinstance(value, bool)
