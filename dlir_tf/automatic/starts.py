"""Where a registration starts: several ways are tried, and the likeliest is kept."""

from dataclasses import dataclass, replace

from dlir_tf.automatic.coarse import CoarsePair
from dlir_tf.automatic.elsewhere import turned_clearly, turned_far
from dlir_tf.automatic.tries import (
    Tried,
    aligned,
    distinct,
    likelihood,
    register_affinely,
    shift_on,
    try_start,
)
from dlir_tf.automatic.turning import degrees_of
from dlir_tf.errors import InputError
from dlir_tf.transforms import Affine, Transform

METHODS = ("header", "centers", "mass", "search")
_NUM_SHIFTED, _NUM_TURNED = 3, 2
# A header that is nearly as good as what was found is to be trusted.
_TRUST = 0.97
_FAR = 100.0
_AGREE = "as self-similarities agree most there"
_NO_WAY = (
    "no way was found to lay the two images onto each other: wherever both are seen, "
    "neither says anything about the other; check that they show the same, or say by "
    "initial_transform (--initial-transform) where to start"
)


@dataclass(frozen=True, eq=False)
class Start:
    """Where a registration starts.

    Attributes:
        transform: From points of the fixed image to points of the moving one.
        name: Of the way that led there.
        reason: Why it was kept, a sentence.
    """

    transform: Transform
    name: str
    reason: str


def find_start(pair: CoarsePair, only: str | None = None) -> Start:
    """Tries ways to lay two images onto each other, and keeps the likeliest.

    These are the four initial alignments; the best of them, shifted as long as that
    helps; and the best of those, after an affine registration on the coarse grid. Where
    the two don't look alike by any of these, turns of any size are tried as well; and,
    in a plane, where self-similarities hardly agree.

    Args:
        pair: On coarse grids.
        only: One of the initial alignments, which is taken as it is.

    Raises:
        InputError: If by none of them the two show anything in common.
    """
    if only is not None:
        matrix = aligned(pair, only)
        told = f"it starts by the initial alignment {only}, as was asked for"
        return Start(Transform((Affine(matrix),)), only, told)
    tried = [
        try_start(pair, name, Transform((Affine(aligned(pair, name)),)))
        for name in METHODS
    ]
    header = tried[0]
    promising = sorted(tried, key=likelihood, reverse=True)[:_NUM_SHIFTED]
    shifted = [shift_on(pair, one) for one in distinct(promising, pair)]
    likeliest = sorted([*shifted, header], key=likelihood, reverse=True)
    turned = [
        register_affinely(pair, one) for one in distinct(likeliest, pair)[:_NUM_TURNED]
    ]
    best = max((*tried, *shifted, *turned), key=likelihood)
    best = turned_far(pair, best)
    if not best.likelihood > 0:
        raise InputError(_NO_WAY)
    if header.likelihood >= _TRUST * best.likelihood:
        best = header
    clearest = turned_clearly(pair, best)
    if clearest is best:
        return Start(best.transform, best.name, _reason(best, header))
    told = f"it starts {_named(clearest)}, {_AGREE}"
    return Start(clearest.transform, clearest.name, told)


def find_start_by_context(pair: CoarsePair) -> Start:
    """Finds where to start where equal values don't mean the same in the two.

    The headers, the centres of the volumes and those of intensity, and each of these
    shifted by mutual information; the one whose self-similarities agree most is kept.

    Args:
        pair: On coarse grids.

    Raises:
        InputError: If they agree nowhere, and by the headers nothing of both is seen.
    """
    tried = [
        try_start(pair, name, Transform((Affine(aligned(pair, name)),)))
        for name in METHODS
        if name != "search"  # looks for equal values
    ]
    header = tried[0]
    shifted = [shift_on(pair, one) for one in tried]
    judged = [
        replace(one, likelihood=pair.agreement(one.transform))
        for one in distinct([*tried, *shifted], pair)
    ]
    best = max(judged, key=likelihood)
    if not best.likelihood > 0:
        if not header.likelihood > 0:
            raise InputError(_NO_WAY)
        best = header
    told = "as nothing was found that fits better"
    if best.transform is not header.transform:
        told = _AGREE
    return Start(best.transform, best.name, f"it starts {_named(best)}, {told}")


def _reason(best: Tried, header: Tried) -> str:
    if best is header:
        return "it starts where the headers say, as nothing was found that fits better"
    moved = best.likelihood / max(header.likelihood, 1e-9)
    if moved >= _FAR:
        return f"it starts {_named(best)}, as the headers lead nowhere"
    than = f"{moved:.3g} times as much in common as by the headers"
    return f"it starts {_named(best)}, where the two have {than}"


def _named(one: Tried) -> str:
    return {
        "header": "near where the headers say",
        "centers": "near where the centres of the volumes lie on each other",
        "mass": "near where the centres of intensity lie on each other",
        "search": "near the shift that makes the two most alike",
        "turned": f"turned by {degrees_of(one.transform):.0f} degrees",
    }.get(one.name, f"from {one.name}")
