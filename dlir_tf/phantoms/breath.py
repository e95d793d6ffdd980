"""A breath: a smooth one-to-one motion of a thorax with its inverse, in world mm.

Simple maps are composed, each of which can be inverted, so their composition can: a
random bending, the descent of the diaphragm, the ribs' motion outwards, and a tilt of
the body. Lungs don't slide along the chest wall; what is between them is sheared.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.floating]

# The most of the lungs' height by which the diaphragm descends: more wouldn't fold, but
# isn't a breath, either.
MOST_DESCENT = 0.3
_NUM_WAVES = 12
_WAVELENGTHS = (80.0, 240.0)  # mm
_STEEPEST = 0.6  # of all waves at once; with 1 or more they could fold
_MOST_STEPS = 200


@dataclass(frozen=True, eq=False)
class Breath:
    """Carries points of a thorax from rest to after a breath, and back.

    Args:
        centre: The middle of the lungs at rest, world mm, RAS+.
        reach: Half of their extent along each axis of the world, mm.
        descent: How far the diaphragm goes down, mm.
        outward: How far the front of the chest goes outwards, mm.
        tilt: Rotation of the whole body between the two, radians about each axis.
        waves: Wave vectors `(n, 3)` in 1/mm, phases `(n,)` and displacements `(n, 3)`
            in mm of a random bending.
    """

    centre: Array
    reach: Array
    descent: float
    outward: float
    tilt: tuple[float, float, float]
    waves: tuple[Array, Array, Array]

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        low: Array,
        high: Array,
        descent: tuple[float, float],
    ) -> "Breath":
        """Draws a breath for lungs that lie between two corners of a box.

        Args:
            rng: Decides it.
            low: Smallest world coordinates of the lungs, mm.
            high: The largest ones.
            descent: Range of the diaphragm's descent, mm; no more than `MOST_DESCENT`
                of the lungs' height.
        """
        reach = np.maximum((high - low) / 2, 1.0)
        down = min(rng.uniform(*descent), MOST_DESCENT * 2 * reach[2])
        # Of a deep breath, the ribs' part is about a quarter of the diaphragm's.
        return cls(
            centre=(low + high) / 2,
            reach=reach,
            descent=down,
            outward=rng.uniform(0.1, 0.35) * down,
            tilt=tuple(np.deg2rad(rng.uniform(-3.0, 3.0, 3))),
            waves=_random_waves(rng),
        )

    def origin(self, points: Array) -> Array:
        """From points `(n, 3)` after the breath to where they are at rest, mm."""
        rest = points + self._bending(points)
        rest = rest + self._descent(rest)
        rest = rest + self._inwards(rest)
        return self._turn(rest, sign=1.0)

    def destination(self, points: Array) -> Array:
        """From points `(n, 3)` at rest to after the breath, to better than 1e-6 mm."""
        breathed = self._turn(points, sign=-1.0)
        for change in (self._inwards, self._descent, self._bending):
            breathed = _undone(change, breathed)
        return breathed

    def _bending(self, points: Array) -> Array:
        vectors, phases, displacements = self.waves
        return np.asarray(np.cos(points @ vectors.T + phases) @ displacements)

    def _descent(self, points: Array) -> Array:
        """Upwards by as much as the tissue went down: all below, nothing at the top."""
        top = self.centre[2] + self.reach[2]
        depth = (top - points[:, 2]) / (2 * self.reach[2] + self.descent)
        along = 0.5 - 0.5 * np.cos(np.pi * np.clip(depth, 0.0, 1.0))
        # The lungs go down together, and less so what is farther out than they are.
        across = 1.0 / (1.0 + (self._radius(points) / 1.5) ** 4)
        moved = np.zeros_like(points)
        moved[:, 2] = self.descent * along * across
        return moved

    def _inwards(self, points: Array) -> Array:
        """Towards the spine, where nothing moves; most where the lungs are widest."""
        spine = self.centre[:2] - (0.0, 0.5 * self.reach[1])
        apart = points[:, :2] - spine
        height = (points[:, 2] - self.centre[2]) / (1.5 * self.reach[2])
        fading = np.exp(-(height**2) - (self._radius(points) / 2.2) ** 4)
        moved = np.zeros_like(points)
        moved[:, :2] = -self.outward * fading[:, None] * apart / (1.5 * self.reach[:2])
        return moved

    def _turn(self, points: Array, *, sign: float) -> Array:
        matrix = Rotation.from_rotvec(sign * np.asarray(self.tilt)).as_matrix()
        return (points - self.centre) @ matrix.T + self.centre

    def _radius(self, points: Array) -> Array:
        """Distance from the lungs' axis: 1 on the ellipse around them."""
        apart = (points[:, :2] - self.centre[:2]) / self.reach[:2]
        return np.asarray(np.hypot(apart[:, 0], apart[:, 1]))


def _random_waves(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Waves that can't fold, however their crests meet."""
    directions = rng.normal(size=(2, _NUM_WAVES, 3))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    numbers = 2 * np.pi / rng.uniform(*_WAVELENGTHS, size=(_NUM_WAVES, 1))
    steepness = rng.uniform(0.3, 1.0) * _STEEPEST / _NUM_WAVES
    phases = rng.uniform(0.0, 2 * np.pi, _NUM_WAVES)
    return numbers * directions[0], phases, steepness / numbers * directions[1]


def _undone(change: Callable[[Array], Array], points: Array) -> Array:
    """The points that `x + change(x)` takes to the given ones."""
    start = points
    for _ in range(_MOST_STEPS):
        following = points - change(start)
        apart = np.abs(following - start).max(initial=0.0)
        start = following
        if apart < 1e-8:
            break
    return start
