"""Training on synthetic pairs, which are made within the step that learns from them."""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from dlir_tf.compute.compilation import compiled_graph
from dlir_tf.config import Config
from dlir_tf.config.synthesis import Synthesis
from dlir_tf.models.model import partial_model, training_model
from dlir_tf.models.objective import Objective
from dlir_tf.synthesis.pairs import synthetic_pairs
from dlir_tf.training.descent import INPUTS, make_descent
from dlir_tf.training.optimizer import trainable_variables
from dlir_tf.training.phases import Phase
from dlir_tf.training.sights import Sights

# What tells the pairs of a validation from those of every training.
_VALIDATION = 0x56414C


class Draw(NamedTuple):
    """What decides a batch of synthetic pairs.

    Attributes:
        seed: Of everything random, `(2,)`, int32.
        size: Of the images.
        atlas: Number of the atlas that they show; `None` for random shapes.
    """

    seed: np.ndarray
    size: tuple[int, ...]
    atlas: int | None


def draw_for(entropy: tuple[int, ...], settings: Synthesis, num_atlases: int) -> Draw:
    """Draws the size of images and what they show, for one step.

    Args:
        entropy: Whole numbers, such as the user's seed, the phase and the step.
        settings: What there is to choose from.
        num_atlases: How many atlases there are.
    """
    rng = np.random.default_rng(entropy)
    seed = rng.integers(2**31, size=2).astype(np.int32)
    size = settings.sizes[rng.integers(len(settings.sizes))]
    chance, atlas = rng.random(), int(rng.integers(max(1, num_atlases)))
    shown = atlas if num_atlases and chance < settings.atlases else None
    return Draw(seed, tuple(size), shown)


class SyntheticSource:
    """What a training on synthetic pairs takes its steps and its validation from.

    Args:
        config: With `training.synthesis`.
        seed: Decides all that is random.
        atlases: Label maps to be shown beside random shapes, all of one shape, int32.
    """

    num_pairs = 0

    def __init__(
        self, config: Config, seed: int, atlases: Sequence[np.ndarray] = ()
    ) -> None:
        if config.training.synthesis is None:
            raise ValueError("config: must have training.synthesis")
        self._config = config
        self._settings = config.training.synthesis
        self._seed = seed
        self._atlases = [ops.convert_to_tensor(atlas, "int32") for atlas in atlases]
        self.validation_names: Sequence[str] = [
            f"synthetic pair {n + 1}" for n in range(self._settings.validation_pairs)
        ]

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Within it, networks and optimizers are made."""
        return contextlib.nullcontext()

    def steps(
        self,
        network: keras.Model,
        phase: Phase,
        optimizer: keras.Optimizer,
        index: int,
        first_step: int,
    ) -> Iterator[Callable[[], dict[str, Any]]]:
        """Yields the steps that are left of a phase, each to be called once."""
        variables = trainable_variables(network, self._config, phase)
        optimizer.build(variables)
        model = training_model(
            network, self._config, phase.num_frozen, phase.num_stages
        )
        factor = self._config.stages[phase.num_stages - 1].downsample
        objective = Objective(self._config, factor, with_similarity=False)
        compiled: dict[Any, Callable[..., dict[str, Any]]] = {}
        for number in range(first_step, phase.steps):
            draw = self._draw((self._seed, index, number))
            if draw.size not in compiled:
                make_batch = self._maker(draw, both_ways=True)
                compiled[draw.size] = make_descent(
                    make_batch, model, objective, variables, optimizer
                )
            yield functools.partial(compiled[draw.size], *self._arguments(draw))

    def validator(
        self, network: keras.Model, phase: Phase
    ) -> Callable[[Sights], dict[str, float]]:
        """Returns a function that judges the network by pairs that never change."""
        config, supervision = self._config, self._config.training.supervision
        model = partial_model(network, config, phase.num_stages)
        objective = Objective(config, (1,) * config.ndim, with_similarity=False)
        compiled: dict[Any, Callable[..., dict[str, Any]]] = {}

        def evaluator(draw: Draw) -> Callable[..., dict[str, Any]]:
            make_batch = self._maker(draw, both_ways=False)

            def evaluate(*arguments: Any) -> dict[str, Any]:
                batch = make_batch(*arguments)
                inputs = {name: batch[name] for name in INPUTS}
                return objective(batch, model(inputs, training=False))

            return compiled_graph(evaluate)

        def validate(sights: Sights) -> dict[str, float]:
            del sights  # there are no images that anyone knows
            rows = []
            for number in range(len(self.validation_names)):
                draw = self._draw((_VALIDATION, number))
                if draw.size not in compiled:
                    compiled[draw.size] = evaluator(draw)
                rows.append(compiled[draw.size](*self._arguments(draw)))
            means = {
                name: float(np.mean([float(row[name][0]) for row in rows]))
                for name in rows[0]
            }
            result = {"validation_loss": means["loss"]}
            if "label_loss" in means:
                overlap = 1.0 - means["label_loss"] / supervision.labels
                result["validation_dice"] = overlap
            if "landmark_loss" in means:
                error = means["landmark_loss"] / supervision.landmarks
                result["validation_landmark_error"] = error
            return result

        return validate

    def close(self) -> None:
        """There is nothing to remove."""

    def _draw(self, entropy: tuple[int, ...]) -> Draw:
        return draw_for(entropy, self._settings, len(self._atlases))

    def _arguments(self, draw: Draw) -> tuple[Any, ...]:
        seed = ops.convert_to_tensor(draw.seed)
        if not self._atlases:
            return (seed,)
        shown = ops.convert_to_tensor(draw.atlas is not None)
        return seed, self._atlases[draw.atlas or 0], shown

    def _maker(self, draw: Draw, *, both_ways: bool) -> Callable[..., dict[str, Any]]:
        """Returns what makes the batches of a kind, within a compiled function."""
        config, batch_size = self._config.training, self._config.training.batch_size
        if not both_ways:
            batch_size = 1

        def make_batch(
            seed: Any, atlas: Any = None, shows_atlas: Any = True
        ) -> dict[str, Any]:
            pairs = synthetic_pairs(
                seed,
                draw.size,
                self._settings,
                batch_size=math.ceil(batch_size / 2) if both_ways else 1,
                num_labels=config.supervision.labels_per_step,
                atlas=atlas,
                shows_atlas=shows_atlas,
            )
            return in_both_directions(pairs) if batch_size > 1 else pairs

        return make_batch


def in_both_directions(pairs: dict[str, Any]) -> dict[str, Any]:
    """Appends to pairs the same ones, with fixed and moving exchanged.

    A pair takes longer to make than to be looked at twice.
    """
    other = {"fixed": "moving", "moving": "fixed"}
    turned = {}
    for name, values in pairs.items():
        side, _, rest = name.partition("_")
        twin = "_".join(filter(None, (other.get(side, side), rest)))
        turned[name] = ops.concatenate([values, pairs[twin]], axis=0)
    del turned["ddf"]  # which goes one way
    return turned
