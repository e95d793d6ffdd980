"""The settings of an image similarity."""

from typing import Annotated, Literal

from pydantic import Field

from dlir_tf.config.stages import Frozen, Positive, PositiveInt


class Similarity(Frozen):
    """The image similarity that training or refinement maximises."""

    kind: Literal["ncc", "windowed_ncc", "mse", "nmi", "mind_ssc"] = "ncc"
    window: PositiveInt = 9
    bins: Annotated[int, Field(strict=True, ge=4)] = 32
    samples: PositiveInt = 2**17
    radius: Annotated[int, Field(strict=True, ge=0)] = 1
    dilation: PositiveInt = 2
    weight: Positive = 1.0

    @property
    def is_of_one_modality(self) -> bool:
        """Whether it wants the intensities of one image to follow the other's."""
        return self.kind not in ("nmi", "mind_ssc")
