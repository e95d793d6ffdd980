"""The scanner's side of a phantom: its grid, its coil and its noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image

Array = NDArray[np.floating]
Number = TypeVar("Number", int, float)

# The heart's axes (lateral, anterior, apical) in a patient, RAS: the long axis
# points to the left, forwards and down.
SHORT_AXIS_VIEW = np.array(
    [[-0.81, -0.06, -0.55], [-0.47, 0.58, 0.65], [0.28, 0.79, -0.52]]
)


@dataclass(frozen=True, eq=False)
class Scanner:
    """Places voxels in the world and the heart in front of them.

    Args:
        grid: Where the voxels lie, slices last.
        axes: Columns are the heart's axes in the world.
        origin: World point of the heart's centre, mm.
        coil: Gradient of the log sensitivity across the image.
        noise: Standard deviation relative to the signal of blood.
        gain: Stored value of blood.
    """

    grid: Grid
    axes: Array
    origin: Array
    coil: Array
    noise: float
    gain: float

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        ndim: int,
        shape: Sequence[int] | None,
        spacing: Sequence[float] | None,
    ) -> "Scanner":
        """Draws a grid around the heart, in a random storage order."""
        in_plane, slices = rng.uniform(1.6, 1.95), rng.uniform(7.0, 9.5)
        sizes = [*rng.integers(90, 104, 2).tolist(), int(rng.integers(7, 10))][:ndim]
        sizes = sizes if shape is None else _whole(_checked("shape", shape, ndim))
        steps = (in_plane, in_plane, slices)[:ndim]
        steps = steps if spacing is None else _checked("spacing", spacing, ndim)
        axes = _orientation(rng, ndim)
        # Flips and a swap of the axes in the plane: files come in every order.
        order = [*rng.permutation(2), 2][:ndim]
        signs = rng.choice([-1.0, 1.0], ndim)
        tilt = Rotation.from_euler("z", rng.uniform(-12, 12), degrees=True)
        view = axes @ tilt.as_matrix()[:ndim, :ndim]
        affine = np.eye(ndim + 1)
        affine[:ndim, :ndim] = view[:, order] * signs * np.array(steps)
        affine[:ndim, ndim] = rng.uniform(-80.0, 80.0, ndim)
        grid = Grid(tuple(sizes), affine)
        aside = np.array([rng.uniform(8, 18), rng.uniform(-8, 8), rng.uniform(-4, 4)])
        return cls(
            grid=grid,
            axes=axes,
            origin=grid.centre + axes @ aside[:ndim],
            coil=rng.uniform(-0.35, 0.35, ndim),
            noise=rng.uniform(0.02, 0.04),
            gain=rng.uniform(250.0, 900.0),
        )

    def voxel_centres(self) -> Array:
        """World points `(n, ndim)` of all voxels, in the array's order."""
        return self.grid.points().reshape(-1, self.grid.ndim)

    def to_heart(self, points_mm: Array) -> Array:
        """World points `(n, ndim)` to the heart frame `(n, 3)`, both mm."""
        points = np.zeros((len(points_mm), 3))
        points[:, : self.grid.ndim] = (points_mm - self.origin) @ self.axes
        return points

    def to_world(self, points: Array) -> Array:
        """Points of the heart frame `(n, 3)` to the world `(n, ndim)`."""
        return np.asarray(points[:, : self.grid.ndim] @ self.axes.T + self.origin)

    def image(self, values: NDArray[np.generic]) -> Image:
        """One value a voxel, as an image on the scanner's grid."""
        return Image(values.reshape(self.grid.shape), self.grid.affine)

    def acquire(self, rng: np.random.Generator, signal: Array) -> Image:
        """Adds the coil's profile and Rician noise, and stores integers."""
        shape, ndim = self.grid.shape, self.grid.ndim
        across = np.stack(
            np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"),
            axis=-1,
        )
        coil = self.coil + rng.normal(0.0, 0.03, ndim)
        bias = np.exp(across @ coil - 0.12 * (across**2)[..., :2].sum(axis=-1))
        noise = rng.normal(0.0, self.noise, (2, *shape))
        # Scanners interpolate in the plane: noise of neighbours is related.
        blur = (0.0, 0.5, 0.5, 0.0)[: 1 + ndim]
        noise = 1.3 * gaussian_filter(noise, blur)
        real = bias * signal.reshape(shape) + noise[0]
        magnitude = self.gain * np.hypot(real, noise[1])
        return self.image(np.rint(magnitude).astype(np.int16))


def _orientation(rng: np.random.Generator, ndim: int) -> Array:
    """The heart's axes in the world: orthonormal columns, different each time."""
    if ndim == 2:
        turn = np.deg2rad(rng.uniform(-15.0, 15.0))
        cos, sin = np.cos(turn), np.sin(turn)
        return np.array([[-cos, -sin], [-sin, cos]])
    about = Rotation.from_rotvec(np.deg2rad(rng.uniform(-9.0, 9.0, 3)))
    left, _, right = np.linalg.svd(SHORT_AXIS_VIEW)
    return np.asarray(about.as_matrix() @ left @ right)


def _checked(name: str, values: Sequence[Number], ndim: int) -> tuple[Number, ...]:
    if len(values) != ndim or min(values) <= 0:
        raise InputError(
            f"{name} must be {ndim} positive numbers, one per axis. "
            f"Received: {tuple(values)}"
        )
    return tuple(values)


def _whole(sizes: Sequence[int]) -> list[int]:
    if any(size != int(size) for size in sizes):
        raise InputError(
            f"shape must be {len(sizes)} positive whole numbers, one per axis. "
            f"Received: {tuple(sizes)}"
        )
    return [int(size) for size in sizes]
