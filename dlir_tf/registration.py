"""Registering a pair, from two images to a transform and the moved image."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from dlir_tf.automatic.finding import (
    OnProgress,
    chosen_numerics,
    find_parameters,
    packages_used,
)
from dlir_tf.automatic.modality import Modality
from dlir_tf.automatic.picking import Picked, pick
from dlir_tf.config import Config, InitialAlignment
from dlir_tf.config.stiffness import stiffened
from dlir_tf.images import Image
from dlir_tf.images.background import (
    FillValue,
    channel_fill_values,
    chosen_fill_value,
)
from dlir_tf.images.colours import warn_of_channel
from dlir_tf.models.general import GeneralModel
from dlir_tf.models.parameters import Predictor
from dlir_tf.models.world import build_transform
from dlir_tf.pairs.arguments import check_images, check_means
from dlir_tf.pairs.knowledge import Knowledge, check_use
from dlir_tf.pairs.large import (
    at_lower_resolution,
    mask_at_lower_resolution,
    told_blocks,
)
from dlir_tf.pairs.preprocessing import fitting_masks, prepare_pair
from dlir_tf.quality import Report
from dlir_tf.quality.making import make_report
from dlir_tf.quality.selection import select_stages
from dlir_tf.quality.units import wrong_units
from dlir_tf.transforms import Transform


@dataclass(frozen=True, eq=False)
class Registration:
    """The result of registering a pair.

    Attributes:
        moved: The moving image on the fixed image's grid, in the moving dtype.
        transform: From points of the fixed image to points of the moving image.
        report: How it went, with a verdict.
        fill_value: What the moved image has where nothing of the moving image is.
        beyond_initial: What was found from the initial alignment on: a point goes
            through it first, and then through that, to where `transform` takes it.
        computed: The displacement, if it was computed already; not of a picture that
            was registered at a lower resolution.
    """

    moved: Image
    transform: Transform
    report: Report
    fill_value: float
    beyond_initial: Transform
    computed: np.ndarray | None = field(repr=False)

    @cached_property
    def displacement(self) -> np.ndarray:
        """The transform on the fixed grid, mm along the world axes (RAS+).

        `(*fixed.shape, ndim)`, float32. Pass it to `transform.resample` to move labels
        or further images at no cost.
        """
        if self.computed is not None:
            return self.computed
        return self.transform.displacement(self.moved)

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
    modality: Modality | None = None,
    knowledge: Knowledge | None = None,
    stiffness: float = 1.0,
    do_no_harm: bool = True,
    on_choice: Callable[[tuple[str, ...]], object] = lambda choices: None,
    on_progress: OnProgress = lambda phase, step, steps, loss: None,
) -> Registration:
    """Registers a pair: by a model in one shot, refined, or refined from nothing.

    With neither a model nor a config, settings and start are chosen for this pair, by
    the two images (see `dlir_tf.automatic`); the report says what was chosen, and why.

    A stage that makes this pair less alike, or the transform fold, is
    left out; `report` says so. If none is left, the result is the initial alignment,
    or the transform that it started from.

    A 2-d model also takes 3-d images of one slice, at any angle; their planes must be
    parallel. The result is 3-d then: a transform of the world that takes the fixed
    slice to the moving one.

    A 2-d image of more than four million pixels is registered at a lower resolution,
    and moved at its own (see `dlir_tf.pairs.large`).

    Args:
        fixed: The image that stays; any grid, spacing and orientation.
        moving: The image to be laid onto it; its grid may be another one.
        model: From `dlir_tf.load_model`, say, of a folder or of a shipped model's name.
        config: Instead of a model, from `dlir_tf.load_config`: the pair is registered
            by refinement alone.
        refine: At most so many steps of gradient descent on this pair's own transform,
            from what the model says; see `dlir_tf.refinement.refine`. `None`: with a
            model none, without one `refinement.steps` of the config. 0: none, by the
            general model that ships if no other is given.
        initial_alignment: `"header"`, `"centers"`, `"mass"`, `"search"` or `"pose"`,
            instead of what the config says: see
            `dlir_tf.pairs.alignment.initial_alignment`.
        initial_transform: Where to start from instead: from points of the fixed image
            to points of the moving one, mm. It's part of the result, and of what is
            judged; what no stage improves is left as it is. For two slices, of their
            plane: 3-d, as they are registered, or 2-d in coordinates of the plane.
        fill_value: Given to voxels that come from outside the moving image; `"auto"`
            chooses by that image: see `dlir_tf.images.background`.
        fixed_mask: Which voxels of the fixed image count in refinement and when stages
            are judged, bool; the model itself sees whole images. One on another grid
            than its image is resampled, see `dlir_tf.images.companions`.
        moving_mask: Likewise, of the moving image.
        knowledge: Landmarks and outlines of both images, by which a refinement goes as
            well. Then no stage is left out: the images aren't all that counts.
        stiffness: What the smoothness of a refinement's stages is multiplied by.
        modality: `"same"` if equal values mean the same in both, or `"different"`;
            `None` to tell it by the images. With a model or a config, it's these that
            know.
        do_no_harm: Whether to leave such stages out. If not, the result is what the
            model says, and the report only judges it.
        on_choice: Called once with what was chosen for the pair, a sentence each.
        on_progress: Called every few steps of a refinement with the name of what is
            refined, the steps done, the steps to do and the loss.

    Returns:
        The moved image on the fixed image's grid, the transform and its
        displacement field in mm, and a report.

    Raises:
        InputError: If there are both a model and a config; if an image doesn't fit the
            model, is constant, or the two don't overlap or are of different rank; if
            nothing was found that the two have in common; if slices aren't
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
    check_images(fixed=fixed, moving=moving)
    check_images(fixed_mask=fixed_mask, moving_mask=moving_mask)
    check_means(model, config, initial_transform, refine)
    outside = chosen_fill_value(fill_value, moving)
    channels_outside = channel_fill_values(fill_value, moving)
    fitting = fitting_masks((fixed_mask, moving_mask), (fixed, moving))
    lowered = {name: mask_at_lower_resolution(mask) for name, mask in fitting.items()}
    masks = {name: mask for name, mask in lowered.items() if mask is not None}
    seen = at_lower_resolution(fixed), at_lower_resolution(moving)
    picked = pick(
        seen,
        (masks.get("fixed_mask"), masks.get("moving_mask")),
        model,
        config,
        refine=refine,
        alignment=initial_alignment,
        transform=initial_transform,
        modality=modality,
    )
    warn_of_channel(moving, picked.config.channel)
    refined = picked.model is None or bool(refine)
    check_use(knowledge, stiffness, refined=refined)
    choices = *told_blocks(fixed.grid, moving.grid), *picked.choices
    on_choice(choices)
    result = _carry_out(
        replace(picked, choices=choices),
        (fixed, moving),
        seen,
        masks,
        refine=refine,
        knowledge=knowledge,
        stiffness=stiffness,
        outside=outside,
        channels_outside=channels_outside,
        do_no_harm=do_no_harm,
        on_progress=on_progress,
    )
    seconds = time.perf_counter() - start
    return replace(result, report=replace(result.report, seconds=seconds))


