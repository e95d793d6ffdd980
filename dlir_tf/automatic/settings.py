"""A config for one pair, made from the two images, with a reason for every choice."""

from dataclasses import dataclass
from typing import Any

from dlir_tf.automatic.estimate import estimated_seconds
from dlir_tf.automatic.grids import (
    GridChoice,
    choose_affine,
    choose_grid,
    choose_lattices,
    choose_lattices_at_once,
)
from dlir_tf.automatic.looks import PairLooks
from dlir_tf.automatic.modality import Comparing, Modality
from dlir_tf.automatic.starts import METHODS, Start
from dlir_tf.config import Config
from dlir_tf.errors import counted
from dlir_tf.images import Grid

_STEPS, _RATE = 50, 0.06
# The weight of the bending energy, at 1 mm; as lengths are in it, it grows with their
# square. What little agrees in two images must not lead astray.
_BENDING: dict[Modality, float] = {"same": 0.45, "different": 2.0}
_BENDING_IF_FAINT = 16.0
# Of the four lattices where there are no coarse ones, which the first two replace.
_BENDING_AT_ONCE = (4.0, 4.0, 0.5, 0.5)


@dataclass(frozen=True)
class Settings:
    """What was chosen for a pair.

    Attributes:
        config: By which it can be registered.
        reasons: A sentence for each choice.
        of_images: Those of them that are about the images and the start, whatever
            registers them.
    """

    config: Config
    reasons: tuple[str, ...]
    of_images: tuple[str, ...]


def choose_settings(
    fixed: Grid,
    moving: Grid,
    looks: PairLooks,
    start: Start,
    comparing: Comparing,
    *,
    at_once: bool = False,
) -> Settings:
    """Makes a config from a pair.

    Args:
        fixed: Where the fixed image's voxels lie, 2-d if it's a slice.
        moving: Likewise, of the moving one.
        looks: What they look like.
        start: Where the registration starts.
        comparing: How they are compared.
        at_once: Whether coarse lattices are left out, as they do this pair harm.
    """
    grid = choose_grid(fixed, moving)
    bending = _BENDING[comparing.modality]
    lattices, linear = choose_lattices(grid), [choose_affine(grid)]
    weights = [1.0] * len(lattices)
    if comparing.is_faint:
        bending, linear = _BENDING_IF_FAINT, []
        lattices = lattices[:-1] or lattices
    elif at_once:
        lattices = choose_lattices_at_once(grid)
        weights = [*_BENDING_AT_ONCE]
    stages: list[dict[str, Any]] = [
        *({"transform": "affine", **one} for one in linear),
        *(
            {
                "transform": "bspline",
                "bending_energy": float(f"{weight * bending * grid.fine**2:.3g}"),
                **one,
            }
            for weight, one in zip(weights, lattices, strict=False)
        ),
    ]
    steps = _STEPS * len(stages)
    config = Config.model_validate(
        {
            "description": "chosen for one pair of images",
            "ndim": fixed.ndim,
            "spacing": grid.spacing,
            "axes": grid.axes,
            "initial_alignment": start.name if start.name in METHODS else "header",
            "intensity": looks.intensity.model_dump(),
            "similarity": comparing.similarity,
            "stages": stages,
            "refinement": {"steps": steps, "learning_rate": _RATE},
        }
    )
    kind = config.similarity.kind
    seconds = estimated_seconds(grid, [*linear, *lattices], steps, kind)
    of_images = (*_told_looks(looks), start.reason, comparing.reason)
    reasons = (
        *of_images,
        _told_grid(fixed, grid),
        _told_lattices(grid, lattices, affine=bool(linear), at_once=at_once),
        f"it is refined from coarse to fine in at most "
        f"{counted(steps, 'step', 'steps')}, as long as it gains; all takes about "
        f"{seconds:.0f} s",
    )
    return Settings(config, reasons, of_images)


def _told_looks(looks: PairLooks) -> tuple[str, ...]:
    named = {"mask": "a mask", "labels": "a map of labels", "ct": "a CT"}
    found = [
        f"the {side} image looks like {named[look]} and is registered as such"
        for side, look in (("fixed", looks.fixed), ("moving", looks.moving))
        if look in ("mask", "labels") or (look == "ct" and not looks.are_ct)
    ]
    if looks.are_ct:
        low, high = looks.intensity.clip_values or (0.0, 0.0)
        what = "lungs" if looks.has_lungs else "a body"
        found.append(
            f"both are CTs of {what}, so only values from {low:.0f} to {high:.0f} HU "
            "are told apart"
        )
    return tuple(found)


def _told_grid(fixed: Grid, grid: GridChoice) -> str:
    by = "×".join(f"{step:.3g}" for step in grid.step)
    size = "×".join(f"{n:.0f}" for n in grid.size)
    thick = ", slices as thick as they are" if any(grid.is_thick) else ""
    own = "×".join(f"{step:.3g}" for step in fixed.spacing)
    return f"it works at {by} mm, {size} voxels{thick}, of a fixed image of {own} mm"


def _told_lattices(
    grid: GridChoice,
    lattices: list[dict[str, list[int]]],
    *,
    affine: bool,
    at_once: bool,
) -> str:
    before = "after an affine part, " * affine
    first, last = (
        max(
            (
                cell * step
                for cell, step, thick in zip(
                    lattice["control_point_spacing"],
                    grid.step,
                    grid.is_thick,
                    strict=True,
                )
                if not thick
            ),
        )
        for lattice in (lattices[0], lattices[-1])
    )
    if at_once:
        return (
            f"{before}there are lattices of control points of {first:.3g} and "
            f"{last:.3g} mm, each twice: in a trial, coarser ones before them did harm"
        )
    return (
        f"{before}{len(lattices)} lattices of control points go from "
        f"{first:.3g} mm, a quarter of the extent, to {last:.3g} mm"
    )
