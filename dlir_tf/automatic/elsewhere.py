"""Starts that are turned far from all others, for pairs that don't look alike."""

from dlir_tf.automatic.coarse import CoarsePair
from dlir_tf.automatic.modality import SAME, correlation
from dlir_tf.automatic.tries import Tried, likelihood, register_affinely, try_start
from dlir_tf.automatic.turning import clearest_turns, turned_starts

# A body may look much like itself from another side.
_CLEARLY = 1.15
# Self-similarities of what was turned right agree by 0.7 and more; of two hearts of
# different people that were turned by 86 degrees, by 0.3.
_CLEAR = 0.6
# In a plane, to try all turns takes little. Slices that lay where they belong had 0.74
# and more, and those that were turned wrongly up to 0.65.
_SURE_IN_PLANE = 0.72
_MORE_CLEARLY = 0.03


def turned_far(pair: CoarsePair, best: Tried) -> Tried:
    """Finds a start at any angle, if what was found isn't alike but that is.

    Two bodies that have little in common have a little more in some position or other.

    Args:
        pair: On coarse grids.
        best: Of the starts that were tried.
    """
    if correlation(pair, best.transform) >= SAME:
        return best
    starts = [
        try_start(pair, "turned", one) for one in turned_starts(pair, best.transform)
    ]
    turned = max(
        (best, *(register_affinely(pair, one) for one in starts)), key=likelihood
    )
    if turned.likelihood <= _CLEARLY * best.likelihood:
        return best
    alike = correlation(pair, turned.transform) >= SAME
    return turned if alike or pair.clarity(turned.transform) >= _CLEAR else best


def turned_clearly(pair: CoarsePair, best: Tried) -> Tried:
    """Finds a turn in a plane by which self-similarities agree more than by the best.

    Light from one side, or air that is white in one image, makes grey values say more
    about each other in a wrong place.

    Args:
        pair: On coarse grids.
        best: Of the starts that were tried.
    """
    clarity = pair.clarity(best.transform)
    if pair.fixed.ndim != 2 or not clarity < _SURE_IN_PLANE:
        return best
    starts = clearest_turns(pair, best.transform)
    for one in starts:
        turned = register_affinely(pair, try_start(pair, "turned", one))
        found = pair.clarity(turned.transform)
        if found > clarity + _MORE_CLEARLY:
            best, clarity = turned, found
    return best
