"""Finding the parameters of a pair's transform: by a model, by refinement, by both."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.numerics import Numerics
from dlir_tf.preprocessing import WorkingPair
from dlir_tf.quality import RefinementOutcome

# `affine`, `(ndim, ndim + 1)`, and `control_points_N`, `(*lattice_shape, ndim)`, of
# the deformable stages, N counting all stages from 1; in voxels of the working grid.
Parameters = dict[str, np.ndarray]
# Takes the name of what is going on, the steps done, the steps to do and the loss.
OnProgress = Callable[[str, int, int, float], object]


class Predictor(Protocol):
    """What finds the parameters of a pair's transform: a model, however it runs.

    If it has an attribute `provenance`, a mapping like that of a model folder, reports
    name the `weights_sha256` in it. If it has an attribute `shape`, ints, working grids
    are padded to that shape.
    """

    @property
    def config(self) -> Config:
        """What the model was built from."""

    @property
    def numerics(self) -> Numerics:
        """What computes the transforms and images that its parameters lead to."""

    def predict(self, pair: WorkingPair) -> Parameters:
        """Returns the parameters of the transform of a pair on its working grid."""


def chosen_config(model: Predictor | None, config: Config | None) -> Config:
    """The config by which a pair is registered: the model's, or the one instead of it.

    Raises:
        InputError: If there is neither, or both.
    """
    if model is not None and config is None:
        return model.config
    if config is not None and model is None:
        return config
    given = "both" if config is not None else "neither"
    raise InputError(
        "register: needs either a model or a config to refine by; a model brings its "
        f"own config. Received: {given}"
    )


def find_parameters(
    pair: WorkingPair,
    config: Config,
    model: Predictor | None,
    refine: int | None,
    on_progress: OnProgress,
) -> tuple[Parameters, RefinementOutcome | None]:
    """What the model says, refined if asked to; or what refinement alone finds.

    Args:
        pair: On its working grid.
        config: The model's, or the one instead of it.
        model: May be none.
        refine: The steps of the refinement; `None` for none, without a model for as
            many as the config says.
        on_progress: Told of these steps.

    Returns:
        Finite parameters, and what the refinement did, if there was one.

    Raises:
        InputError: If the parameters aren't finite, or the pair can't be refined.
    """
    start = None
    if model is not None:
        start = model.predict(pair)
        check_finite(start)
        if refine is None:
            return start, None
    # A model that runs elsewhere does without the backend that this loads.
    from dlir_tf.refinement import refine as refine_parameters

    steps = config.refinement.steps if refine is None else refine
    found = refine_parameters(pair, config, steps, start=start, on_progress=on_progress)
    outcome = RefinementOutcome(found.steps, found.loss_before, found.loss_after)
    return found.parameters, outcome


def chosen_numerics(model: Predictor | None) -> Numerics:
    """What computes the result.

    Refinement has loaded a backend, which is quicker than NumPy and SciPy.
    """
    if model is not None:
        return model.numerics
    from dlir_tf.numerics.compiled import COMPILED

    return COMPILED


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
