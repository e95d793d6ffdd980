"""Whether equal values mean the same in two images, and what compares them then."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dlir_tf.automatic.coarse import CoarsePair
from dlir_tf.automatic.looks import PairLooks
from dlir_tf.transforms import Transform

Modality = Literal["same", "different"]

# Above this correlation of what isn't background, values of both mean the same: those
# of one organ of two people have 0.7 and more, MR and ultrasound -0.3 to 0.5.
SAME = 0.6
_BACKGROUND = 0.1
# Of all voxels, air as well: 0.5 and more, but about -0.7 where it is white in only one
# of the images, whatever the rest does.
_SAME_AIR = 0.0
# Of self-similarities; T1 and T2 have 0.5 and more, MR and ultrasound less than 0.15.
_CLEAR = 0.3
_FEWEST_VOXELS = 50


@dataclass(frozen=True)
class Comparing:
    """How two images are compared.

    Attributes:
        modality: Whether equal values mean the same.
        similarity: As a config says it.
        reason: Why, a sentence.
        is_faint: Whether next to nothing in one image tells where it is in the other.
    """

    modality: Modality
    similarity: dict[str, Any]
    reason: str
    is_faint: bool = False


def choose_comparing(
    looks: PairLooks,
    coarse: CoarsePair,
    start: Transform,
    modality: Modality | None = None,
) -> Comparing:
    """Chooses how two images are compared.

    Args:
        looks: What they look like.
        coarse: The pair on coarse grids.
        start: Where what they show lies on each other, more or less.
        modality: Set by hand; `None` to tell it by the images.
    """
    faint = not coarse.clarity(start) >= _CLEAR
    if modality == "different":
        return _by_context("as was asked for", faint)
    if modality is None and looks.differ:
        return _by_context("as they are of two kinds", faint)
    if looks.are_labels and modality is None:
        kind = "ncc" if looks.fixed == "mask" else "windowed_ncc"
        return Comparing(
            "same", {"kind": kind}, f"labels are compared by correlation ({kind})"
        )
    if looks.are_ct:
        why = "values of two CTs mean the same, so they are compared by correlation"
        return Comparing("same", {"kind": "ncc"}, f"{why} (ncc)")
    windowed = {"kind": "windowed_ncc"}
    told = "compared by correlation in windows (windowed_ncc)"
    if modality == "same":
        return Comparing("same", windowed, f"the two are {told}, as was asked for")
    if overall(coarse, start) < _SAME_AIR:
        return _by_context("as what is dark in the one is bright in the other", faint)
    alike = correlation(coarse, start)
    if alike < SAME:
        why = f"as equal values don't mean the same in them (correlation {alike:.2f})"
        return _by_context(why, faint)
    why = f"the two look alike (correlation {alike:.2f}), so they are {told}"
    return Comparing("same", windowed, why)


def _by_context(why: str, faint: bool) -> Comparing:
    told = f"the two are compared by self-similarity (mind_ssc), {why}"
    if faint:
        told += "; as little in them agrees, there is no affine part, and it bends less"
    return Comparing("different", {"kind": "mind_ssc"}, told, faint)


def correlation(coarse: CoarsePair, transform: Transform) -> float:
    """Of what both images show that isn't background; 0 if that is next to nothing.

    Args:
        coarse: The pair on coarse grids.
        transform: From points of the fixed image to points of the moving one.
    """
    fixed, moving = coarse.seen_through(transform)
    shown = (fixed > _BACKGROUND) & (moving > _BACKGROUND)
    return _correlated(fixed[shown], moving[shown])


def overall(coarse: CoarsePair, transform: Transform) -> float:
    """Of all that both images show, background as well.

    Args:
        coarse: The pair on coarse grids.
        transform: From points of the fixed image to points of the moving one.
    """
    return _correlated(*coarse.seen_through(transform))


def _correlated(first: np.ndarray, second: np.ndarray) -> float:
    if first.size < _FEWEST_VOXELS:
        return 0.0
    scale = float(first.std()) * float(second.std())
    if not scale > 0:
        return 0.0
    return float(np.mean((first - first.mean()) * (second - second.mean()))) / scale
