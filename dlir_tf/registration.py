"""Registering a pair, from two images to a transform and the moved image."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from dlir_tf.compute.settings import check_backend
from dlir_tf.config import Config, InitialAlignment
from dlir_tf.config.stiffness import stiffened
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.images.background import FillValue, chosen_fill_value
from dlir_tf.models.general import GeneralModel, chosen_config, model_of_pair
from dlir_tf.models.parameters import Parameters, Predictor, check_finite
from dlir_tf.numerics import Numerics
from dlir_tf.pairs.knowledge import Knowledge, check_use
from dlir_tf.pairs.preprocessing import fitting_masks, prepare_pair
from dlir_tf.pairs.rigidity import exact_matrix
from dlir_tf.pairs.size import check_work
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.quality import RefinementOutcome, Report
from dlir_tf.quality.making import make_report
from dlir_tf.quality.selection import select_stages
from dlir_tf.quality.units import wrong_units
from dlir_tf.transforms import BSpline, Transform

# Takes the name of what is going on, the steps done, the steps to do and the loss.
OnProgress = Callable[[str, int, int, float], object]


@dataclass(frozen=True, eq=False)
class Registration:
    """The result of registering a pair.

    Attributes:
        moved: The moving image on the fixed image's grid, in the moving dtype.
        transform: From points of the fixed image to points of the moving image.
        displacement: The transform on the fixed grid, `(*fixed.shape, ndim)`,
            float32, mm along the world axes (RAS+). Pass it to
            `transform.resample` to move labels or further images at no cost.
        report: How it went, with a verdict.
        fill_value: What the moved image has where nothing of the moving image is.
        beyond_initial: What was found from the initial alignment on: a point goes
            through it first, and then through that, to where `transform` takes it.
    """

    moved: Image
    transform: Transform
    displacement: np.ndarray
    report: Report
    fill_value: float
    beyond_initial: Transform

    @property
    def seconds(self) -> float:
        """How long it took, without reading files."""
        return self.report.seconds


def register(
    fixed: Image,
    moving: Image,
    *,
    model: Predictor | GeneralModel | None = None,
    config: Config | None = None,
    refine: int | None = None,
    initial_alignment: InitialAlignment | None = None,
    initial_transform: Transform | None = None,
    fill_value: FillValue = "auto",
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    knowledge: Knowledge | None = None,
    stiffness: float = 1.0,
    do_no_harm: bool = True,
    on_progress: OnProgress = lambda phase, step, steps, loss: None,
) -> Registration:
    """Registers a pair: by a model in one shot, refined, or refined from nothing.

    A stage that makes this pair less alike, or the transform fold, is
    left out; `report` says so. If none is left, the result is the initial alignment,
    or the transform that it started from.

    A 2-d model also takes 3-d images of one slice, at any angle; their planes must be
    parallel. The result is 3-d then: a transform of the world that takes the fixed
    slice to the moving one.

    Args:
        fixed: The image that stays; any grid, spacing and orientation.
        moving: The image to be laid onto it; its grid may be another one.
        model: From `dlir_tf.load_model`, say, of a folder or of a shipped model's name.
        config: Instead of a model, from `dlir_tf.load_config`: the pair is registered
            by refinement alone.
        refine: At most so many steps of gradient descent on this pair's own transform,
            from what the model says; see `dlir_tf.refinement.refine`. `None`: with a
            model none, without one `refinement.steps` of the config.
        initial_alignment: `"header"`, `"centers"`, `"mass"` or `"search"`, instead of
            what the config says: see `dlir_tf.pairs.alignment.initial_alignment`.
        initial_transform: Where to start from instead: from points of the fixed image
            to points of the moving one, mm. It's part of the result, and of what is
            judged; what no stage improves is left as it is. For two slices, 2-d and in
            coordinates of their plane.
        fill_value: Given to voxels that come from outside the moving image; `"auto"`
            chooses by that image: see `dlir_tf.images.background`.
        fixed_mask: Which voxels of the fixed image count in refinement and when stages
            are judged, bool; the model itself sees whole images. One on another grid
            than its image is resampled, see `dlir_tf.images.companions`.
        moving_mask: Likewise, of the moving image.
        knowledge: Landmarks and outlines of both images, by which a refinement goes as
            well. Then no stage is left out: the images aren't all that counts.
        stiffness: What the smoothness of a refinement's stages is multiplied by.
        do_no_harm: Whether to leave such stages out. If not, the result is what the
            model says, and the report only judges it.
        on_progress: Called every few steps of a refinement with the name of what is
            refined, the steps done, the steps to do and the loss.

    Returns:
        The moved image on the fixed image's grid, the transform and its
        displacement field in mm, and a report.

    Raises:
        InputError: If there is neither model nor config, or both; if an image doesn't
            fit the model, is constant, or the two don't overlap; if slices aren't
            parallel; if the initial alignment is none of those, or there is a transform
            to start from as well, or that is of another rank; if a mask doesn't fit
            its image or leaves nothing to compare; if `refine` isn't at least 1; if the
            fill value isn't one of the moving image's type; or if the model's weights
            lead to numbers that aren't finite.

    Example: an untrained model, in the place of a loaded one, moves nothing but what
    the initial alignment does.

    >>> from dlir_tf import build_model, load_config
    >>> from dlir_tf.models.folder import make_model
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
    >>> result.report.verdict
    'WARN'
    """
    start = time.perf_counter()
    outside = chosen_fill_value(fill_value, moving)
    model = model_of_pair(model, fixed.grid, moving.grid)
    config = chosen_config(model, config).with_alignment(initial_alignment)
    _check_start(initial_alignment, initial_transform)
    check_use(knowledge, stiffness, refined=model is None or refine is not None)
    masks = fitting_masks((fixed_mask, moving_mask), (fixed, moving))
    pair = prepare_pair(
        fixed,
        moving,
        config,
        **masks,
        initial_transform=initial_transform,
        shape=None if model is None else model.shape,
    )
    parameters, refinement = find_parameters(
        pair, stiffened(config, stiffness), model, refine, on_progress, knowledge
    )
    config = config.while_refining if refinement else config  # which it is judged by
    numerics, harmless = chosen_numerics(model), do_no_harm and knowledge is None
    selection = select_stages(
        pair, parameters, config, do_no_harm=harmless, numerics=numerics
    )
    found = selection.parameters, config, numerics.bspline
    transform = build_transform(pair, *found)
    field = transform.displacement(fixed)
    moved = transform.resample(moving, fixed, displacement=field, fill_value=outside)
    report = make_report(
        selection,
        field,
        fixed.grid,
        moving.grid,
        config=config,
        initial=pair.alignment,
        alignment="transform" if initial_transform else config.initial_alignment,
        provenance={} if model is None else model.provenance,
        refinement=refinement,
        masks=masks,
        wrong_units=wrong_units(fixed, moving, config.intensity),
    )
    beyond = build_transform(pair.without_initial(), *found)
    report = replace(report, seconds=time.perf_counter() - start)
    return Registration(moved, transform, field, report, outside, beyond)


def _check_start(
    alignment: InitialAlignment | None, transform: Transform | None
) -> None:
    if alignment is not None and transform is not None:
        raise InputError(
            "initial_alignment and initial_transform exclude each other; give one of "
            "them"
        )


def find_parameters(
    pair: WorkingPair,
    config: Config,
    model: Predictor | None,
    refine: int | None,
    on_progress: OnProgress,
    knowledge: Knowledge | None = None,
) -> tuple[Parameters, RefinementOutcome | None]:
    """What the model says, refined if asked to; or what refinement alone finds.

    Args:
        pair: On its working grid.
        config: The model's, or the one instead of it.
        model: May be none.
        refine: The steps of the refinement; `None` for none, without a model for as
            many as the config says.
        on_progress: Told of these steps.
        knowledge: What the refinement goes by beside the images.

    Returns:
        Finite parameters, and what the refinement did, if there was one.

    Raises:
        InputError: If the parameters aren't finite, the pair can't be refined, or
            memory can't hold what that needs.
    """
    refined = model is None or refine is not None
    check_work(pair.grid.shape, config, refined=refined)
    start = None
    if model is not None:
        start = model.predict(pair)
        check_finite(start)
        if not refined:
            return start, None
    check_backend()
    # A model that runs elsewhere does without the backend that this loads.
    from dlir_tf.refinement import refine as refine_parameters

    steps = config.refinement.steps if refine is None else refine
    found = refine_parameters(
        pair, config, steps, start=start, knowledge=knowledge, on_progress=on_progress
    )
    outcome = RefinementOutcome(found.steps, found.loss_before, found.loss_after)
    return found.parameters, outcome


def chosen_numerics(model: Predictor | None) -> Numerics:
    """The functions that evaluate the transform and warp images: the model's own.

    Without a model there was a refinement: it has loaded the backend of Keras, which is
    quicker than NumPy and SciPy.
    """
    if model is not None:
        return model.numerics
    from dlir_tf.numerics.compiled import COMPILED

    return COMPILED


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
    check_finite(parameters)
    splines = [
        (points, spline.stage.cell_spacing)
        for spline, points in reversed(parameters.splines(config))
    ]
    matrix = exact_matrix(parameters.matrix, pair.grid, config)
    return pair.to_world(matrix, splines, bspline)
