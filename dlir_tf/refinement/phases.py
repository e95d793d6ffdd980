"""The phases of a refinement, from coarse to fine."""

from dataclasses import dataclass

from dlir_tf.config import AffineStage, BSplineStage, Config
from dlir_tf.refinement.variables import AFFINE, control_points_name


@dataclass(frozen=True)
class Phase:
    """Steps that refine some variables at one resolution.

    Attributes:
        name: For progress.
        variables: Which are refined; the stages of no others take part.
        factor: The downsampling of the images that are compared.
        steps: At most so many.
    """

    name: str
    variables: tuple[str, ...]
    factor: tuple[int, ...]
    steps: int


def plan_phases(config: Config, steps: int, *, from_nothing: bool) -> list[Phase]:
    """Spreads the steps over the stages.

    From nothing, the transform grows as in training: the affine part first, then with
    each deformable stage one phase, at its resolution, that refines all stages so far.
    The last phase has a double share of the steps. What a network has found is
    refined as a whole, together with the stages that only the refinement has, at the
    resolution of the last stage.

    Args:
        config: The stages.
        steps: In all, at least 1.
        from_nothing: Whether there's nothing yet but the initial alignment.

    Returns:
        At least one phase; the last one has all variables. If there are fewer steps
        than phases, the coarsest are left out.
    """
    grown = _growth(config)
    if not from_nothing:
        grown = grown[-1:]
    grown = grown[-steps:]
    shares = [1] * (len(grown) - 1) + [2]
    phases, left = [], steps
    for position, (name, variables, factor) in enumerate(grown):
        count = max(1, round(left * shares[position] / sum(shares[position:])))
        phases.append(Phase(name, variables, factor, count))
        left -= count
    return phases


def _growth(config: Config) -> list[tuple[str, tuple[str, ...], tuple[int, ...]]]:
    """Name, variables and resolution of each phase; affine stages count as one."""
    grown: list[tuple[str, tuple[str, ...], tuple[int, ...]]] = []
    variables: tuple[str, ...] = ()
    affine = [stage for stage in config.all_stages if isinstance(stage, AffineStage)]
    if affine:
        variables = (AFFINE,)
        grown.append(("affine", variables, affine[-1].downsample))
    for number, stage in enumerate(config.all_stages, start=1):
        if isinstance(stage, BSplineStage):
            variables = (*variables, control_points_name(number))
            grown.append((f"stage {number}", variables, stage.downsample))
    return grown
