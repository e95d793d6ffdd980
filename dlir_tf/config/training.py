"""The settings of a training."""

from typing import Annotated, Literal

from pydantic import Field

from dlir_tf.config.stages import (
    Flag,
    Frozen,
    Number,
    PerAxis,
    Positive,
    PositiveInt,
    Weight,
)
from dlir_tf.config.synthesis import Synthesis

Fraction = Annotated[Number, Field(ge=0, lt=1)]


class Augmentation(Frozen):
    """Random changes of the training pairs; 0 switches one off.

    Pose changes move both images together; `relative` is the part of them that
    the moving image gets on top, by itself. `deformation` bends each image by itself,
    on the lattice of the first deformable stage; 1 is the most that can't fold.
    """

    rotation_degrees: Annotated[Number, Field(ge=0, le=180)] = 10.0
    scale: Fraction = 0.1
    translation: Fraction = 0.05
    relative: Annotated[Number, Field(ge=0, le=1)] = 0.0
    deformation: Annotated[Number, Field(ge=0, le=1)] = 0.0
    gamma: Fraction = 0.2
    noise: Weight = 0.02


class Supervision(Frozen):
    """What training learns from more than images, where pairs have it; 0 is off.

    `labels` and `landmarks` are weights, beside that of the similarity. Of many
    labels, `labels_per_step` are drawn at random for each pair and step.
    """

    labels: Weight = 0.0
    landmarks: Weight = 0.0
    labels_per_step: PositiveInt = 16


class Training(Frozen):
    """How the stages are trained, one after another; with 0 steps, only together.

    With `synthesis`, a training without pairs makes its own; they are changed by
    nothing else, so `augmentation` is for pairs that are given.
    """

    steps: Annotated[int, Field(strict=True, ge=0)] = 1000
    joint_steps: Annotated[int, Field(strict=True, ge=0)] = 0
    batch_size: PositiveInt = 1
    learning_rate: Positive = 1e-3
    joint_learning_rate: Positive = 1e-4
    patch_size: PerAxis | None = None
    validate_every: PositiveInt = 200
    cache: Literal["memory", "disk", "none"] = "memory"
    mixed_precision: Flag = False
    augmentation: Augmentation = Augmentation()
    supervision: Supervision = Supervision()
    synthesis: Synthesis | None = None
