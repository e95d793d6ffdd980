"""Where a registration starts: several ways are tried, and the likeliest is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dlir_tf.automatic.coarse import CoarsePair
from dlir_tf.automatic.modality import SAME, correlation
from dlir_tf.automatic.turning import degrees_of, turned_starts
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.pairs.alignment import initial_alignment
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.transforms import Affine, Transform

METHODS = ("header", "centers", "mass", "search")
# Steps of the shifts that are tried from the best ones, as parts of the extent.
_SHIFTS = (1 / 6, 1 / 12, 1 / 24)
_ROUNDS = 4
_NUM_SHIFTED, _NUM_TURNED = 3, 2
_STEPS = 60
# A header that is nearly as good as what was found is to be trusted.
_TRUST = 0.97
# A body may look much like itself from another side.
_CLEARLY = 1.15
# Self-similarities of what was turned right agree by 0.7 and more; of two hearts of
# different people that were turned by 86 degrees, by 0.3.
_CLEAR = 0.6
_FAR = 100.0


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


@dataclass(frozen=True, eq=False)
class _Tried:
    name: str
    transform: Transform
    likelihood: float


def find_start(
    pair: CoarsePair,
    further: Mapping[str, Transform] | None = None,
    only: str | None = None,
) -> Start:
    """Tries ways to lay two images onto each other, and keeps the likeliest.

    These are the four initial alignments; the best of them, shifted as long as that
    helps; the best of those, after an affine registration on the coarse grid; and what
    else is given. Where the two don't look alike by any of these, turns of any size are
    tried as well.

    Args:
        pair: On coarse grids.
        further: Other transforms, by what they are called.
        only: One of the initial alignments, which is taken as it is.

    Raises:
        InputError: If by none of them the two show anything in common.
    """
    if only is not None:
        matrix = _aligned(pair, only)
        told = f"it starts by the initial alignment {only}, as was asked for"
        return Start(Transform((Affine(matrix),)), only, told)
    tried = [
        _try(pair, name, Transform((Affine(_aligned(pair, name)),))) for name in METHODS
    ]
    header = tried[0]
    promising = sorted(tried, key=_likelihood, reverse=True)[:_NUM_SHIFTED]
    shifted = [_shift(pair, one) for one in _distinct(promising, pair)]
    likeliest = sorted([*shifted, header], key=_likelihood, reverse=True)
    turned = [_turn(pair, one) for one in _distinct(likeliest, pair)[:_NUM_TURNED]]
    others = [_try(pair, name, one) for name, one in (further or {}).items()]
    best = max((*tried, *shifted, *turned, *others), key=_likelihood)
    best = _turned_far(pair, best)
    if not best.likelihood > 0:
        raise InputError(
            "no way was found to lay the two images onto each other: wherever both are "
            "seen, neither says anything about the other; check that they show the "
            "same, or say by initial_transform (--initial-transform) where to start"
        )
    if header.likelihood >= _TRUST * best.likelihood:
        best = header
    return Start(best.transform, best.name, _reason(best, header))


def find_start_by_context(
    pair: CoarsePair, further: Mapping[str, Transform] | None = None
) -> Start:
    """Finds where to start where equal values don't mean the same in the two.

    The headers, the centres of the volumes and those of intensity, and each of these
    shifted by mutual information; the one whose self-similarities agree most is kept.

    Args:
        pair: On coarse grids.
        further: Other transforms, by what they are called.
    """
    tried = [
        _try(pair, name, Transform((Affine(_aligned(pair, name)),)))
        for name in METHODS
        if name != "search"  # looks for equal values
    ]
    header = tried[0]
    shifted = [_shift(pair, one) for one in tried]
    others = [_try(pair, name, one) for name, one in (further or {}).items()]
    judged = [
        replace(one, likelihood=pair.agreement(one.transform))
        for one in _distinct([*tried, *shifted, *others], pair)
    ]
    best = max(judged, key=_likelihood)
    if not best.likelihood > 0:
        best = header
    told = "as nothing was found that fits better"
    if best.transform is not header.transform:
        told = "as self-similarities agree most there"
    return Start(best.transform, best.name, f"it starts {_named(best)}, {told}")


def _likelihood(one: _Tried) -> float:
    return one.likelihood


def _try(pair: CoarsePair, name: str, transform: Transform) -> _Tried:
    return _Tried(name, transform, pair.likelihood(transform))


def _aligned(pair: CoarsePair, method: str) -> np.ndarray:
    counting = pair.fixed_mask.array, pair.moving_mask.array
    return initial_alignment(pair.fixed, pair.moving, method, counting)


def _distinct(tried: list[_Tried], pair: CoarsePair) -> list[_Tried]:
    """Without those that do the same as one before, to less than a coarse voxel."""
    corners = pair.fixed.grid.corners
    step = max(pair.fixed.spacing)
    kept: list[tuple[_Tried, np.ndarray]] = []
    for one in tried:
        there = one.transform.map_points(corners)
        if all(np.abs(there - other).max() > step for _, other in kept):
            kept.append((one, there))
    return [one for one, _ in kept]


def _shift(pair: CoarsePair, start: _Tried) -> _Tried:
    """Shifts along the axes as long as that helps, by less and less."""
    extent = np.minimum(pair.fixed.grid.extent.max(), pair.moving.grid.extent.max())
    axes = pair.fixed.grid.directions
    best = start
    for part in _SHIFTS:
        for _ in range(_ROUNDS):
            trials = [
                _try(pair, start.name, _shifted(best.transform, part * extent * way))
                for way in (*axes.T, *-axes.T)
            ]
            found = max(trials, key=_likelihood)
            if found.likelihood <= best.likelihood:
                break
            best = found
    return best


def _shifted(transform: Transform, by: np.ndarray) -> Transform:
    matrix = transform.affine_part.copy()
    matrix[:-1, -1] += by
    return Transform((Affine(matrix),))


def _turn(pair: CoarsePair, start: _Tried) -> _Tried:
    """Registers affinely on the coarse grid, by mutual information."""
    ndim = pair.fixed.ndim
    stage = {
        "transform": "affine",
        "downsample": 1,
        "feature_spacing": 1,
        "max_rotation_degrees": 60.0,
    }
    config = Config.model_validate(
        {
            "ndim": ndim,
            "spacing": [None] * ndim,
            "intensity": {"clip_percentiles": None},
            "similarity": {"kind": "nmi", "bins": 24},
            "stages": [stage],
        }
    )
    try:
        prepared = prepare_pair(
            pair.fixed,
            pair.moving,
            config,
            fixed_mask=pair.fixed_mask,
            moving_mask=pair.moving_mask,
            initial_transform=start.transform,
        )
        from dlir_tf.refinement import refine  # needs the backend of Keras

        found = refine(prepared, config, _STEPS)
    except InputError:  # too little overlaps there
        return start
    transform = prepared.to_world(found.parameters.matrix)
    turned = _try(pair, start.name, Transform((Affine(transform.affine_part),)))
    return max(start, turned, key=_likelihood)


def _turned_far(pair: CoarsePair, best: _Tried) -> _Tried:
    """A start that is turned by any angle, if what was found isn't alike but that is.

    Two bodies that have little in common have a little more in some position or other.
    """
    if correlation(pair, best.transform) >= SAME:
        return best
    starts = [_try(pair, "turned", one) for one in turned_starts(pair, best.transform)]
    turned = max((best, *(_turn(pair, one) for one in starts)), key=_likelihood)
    if turned.likelihood <= _CLEARLY * best.likelihood:
        return best
    alike = correlation(pair, turned.transform) >= SAME
    return turned if alike or pair.clarity(turned.transform) >= _CLEAR else best


def _reason(best: _Tried, header: _Tried) -> str:
    if best is header:
        return "it starts where the headers say, as nothing was found that fits better"
    moved = best.likelihood / max(header.likelihood, 1e-9)
    if moved >= _FAR:
        return f"it starts {_named(best)}, as the headers lead nowhere"
    than = f"{moved:.3g} times as much in common as by the headers"
    return f"it starts {_named(best)}, where the two have {than}"


def _named(one: _Tried) -> str:
    return {
        "header": "near where the headers say",
        "centers": "near where the centres of the volumes lie on each other",
        "mass": "near where the centres of intensity lie on each other",
        "search": "near the shift that makes the two most alike",
        "turned": f"turned by {degrees_of(one.transform):.0f} degrees",
    }.get(one.name, f"from {one.name}")
