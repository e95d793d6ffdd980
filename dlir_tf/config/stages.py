"""The settings of a stage: one network and its transform."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# Strict: `true` and `"5"` are no numbers; an int will do for a float.
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
Positive = Annotated[float, Field(strict=True, gt=0)]
Weight = Annotated[float, Field(strict=True, ge=0)]
PositiveInt = Annotated[int, Field(strict=True, gt=0)]
PerAxis = tuple[PositiveInt, ...]
Filters = Annotated[tuple[PositiveInt, ...], Field(min_length=1)]


class Frozen(BaseModel):
    """Settings that can't be changed and know no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Stage(Frozen):
    downsample: PerAxis
    filters: Filters = (16, 32, 32, 32)
    convolutions: PositiveInt = 1
    normalization: Literal["none", "batch"] = "none"
    steps: PositiveInt | None = None
    learning_rate: Positive | None = None

    @property
    def cell_spacing(self) -> tuple[int, ...]:
        """Working voxels per cell of the last feature map."""
        raise TypeError("a stage is either affine or bspline")

    @property
    def pooling(self) -> tuple[int, ...]:
        """Stage voxels per cell of the last feature map, a power of two per axis."""
        return tuple(
            cell // factor
            for cell, factor in zip(self.cell_spacing, self.downsample, strict=True)
        )


class AffineStage(_Stage):
    """An affine ConvNet; `feature_spacing` is in working voxels."""

    transform: Literal["affine"]
    feature_spacing: PerAxis
    pooling_mode: Literal["average", "centroid"] = "centroid"
    dense_units: tuple[PositiveInt, ...] = (64,)
    max_rotation_degrees: Annotated[Positive, Field(le=180)] = 45.0
    max_shear: Positive = 0.5

    @property
    def cell_spacing(self) -> tuple[int, ...]:
        """Working voxels per cell of the last feature map."""
        return self.feature_spacing


class BSplineStage(_Stage):
    """A deformable ConvNet; `control_point_spacing` is in working voxels."""

    transform: Literal["bspline"]
    control_point_spacing: PerAxis
    lattice_filters: PositiveInt = 32
    bending_energy: Weight = 1.0
    folding_penalty: Weight = 0.0
    injective: Flag = True

    @property
    def cell_spacing(self) -> tuple[int, ...]:
        """Working voxels per cell of the last feature map."""
        return self.control_point_spacing


Stage = Annotated[AffineStage | BSplineStage, Field(discriminator="transform")]
