"""Registering a pair, from two images to a transform and the moved image."""

import time
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.preprocessing import WorkingPair, prepare_pair
from dlir_tf.slices import as_slices
from dlir_tf.transforms import Affine, BSpline, Component, Transform
from dlir_tf.transforms.bspline import stage_bspline

InitialAlignment = Literal["header", "centers", "mass"]


# `affine`, `(ndim, ndim + 1)`, and `control_points_N`, `(*lattice_shape, ndim)`, of
# the deformable stages, N counting all stages from 1; in voxels of the working grid.
Parameters = dict[str, np.ndarray]


class Predictor(Protocol):
    """What finds the parameters of a pair's transform: a model, however it runs."""

    @property
    def config(self) -> Config:
        """What the model was built from."""

    @property
    def bspline(self) -> type[BSpline]:
        """The class of the splines that its parameters become."""

    def predict(self, pair: WorkingPair) -> Parameters:
        """Returns the parameters of the transform of a pair on its working grid."""


@dataclass(frozen=True, eq=False)
class Registration:
    """The result of registering a pair.

    Attributes:
        moved: The moving image on the fixed image's grid, in the moving dtype.
        transform: From points of the fixed image to points of the moving image.
        displacement: The transform on the fixed grid, `(*fixed.shape, ndim)`,
            float32, mm along the world axes (RAS+). Pass it to
            `transform.resample` to move labels or further images at no cost.
        seconds: How long it took.
    """

    moved: Image
    transform: Transform
    displacement: np.ndarray
    seconds: float


def register(
    fixed: Image,
    moving: Image,
    *,
    model: Predictor,
    initial_alignment: InitialAlignment | None = None,
    fill_value: float = 0.0,
) -> Registration:
    """Registers a pair in one shot.

    A 2-d model also takes 3-d images of one slice, at any angle; their planes must be
    parallel. The result is 3-d then: a transform of the world that takes the fixed
    slice to the moving one.

    Args:
        fixed: The image that stays; any grid, spacing and orientation.
        moving: The image to be laid onto it; its grid may be another one.
        model: From `dlir_tf.load_model`, say.
        initial_alignment: `"header"`, `"centers"` or `"mass"`, instead of what the
            model's config says: see `dlir_tf.preprocessing.initial_alignment`.
        fill_value: Given to voxels that come from outside the moving image.

    Returns:
        The moved image on the fixed image's grid, the transform and its
        displacement field in mm.

    Raises:
        InputError: If an image doesn't fit the model, is constant, or the two don't
            overlap; if slices aren't parallel; if the initial alignment is none of
            those; or if the model's weights lead to numbers that aren't finite.

    Example: an untrained model, in the place of a loaded one, moves nothing but what
    the initial alignment does.

    >>> from dlir_tf import build_model, load_config
    >>> from dlir_tf.model_folder import make_model
    >>> from dlir_tf.phantoms import beating_heart
    >>> heart = beating_heart(1, shape=(32, 28, 4))
    >>> config = load_config("demo")
    >>> model = make_model(config, build_model(config))
    >>> result = register(heart.fixed, heart.moving, model=model)
    >>> result.moved.array.shape, result.displacement.shape
    ((32, 28, 4), (32, 28, 4, 3))
    >>> result.transform.map_points([[10.0, -20.5, 31.0]]).round(3)
    array([[ 10. , -20.5,  31. ]])
    >>> elsewhere = heart.moving.affine + np.eye(4, k=3) * 500.0
    >>> moving = Image(heart.moving.array, elsewhere)
    >>> result = register(
    ...     heart.fixed, moving, model=model, initial_alignment="centers"
    ... )
    >>> result.transform.map_points([[10.0, -20.5, 31.0]]).round(3)
    array([[510. , -20.5,  31. ]])
    """
    start = time.perf_counter()
    config = _with_alignment(model.config, initial_alignment)
    slices = as_slices(fixed, moving, config.ndim)
    if slices is None:
        pair = prepare_pair(fixed, moving, config)
    else:
        pair = prepare_pair(slices.fixed, slices.moving, config)
    transform = build_transform(pair, model.predict(pair), model.config, model.bspline)
    if slices is not None:
        transform = slices.to_world(transform)
    displacement = transform.displacement(fixed)
    moved = transform.resample(
        moving, fixed, displacement=displacement, fill_value=fill_value
    )
    seconds = time.perf_counter() - start
    return Registration(moved, transform, displacement, seconds)


def _with_alignment(config: Config, method: InitialAlignment | None) -> Config:
    """The config with another initial alignment, if one is asked for."""
    if method is None:
        return config
    if method not in get_args(InitialAlignment):
        raise InputError(
            f"initial_alignment: must be {', '.join(get_args(InitialAlignment))}. "
            f"Received: {method!r}"
        )
    return config.model_copy(update={"initial_alignment": method})


def build_transform(
    pair: WorkingPair,
    parameters: Parameters,
    config: Config,
    bspline: type[BSpline] = BSpline,
) -> Transform:
    """Makes the world transform from what a model gives for a pair.

    Args:
        pair: On its working grid.
        parameters: Of the transform there.
        config: The model's.
        bspline: The class of the splines.

    Raises:
        InputError: If the parameters aren't finite.
    """
    if not all(np.isfinite(array).all() for array in parameters.values()):
        raise InputError(
            "the model gives numbers that aren't finite, so its weights are damaged "
            "or its training diverged; train it again with a lower learning_rate"
        )
    grid, ndim = pair.grid.affine, config.ndim
    matrix = np.vstack([parameters["affine"], np.eye(ndim + 1)[-1:]])
    in_world = grid @ matrix @ np.linalg.inv(grid)
    in_world[-1] = matrix[-1]
    components: list[Component] = [
        stage_bspline(parameters[name], stage.cell_spacing, grid, bspline)
        for number, stage in reversed(list(enumerate(config.stages, start=1)))
        if (name := f"control_points_{number}") in parameters
    ]
    # What moves nothing is left out, so that files hold no empty words; and an
    # identity taken to the world and back would no longer be exactly one.
    if not np.array_equal(matrix, np.eye(ndim + 1)):
        components.append(Affine(in_world))
    if not np.array_equal(pair.initial, np.eye(ndim + 1)) or not components:
        components.append(Affine(pair.initial))
    return Transform(tuple(components))
