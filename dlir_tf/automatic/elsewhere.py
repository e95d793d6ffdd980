"""Starts that are turned far from all others, for pairs that don't look alike."""

from dlir_tf.automatic.coarse import CoarsePair
from dlir_tf.automatic.modality import SAME, correlation
from dlir_tf.automatic.tries import Tried, likelihood, register_affinely, try_start
from dlir_tf.automatic.turning import turned_starts

# A body may look much like itself from another side.
_CLEARLY = 1.15
# Self-similarities of what was turned right agree by 0.7 and more; of two hearts of
# different people that were turned by 86 degrees, by 0.3.
_CLEAR = 0.6


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