def _carry_out(
    picked: Picked,
    images: tuple[Image, Image],
    seen: tuple[Image, Image],
    masks: dict[str, Image],
    *,
    refine: int | None,
    knowledge: Knowledge | None,
    stiffness: float,
    outside: float,
    channels_outside: tuple[float, ...] | None,
    do_no_harm: bool,
    on_progress: OnProgress,
) -> Registration:
    """Registers by what was picked, what is seen of the images, and moves the whole."""
    fixed, config, model = seen[0], picked.config, picked.model
    pair = prepare_pair(
        *seen,
        config,
        **masks,
        initial_transform=picked.initial_transform,
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
    displacement = transform.displacement(fixed)
    computed = displacement if fixed is images[0] else None
    moved = transform.resample(
        images[1],
        images[0],
        displacement=computed,
        interpolation="nearest" if picked.moves_labels else "linear",
        fill_value=outside,
        channel_fill=channels_outside,
    )
    report = make_report(
        selection,
        displacement,
        *(image.grid for image in seen),
        config=config,
        initial=pair.alignment,
        alignment=picked.alignment,
        choices=picked.choices,
        clarity=picked.clarity(transform),
        provenance={} if model is None else model.provenance,
        refinement=refinement,
        masks=masks,
        wrong_units=wrong_units(*seen, config.intensity),
        packages=packages_used(model, refined=refinement is not None),
        numerics=numerics,
    )
    beyond = build_transform(pair.without_initial(), *found)
    return Registration(moved, transform, report, outside, beyond, computed)
