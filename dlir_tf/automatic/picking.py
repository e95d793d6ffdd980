"""What registers a pair: a model, a config, or what is chosen for this pair."""

import functools
import math
from dataclasses import dataclass
from pathlib import Path

from dlir_tf.automatic.choice import Choice, choose_for_pair
from dlir_tf.automatic.modality import Modality
from dlir_tf.config import Config, InitialAlignment
from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image
from dlir_tf.models.general import GeneralModel, chosen_config, model_of_pair
from dlir_tf.models.names import GENERAL, find_model, general_ranks
from dlir_tf.models.parameters import Predictor
from dlir_tf.pairs.slices import rank_of_pair
from dlir_tf.transforms import Transform

AnyModel = Predictor | GeneralModel


@dataclass(frozen=True, eq=False)
class Picked:
    """What registers a pair, and where it starts.

    Attributes:
        config: The model's, or the one instead of it.
        model: Or none, for refinement alone.
        initial_transform: What to start from, or the config's initial alignment.
        alignment: What the start is called.
        choices: What was chosen for this pair, a sentence each.
        choice: Of which these are; `None` if a model or a config was given.
    """

    config: Config
    model: Predictor | None
    initial_transform: Transform | None
    alignment: str
    choices: tuple[str, ...] = ()
    choice: Choice | None = None

    @property
    def moves_labels(self) -> bool:
        """Whether the moving image holds labels, as was found out."""
        labels = "mask", "labels"
        return self.choice is not None and self.choice.looks.moving in labels

    def clarity(self, transform: Transform) -> float:
        """See `Choice.clarity`; NaN if nothing was chosen.

        Args:
            transform: From points of the fixed image to points of the moving one.
        """
        return math.nan if self.choice is None else self.choice.clarity(transform)


def pick(
    pair: tuple[Image, Image],
    masks: tuple[Image | None, Image | None],
    model: AnyModel | None,
    config: Config | None,
    *,
    refine: int | None,
    alignment: InitialAlignment | None,
    transform: Transform | None,
    modality: Modality | None,
) -> Picked:
    """Picks what registers a pair.

    Args:
        pair: The fixed and the moving image.
        masks: Of either, or `None`.
        model: If one was given.
        config: Likewise.
        refine: Steps that were asked for; 0 for what a model says in one shot.
        alignment: Initial alignment that was asked for.
        transform: What to start from, if it was given.
        modality: Whether values mean the same in both, if it was said.

    Raises:
        InputError: If what was given doesn't go together, or doesn't suit the images.
    """
    _check(model, config, alignment, transform, modality)
    grids = pair[0].grid, pair[1].grid
    if model is None and config is None:
        general = _general_model(*grids) if refine == 0 else None
        chosen = choose_for_pair(
            *pair,
            fixed_mask=masks[0],
            moving_mask=masks[1],
            initial_alignment=alignment,
            initial_transform=transform,
            modality=modality,
            to_refine=general is None,
        )
        return Picked(
            chosen.config if general is None else _suited(general, chosen),
            general,
            chosen.start.transform,
            chosen.start.name,
            chosen.reasons if general is None else chosen.of_images,
            chosen,
        )
    of_pair = model_of_pair(model, *grids)
    config = chosen_config(of_pair, config).with_alignment(alignment)
    name = "transform" if transform else config.initial_alignment
    return Picked(config, of_pair, transform, name)


def _suited(model: Predictor, chosen: Choice) -> Config:
    """The model's config, with intensities and similarity as they suit the pair."""
    names = "intensity", "similarity"
    suited = {name: getattr(chosen.config, name) for name in names}
    return model.config.model_copy(update=suited)


def _general_model(fixed: Grid, moving: Grid) -> Predictor:
    ndim = rank_of_pair(fixed, moving)
    if ndim not in general_ranks():
        raise InputError(
            f"refine: 0 steps are what a model says in one shot, but no {GENERAL} "
            f"model ships with this dlir-tf for {ndim}-d images; give a model, or "
            "refine"
        )
    return _load(find_model(GENERAL, ndim))


@functools.cache
def _load(folder: Path) -> Predictor:
    """Loads a model that ships, once for all pairs."""
    from dlir_tf.models.folder import load_model

    return load_model(folder)


def _check(
    model: AnyModel | None,
    config: Config | None,
    alignment: InitialAlignment | None,
    transform: Transform | None,
    modality: Modality | None,
) -> None:
    if alignment is not None and transform is not None:
        raise InputError(
            "initial_alignment and initial_transform exclude each other; give one of "
            "them"
        )
    if modality not in (None, "same", "different"):
        raise InputError(f"modality: must be same or different. Received: {modality!r}")
    if modality is not None and (model is not None or config is not None):
        raise InputError(
            "modality: is for pairs of which nothing else is said; a model or a config "
            "says itself how images are compared"
        )
