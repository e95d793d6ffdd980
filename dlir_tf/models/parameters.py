"""The parameters of a pair's transform, and what finds them."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.numerics import Numerics
from dlir_tf.pairs.working_pair import WorkingPair

# `affine`, `(ndim, ndim + 1)`, and `control_points_N`, `(*lattice_shape, ndim)`, of
# the deformable stages, N counting all stages from 1; in voxels of the working grid.
Parameters = dict[str, np.ndarray]


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
    def numerics(self) -> Numerics:
        """The functions that evaluate its transforms and warp images by them."""

    def predict(self, pair: WorkingPair) -> Parameters:
        """Returns the parameters of the transform of a pair on its working grid."""


def check_finite(parameters: Parameters) -> None:
    """Refuses parameters that are NaN or infinite.

    Raises:
        InputError: If there is one.
    """
    if not all(np.isfinite(array).all() for array in parameters.values()):
        raise InputError(
            "the model gives numbers that aren't finite, so its weights are damaged "
            "or its training diverged; train it again with a lower learning_rate"
        )
