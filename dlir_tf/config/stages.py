"""The settings of a stage: one network and its transform.

A stage is linear or deformable: its network gives the numbers that a matrix is made
of, or the control points of a spline. The matrices of all linear stages make one.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, ClassVar, Generic, Literal, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field

from dlir_tf.splines.lattice import lattice_shape

# What the matrix of all linear stages is called, wherever tensors have names: among
# the outputs of a network, of an exported model and of a server.
MATRIX = "affine"
CONTROL_POINTS = "control_points_"  # and their stage's number

# Strict: `true` and `"5"` are no numbers; an int will do for a float.
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Positive = Annotated[float, Field(strict=True, gt=0)]
Weight = Annotated[float, Field(strict=True, ge=0)]
PositiveInt = Annotated[int, Field(strict=True, gt=0)]
PerAxis = tuple[PositiveInt, ...]
Kept = Literal["lengths", "angles"]
Filters = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


class Frozen(BaseModel):
    """Settings that can't be changed and know no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Stage(Frozen, ABC):
    # The setting that says how many working voxels a cell of the last feature map has.
    cell_key: ClassVar[str]

    downsample: PerAxis
    filters: Filters = (16, 32, 32, 32)
    convolutions: PositiveInt = 1
    normalization: Literal["none", "batch"] = "none"
    steps: PositiveInt | None = None
    learning_rate: Positive | None = None
    transform: str

    @property
    def cell_spacing(self) -> tuple[int, ...]:
        """Working voxels per cell of the last feature map."""
        spacing: tuple[int, ...] = getattr(self, self.cell_key)
        return spacing

    @property
    def pooling(self) -> tuple[int, ...]:
        """Stage voxels per cell of the last feature map, a power of two per axis."""
        return tuple(
            cell // factor
            for cell, factor in zip(self.cell_spacing, self.downsample, strict=True)
        )

    def has_rank(self, ndim: int) -> bool:
        """Whether it has one value per axis, where it should."""
        return len(self.downsample) == len(self.cell_spacing) == ndim

    def misfits(self, ndim: int) -> Iterator[tuple[str, str]]:
        """Yields (setting, message) for what doesn't fit together within the stage."""
        for key in ("downsample", self.cell_key):
            values = getattr(self, key)
            if len(values) != ndim:
                yield key, per_axis_message(values, ndim)
        pairs = zip(self.cell_spacing, self.downsample, strict=False)
        if self.has_rank(ndim) and not all(
            cell % factor == 0 and _is_power_of_two(cell // factor)
            for cell, factor in pairs
        ):
            yield (
                self.cell_key,
                f"must be a power of two times `downsample` {self.downsample}. "
                f"Received: {self.cell_spacing}",
            )

    def network_name(self, number: int) -> str:
        """What the network of this stage is called, the `number`th of its config."""
        return f"stage_{number}_{self.transform}"

    @abstractmethod
    def parameters_name(self, number: int) -> str:
        """What a model calls that which this stage finds."""


class LinearStage(_Stage):
    """A ConvNet for the numbers of a matrix; `feature_spacing` is in working voxels."""

    cell_key = "feature_spacing"
    # How many numbers a matrix is made of, by rank.
    num_parameters: ClassVar[Mapping[int, int]]
    # What of the world its matrix leaves as it is, beside straight lines.
    keeps: ClassVar[Kept | None] = None

    feature_spacing: PerAxis
    pooling_mode: Literal["average", "centroid"] = "centroid"
    dense_units: tuple[PositiveInt, ...] = (64,)

    def parameters_name(self, number: int) -> str:
        """What a model calls the matrix, which all linear stages have a part in."""
        return MATRIX


class RigidStage(LinearStage):
    """Translation and rotation."""

    num_parameters = {2: 3, 3: 6}
    keeps = "lengths"

    transform: Literal["rigid"]
    max_rotation_degrees: Annotated[Positive, Field(le=180)] = 45.0


class SimilarityStage(LinearStage):
    """Translation, rotation and one scale for all directions."""

    num_parameters = {2: 4, 3: 7}
    keeps = "angles"

    transform: Literal["similarity"]
    max_rotation_degrees: Annotated[Positive, Field(le=180)] = 45.0


class AffineStage(LinearStage):
    """Translation, rotation, scaling and shear."""

    num_parameters = {2: 6, 3: 12}

    transform: Literal["affine"]
    max_rotation_degrees: Annotated[Positive, Field(le=180)] = 45.0
    max_shear: Positive = 0.5


class BSplineStage(_Stage):
    """A deformable ConvNet; `control_point_spacing` is in working voxels."""

    cell_key = "control_point_spacing"

    transform: Literal["bspline"]
    control_point_spacing: PerAxis
    lattice_filters: PositiveInt = 32
    bending_energy: Weight = 1.0
    folding_penalty: Weight = 0.0
    injective: Flag = True

    def parameters_name(self, number: int) -> str:
        """What a model calls the control points of this stage."""
        return f"{CONTROL_POINTS}{number}"

    def spacing_name(self, number: int) -> str:
        """What an exported model calls the spacing of these control points."""
        return f"control_point_spacing_{number}"

    def lattice_shape(self, size: Sequence[int]) -> tuple[int, ...]:
        """How many control points a grid of `size` working voxels has, per axis."""
        return lattice_shape(size, self.control_point_spacing)


_Kind = RigidStage | SimilarityStage | AffineStage | BSplineStage
Stage = Annotated[_Kind, Field(discriminator="transform")]
KINDS: tuple[type[_Kind], ...] = get_args(_Kind)
# What `transform` may be.
TRANSFORMS: tuple[str, ...] = tuple(
    get_args(kind.model_fields["transform"].annotation)[0] for kind in KINDS
)
AnyStage = TypeVar("AnyStage", bound=_Stage)


class NamedStage(NamedTuple, Generic[AnyStage]):
    """A stage and its place in a config.

    Attributes:
        number: Counted from 1, over all stages.
        name: Of its parameters, wherever tensors have names.
        stage: Its settings.
    """

    number: int
    name: str
    stage: AnyStage


def named(
    stages: Sequence[_Stage], kind: type[AnyStage]
) -> tuple[NamedStage[AnyStage], ...]:
    """Those stages of a config that are of one kind, with their places in it."""
    return tuple(
        NamedStage(number, stage.parameters_name(number), stage)
        for number, stage in enumerate(stages, start=1)
        if isinstance(stage, kind)
    )


def per_axis_message(values: Sequence[object], ndim: int) -> str:
    """What to say where there isn't one value per axis."""
    return f"needs {ndim} values, one per axis. Received: {list(values)}"


def _is_power_of_two(value: int) -> bool:
    return value > 0 and value & (value - 1) == 0
