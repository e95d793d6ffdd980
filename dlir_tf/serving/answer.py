"""What a server has found for a pair, in the place of a model."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlir_tf.config import MATRIX
from dlir_tf.errors import InputError
from dlir_tf.images.grid import apply_affine, corner_voxels
from dlir_tf.models.parameters import Parameters
from dlir_tf.numerics import UNCOMPILED
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.serving.checks import check_parameters, described_model, is_too_far
from dlir_tf.serving.connection import Arrays
from dlir_tf.serving.failures import AnswerError, ServerError, printable, unusable

# How far apart, in working voxels, two programs may lay the corners of one grid: more
# than single precision leaves of places far from the world's origin.
_SAME_GRID = 0.005


class ServedModel:
    """A model that has been asked already: a `dlir_tf.models.parameters.Predictor`.

    Attributes:
        config: What the model was built from.
        provenance: Where it comes from.
        shape: `None`: it takes working grids of any shape.
        numerics: The functions that evaluate its transforms and warp images by them.
    """

    numerics = UNCOMPILED
    shape = None

    def __init__(
        self, answer: Arrays, source: str, *, start: np.ndarray | None = None
    ) -> None:
        """Reads what came with the parameters.

        Args:
            answer: The outputs of the signature `parameters`, for one pair.
            source: Whose they are, for messages.
            start: The matrix from points of the moving image as the server was told
                that it lies to those where it does, `(ndim + 1, ndim + 1)`; `None` if
                the two are the same.

        Raises:
            ServerError: If the model was made by a dlir-tf that knows other settings,
                or the answer isn't what such a model gives.
        """
        self._answer = answer
        self._source = source
        self._start = start
        try:
            self.config, provenance = described_model(answer, source)
        except (AnswerError, InputError) as error:
            raise ServerError(
                f"{source}: this dlir-tf can't read the model's config; use the "
                "version that exported it, or export it again by this one "
                f"({printable(str(error))})"
            ) from error
        try:
            check_parameters(answer, self.config)
        except AnswerError as error:
            raise ServerError(f"{source}: {unusable(error.message)}") from error
        self.provenance: Mapping[str, Any] = provenance

    def predict(self, pair: WorkingPair) -> Parameters:
        """Returns the answer in voxels of the working grid.

        Raises:
            ServerError: If the server has laid another grid over the fixed image.
        """
        ndim = self.config.ndim
        found = Parameters.of(self._answer, self.config).control_points
        self._check_grid(pair, found)
        if any(is_too_far(points, pair.grid.shape) for points in found.values()):
            why = "it moves points by many times the size of the image"
            raise ServerError(f"{self._source}: {unusable(why)}")
        points = {name: array.astype(np.float64) for name, array in found.items()}
        matrix = np.eye(ndim, ndim + 1)
        if self.config.linear_stages:
            world = self._answer[MATRIX].astype(np.float64)
            matrix = pair.from_world(
                world if self._start is None else self._start @ world
            )
        return Parameters(matrix, points)

    def _check_grid(self, pair: WorkingPair, points: Mapping[str, np.ndarray]) -> None:
        ndim = self.config.ndim
        corners = corner_voxels(pair.grid.shape)
        theirs = apply_affine(self._answer["grid_affine"], corners)
        apart = np.abs(pair.grid.to_voxels(theirs) - corners).max()
        same = bool(apart <= _SAME_GRID)
        for _, name, stage in self.config.deformable_stages:
            lattice = stage.lattice_shape(pair.grid.shape)
            same = same and points[name].shape == (*lattice, ndim)
        if not same:
            raise ServerError(
                f"{self._source}: the server registers on another working grid than "
                "this dlir-tf would; use the version that exported the model, or "
                "export it again by this one"
            )
