"""What is odd about a pair: how it moves, where it's seen, how, by which header."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from dlir_tf import Image
from dlir_tf.images import Grid
from odd_files import looks, views
from odd_files.body import Body, generated
from odd_files.looks import Look
from odd_files.motion import Motion, make_motion
from odd_files.views import View

_MOST_SAMPLES = 4


@dataclass(frozen=True)
class Case:
    """Something odd.

    Attributes:
        name: Of it.
        motion: Other numbers than those of `make_motion`.
        views: Where the fixed and the moving image are seen.
        looks: How.
        stretch: By what their headers multiply mm.
        shift: By how many mm the moving one's header is off.
        contrast: Whether the moving image shows the other contrast.
        stranger: Whether it shows another body.
        expects: That the motion is found, or that the verdict is no `PASS`.
        ndim: The ranks it's for.
    """

    name: str
    motion: dict[str, float] = field(default_factory=dict)
    views: tuple[View, View] = (views.whole, views.whole)
    looks: tuple[Look, Look] = (looks.plain, looks.plain)
    stretch: tuple[float, float] = (1.0, 1.0)
    shift: float = 0.0
    contrast: bool = False
    stranger: bool = False
    expects: Literal["found", "doubt"] = "found"
    ndim: tuple[int, ...] = (2, 3)


@dataclass(frozen=True, eq=False)
class OddPair:
    """A pair with its truth.

    Attributes:
        fixed: The image that stays.
        moving: The other one.
        goes_to: Where the fixed image's voxels belong, `(*shape, ndim)`, mm.
        counts: Those of the body that the moving image shows, bool.
    """

    fixed: Image
    moving: Image
    goes_to: np.ndarray
    counts: np.ndarray


def _case(name: str, **odd: Any) -> Case:
    return Case(name, **odd)


_BLOCK = views.part((0.3, 0.25, 0.35), (0.75, 0.7, 0.8))
_SLAB = views.part((0.0, 0.0, 0.45), (1.0, 1.0, 0.55))
_SECTOR = views.part((0.0, 0.3, 0.0), (0.6, 1.0, 1.0))

CASES = (
    _case("nothing odd"),
    *(_case(f"turned by {d}°", motion={"degrees": d}) for d in (30, 45, 60, 90, 135)),
    _case("shifted by half", motion={"shift": 0.5}),
    _case("1.3 times as large", motion={"scale": 1.3}),
    _case("0.7 times as large", motion={"scale": 0.7}),
    _case("origin 10 km off", shift=1e7),
    _case("microns", stretch=(0.01, 0.01)),
    _case("µm taken for mm", stretch=(1000.0, 1000.0)),
    _case(
        "axes oblique, flipped, in another order", views=(views.whole, views.oblique)
    ),
    _case("block of the whole", views=(_BLOCK, views.whole)),
    _case("whole to a block", views=(views.whole, _BLOCK)),
    _case("block, origin off", views=(_BLOCK, views.whole), shift=300.0),
    _case("slab of a tenth", views=(_SLAB, views.whole), ndim=(3,)),
    _case("whole to a slab", views=(views.whole, _SLAB), ndim=(3,)),
    _case("two parts that overlap", views=(_BLOCK, _SECTOR)),
    _case("2.5 times the field of view", views=(views.whole, views.wide(2.5))),
    _case("fixed in 2.5 times its field", views=(views.wide(2.5), views.whole)),
    _case(
        "slices across slices",
        views=(views.voxels_of(1, 1, 4), views.voxels_of(4, 1, 1)),
        ndim=(3,),
    ),
    _case(
        "thick slices to cubes",
        views=(views.voxels_of(1, 1, 6), views.voxels_of(2, 2, 2)),
        ndim=(3,),
    ),
    _case(
        "cubes to thick slices",
        views=(views.voxels_of(2, 2, 2), views.voxels_of(1, 1, 6)),
        ndim=(3,),
    ),
    _case("five slices", views=(views.slices(5), views.whole), ndim=(3,)),
    _case(
        "five slices each",
        motion={"degrees": 3, "shift": 0.03},
        views=(views.slices(5), views.slices(5)),
        ndim=(3,),
    ),
    _case("air at 4095", looks=(looks.on_white, looks.on_white)),
    _case("air at 4095 in one", looks=(looks.on_white, looks.plain)),
    _case("voxels of a million", looks=(looks.hot, looks.hot)),
    _case("of mean 0", looks=(looks.signed, looks.plain)),
    _case("from -1024 on", looks=(looks.lowered, looks.lowered)),
    _case("from -1024 on in one", looks=(looks.lowered, looks.plain)),
    _case("saturated in one", looks=(looks.saturated, looks.plain)),
    _case("uneven in one", looks=(looks.plain, looks.uneven)),
    _case("masks", looks=(looks.mask, looks.mask)),
    _case("labels", looks=(looks.labels, looks.labels)),
    _case("labels to image", looks=(looks.labels, looks.plain)),
    _case("other contrast", contrast=True),
    _case("other contrast, turned by 30°", contrast=True, motion={"degrees": 30}),
    _case("other contrast, block", contrast=True, views=(_BLOCK, views.whole)),
    _case("other contrast, PET", contrast=True, looks=(looks.plain, looks.blurred)),
    _case("PET", looks=(looks.plain, looks.blurred)),
    _case("speckle", looks=(looks.plain, looks.speckled)),
    _case("CT to MR", looks=(looks.as_ct, looks.plain)),
    _case("another body", stranger=True, expects="doubt"),
    _case(
        "another body, other contrast", stranger=True, contrast=True, expects="doubt"
    ),
    _case("noise in one", looks=(looks.plain, looks.noise), expects="doubt"),
    _case("noise in both", looks=(looks.noise, looks.noise), expects="doubt"),
    _case("empty", looks=(looks.plain, looks.empty), expects="doubt"),
    _case("mirrored", looks=(looks.plain, looks.mirrored), expects="doubt"),
)


def make_pair(case: Case, body: Body, seed: int) -> OddPair:
    """Makes a pair: the body seen where it was moved to, and where it lies."""
    rng = np.random.default_rng(seed)
    motion = make_motion(rng, body.image.grid, **case.motion)
    fixed_grid, moving_grid = (view(body.image.grid) for view in case.views)
    seen = _seen(body, body.image.array, fixed_grid, motion)
    shown = generated(99 + seed, flat=body.image.ndim == 2) if case.stranger else body
    array = shown.other if case.contrast else shown.image.array
    there = _seen(shown, array, moving_grid)
    points = motion(fixed_grid.points())
    counts = moving_grid.contains(points)
    counts &= body.sampled(body.inside.astype(np.float32), points) > 0.5
    goes_to = points * case.stretch[1] + case.shift
    arrays = (look(a, rng) for look, a in zip(case.looks, (seen, there), strict=True))
    headers = (
        _header(grid, stretch, shift)
        for grid, stretch, shift in zip(
            (fixed_grid, moving_grid), case.stretch, (0.0, case.shift), strict=True
        )
    )
    fixed, moving = (
        Image(a.astype(np.float32) if a.dtype == float else a, affine)
        for a, affine in zip(arrays, headers, strict=True)
    )
    return OddPair(fixed, moving, goes_to, counts)


def _header(grid: Grid, stretch: float, shift: float) -> np.ndarray:
    affine = grid.affine.copy()
    affine[:-1] *= stretch
    affine[:-1, -1] += shift
    return affine


def _seen(
    body: Body,
    array: np.ndarray,
    grid: Grid,
    motion: Callable[[np.ndarray], np.ndarray] | Motion = lambda points: points,
) -> np.ndarray:
    """What voxels show: means over them, where they are larger than the body's."""
    finest = min(body.image.spacing)
    numbers = [min(_MOST_SAMPLES, max(1, round(s / finest))) for s in grid.spacing]
    total = np.zeros(grid.shape)
    points = grid.points()
    for place in np.ndindex(*numbers):
        within = (np.array(place) + 0.5) / numbers - 0.5
        total += body.sampled(array, motion(points + grid.affine[:-1, :-1] @ within))
    return total / np.prod(numbers)
