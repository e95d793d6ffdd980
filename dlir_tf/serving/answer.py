"""What a server has found for a pair, in the place of a model."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlir_tf.config import Config
from dlir_tf.config.reading import parse_config
from dlir_tf.errors import InputError
from dlir_tf.models.parameters import Parameters
from dlir_tf.numerics import PLAIN
from dlir_tf.pairs.preprocessing import WorkingPair
from dlir_tf.serving.connection import Arrays
from dlir_tf.serving.failures import ServerError

# How far apart, in working voxels, two programs may lay the corners of one grid: more
# than single precision leaves of places far from the world's origin.
_SAME_GRID = 0.005


class ServedModel:
    """A model that has been asked already: a `dlir_tf.models.parameters.Predictor`.

    Attributes:
        config: What the model was built from.
        provenance: Where it comes from.
        numerics: What computes what follows from its parameters.
    """

    numerics = PLAIN

    def __init__(self, answer: Arrays, source: str) -> None:
        """Reads what came with the parameters.

        Args:
            answer: The outputs of the signature `parameters`, for one pair.
            source: Whose they are, for messages.

        Raises:
            ServerError: If the model was made by a dlir-tf that knows other settings.
        """
        self._answer = answer
        self._source = source
        try:
            about = json.loads(str(answer["model_json"]))
            self.config: Config = parse_config(json.dumps(about["config"]), source)
            self.provenance: Mapping[str, Any] = about["provenance"]
        except (InputError, ValueError, KeyError, TypeError) as error:
            raise ServerError(
                f"{source}: this dlir-tf can't read the model's config; use the "
                f"version that exported it, or export it again by this one ({error})"
            ) from error

    def predict(self, pair: WorkingPair) -> Parameters:
        """Returns the answer in voxels of the working grid.

        Raises:
            ServerError: If the server has laid another grid over the fixed image.
        """
        grid, ndim = pair.grid.affine, self.config.ndim
        self._check_grid(pair)
        parameters = {
            name: array.astype(np.float64)
            for name, array in self._answer.items()
            if name.startswith("control_points_")
        }
        matrix = np.eye(ndim + 1)
        if any(stage.transform == "affine" for stage in self.config.stages):
            # The answer is a map of the world, with the initial alignment in it.
            world = self._answer["affine"].astype(np.float64)
            matrix = np.linalg.inv(pair.initial @ grid) @ world @ grid
        return {"affine": matrix[:-1], **parameters}

    def _check_grid(self, pair: WorkingPair) -> None:
        ndim = self.config.ndim
        between = np.linalg.inv(pair.grid.affine) @ self._answer["grid_affine"]
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in pair.grid.shape]))
        corners = np.vstack([corners.reshape(ndim, -1), np.ones(2**ndim)])
        same = np.abs(between @ corners - corners).max() <= _SAME_GRID
        for number, stage in enumerate(self.config.stages, start=1):
            if stage.transform == "bspline":
                cells = np.array(pair.grid.shape) // stage.cell_spacing
                points = self._answer[f"control_points_{number}"]
                same = same and points.shape == (*(cells + 4), ndim)
        if not same:
            raise ServerError(
                f"{self._source}: the server registers on another working grid than "
                "this dlir-tf would; use the version that exported the model, or "
                "export it again by this one"
            )
