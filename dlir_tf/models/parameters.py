"""The parameters of a pair's transform, and what finds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dlir_tf.config import MATRIX, BSplineStage, Config, NamedStage
from dlir_tf.errors import InputError

# A service that waits for a pair needn't have them yet.
if TYPE_CHECKING:
    from dlir_tf.numerics import Numerics
    from dlir_tf.pairs.working_pair import WorkingPair

# Of NumPy; within a graph, tensors.
Array = Any


@dataclass(frozen=True, eq=False)
class Parameters:
    """What a chain of stages found for a pair, in voxels of its working grid.

    Attributes:
        matrix: Of all linear stages together, `(ndim, ndim + 1)`; a point goes through
            it last. The identity if there is no such stage.
        control_points: Of those deformable stages that count, `(*lattice_shape, ndim)`,
            by the names that `Config.all_deformable_stages` gives them.
    """

    matrix: Array
    control_points: Mapping[str, Array]

    @classmethod
    def of(cls, named: Mapping[str, Array], config: Config) -> "Parameters":
        """Picks them out of tensors by name, such as the outputs of a network.

        Args:
            named: May have others, and needn't have all control points.
            config: Says the stages.
        """
        names = [name for _, name, _ in config.all_deformable_stages]
        return cls(
            named[MATRIX], {name: named[name] for name in names if name in named}
        )

    @classmethod
    def identity(cls, ndim: int) -> "Parameters":
        """Those that move nothing."""
        return cls(np.eye(ndim, ndim + 1), {})

    def named(self) -> dict[str, Array]:
        """All of them by name; the way back of the above."""
        return {MATRIX: self.matrix, **self.control_points}

    def splines(self, config: Config) -> list[tuple[NamedStage[BSplineStage], Array]]:
        """Those deformable stages that count, coarse to fine, with control points."""
        return [
            (one, self.control_points[one.name])
            for one in config.all_deformable_stages
            if one.name in self.control_points
        ]


class Predictor(Protocol):
    """What finds the parameters of a pair's transform: a model, however it runs."""

    @property
    def config(self) -> Config:
        """What the model was built from."""

    @property
    def shape(self) -> tuple[int, ...] | None:
        """The only shape of working grids that it takes; `None` if it takes any."""

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Like that of a model folder; reports name the `weights_sha256` in it."""

    @property
    def numerics(self) -> "Numerics":
        """The functions that evaluate its transforms and warp images by them."""

    def predict(self, pair: "WorkingPair") -> Parameters:
        """Returns the parameters of the transform of a pair on its working grid."""


def check_finite(parameters: Parameters) -> None:
    """Refuses parameters that are NaN or infinite.

    Raises:
        InputError: If there is one.
    """
    if not all(np.isfinite(array).all() for array in parameters.named().values()):
        raise InputError(
            "the model gives numbers that aren't finite, so its weights are damaged "
            "or its training diverged; train it again with a lower learning_rate"
        )
