"""Whether a pair gains by coarse lattices, or is better bent finely at once.

Coarse lattices find large motion, as that of a liver between two breaths. Between two
people they do harm: before finer ones say what belongs where, they lay the folds of one
brain onto others of the other one. The images tell which it is. Where an affine part
leaves little to do, they are those of one body; otherwise both ways are gone on a grid
of an eighth of the voxels, and the one that makes the two more alike is kept.
"""

from dataclasses import dataclass
from typing import Any

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.transforms import Transform

_COARSER = 2
_STEPS = 40
# There has to be a coarse lattice that can be left out.
_FEWEST_LATTICES = 3
# Loss after an affine part: at most 0.29 between two breaths, at least 0.40 between two
# brains.
_MUCH_IS_LEFT = 0.35


@dataclass(frozen=True, eq=False)
class TrialPair:
    """The images that are tried.

    Attributes:
        fixed: The image that stays, 2-d if it's a slice.
        moving: The image to be laid onto it.
        masks: Of either, on its grid, or `None`.
    """

    fixed: Image
    moving: Image
    masks: tuple[Image | None, Image | None]

    def refined(self, config: Config, start: Transform) -> tuple[float, Transform]:
        """The loss that a config leads to, and the affine part of the transform.

        Raises:
            InputError: If the pair can't be registered by it: too little overlaps, or a
                mask is too thin.
        """
        from dlir_tf.refinement import refine  # needs the backend of Keras

        pair = prepare_pair(
            self.fixed,
            self.moving,
            config,
            fixed_mask=self.masks[0],
            moving_mask=self.masks[1],
            initial_transform=start,
        )
        found = refine(pair, config, config.refinement.steps)
        return found.loss_after, pair.to_world(found.parameters.matrix)


def fine_at_once_is_better(pair: TrialPair, config: Config, start: Transform) -> bool:
    """Tries both ways at twice the spacing.

    Args:
        pair: The images.
        config: By which the pair would be registered from coarse to fine.
        start: Where that starts.
    """
    is_windowed = config.similarity.kind == "windowed_ncc"
    if not is_windowed or len(config.deformable_stages) < _FEWEST_LATTICES:
        return False
    affine, coarse_to_fine, at_once = _ways_at_twice_the_spacing(config)
    try:
        left, aligned = pair.refined(affine, start)
        if left < _MUCH_IS_LEFT:
            return False
        losses = [pair.refined(way, aligned)[0] for way in (coarse_to_fine, at_once)]
    except InputError:
        return False
    return losses[1] < losses[0]


def _ways_at_twice_the_spacing(config: Config) -> tuple[Config, Config, Config]:
    """The affine part; and two ways from there down to the last lattice but one."""
    written = config.model_dump(mode="json")
    thin = [spacing is not None for spacing in config.spacing]
    written["spacing"] = [step and step * _COARSER for step in written["spacing"]]
    stages: dict[str, list[dict[str, Any]]] = {"affine": [], "bspline": []}
    for stage in written["stages"]:
        kind = stage["transform"]
        cells = "control_point_spacing" if kind == "bspline" else "feature_spacing"
        for key in ("downsample", cells):
            stage[key] = [
                max(1, size // _COARSER) if along else size
                for size, along in zip(stage[key], thin, strict=True)
            ]
        stages[kind].append(stage)
    *coarse, last_but_one, _ = stages["bspline"]
    ways = stages["affine"], [*coarse, last_but_one], [last_but_one, last_but_one]
    affine, coarse_to_fine, at_once = (_with_stages(written, way) for way in ways)
    return affine, coarse_to_fine, at_once


def _with_stages(written: dict[str, Any], stages: list[dict[str, Any]]) -> Config:
    refinement = written["refinement"] | {"steps": _STEPS * len(stages)}
    return Config.model_validate(written | {"stages": stages, "refinement": refinement})
