"""A picture of a registration: before, after, and the deformation between.

Planes are drawn in true proportions and turned as `dlir_tf.figures.planes` says: the
patient's left is on the right, the head or the front is up. Letters at the edges
name these directions in 3-d.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dlir_tf.errors import InputError
from dlir_tf.figures.planes import View, choose_view
from dlir_tf.files import check_output, replacing
from dlir_tf.images import Image

Array = NDArray[np.floating]

BACKGROUND, INK, MUTED = "#111318", "#f2f3f5", "#9aa0ab"


def registration_figure(
    path: Path | str,
    fixed: Image,
    moving: Image,
    moved: Image,
    *,
    displacement: Array | None = None,
    title: str | None = None,
    slice_axis: int = -1,
    slice_index: int | None = None,
) -> None:
    """Saves a PNG: the images, their differences before and after, the grid.

    Each image is scaled to its own window (percentiles 0.5 and 99.5; `moved`
    takes that of `moving`), so the differences are fractions of that window. NaN is
    drawn black.

    Args:
        path: The PNG to write; it appears complete or not at all.
        fixed: The fixed image, 2-d or 3-d.
        moving: The moving image, on any grid; shown at the same world points.
        moved: The moving image after registration, on the fixed grid.
        displacement: Pull-back displacement `(*fixed.shape, ndim)` in world mm.
            The part of it in the plane is drawn as a deformed grid. Without it,
            a chequerboard of fixed and moved takes that place.
        title: A line above the pictures.
        slice_axis: Array axis across which to cut, in 3-d.
        slice_index: Which slice; the middle one if not given.

    Raises:
        InputError: If shapes don't fit together or there is no such slice.
    """
    _check(fixed, moving, moved, displacement)
    view = choose_view(fixed.grid, slice_axis, slice_index)
    window = _window(moving.array)
    pictures = [
        _scaled(view.plane(fixed.array), _window(fixed.array)),
        _scaled(view.resample(moving), window),
        _scaled(view.plane(moved.array), window),
    ]
    figure, axes = _panels(view, title)
    for ax, name, picture in zip(
        axes[:3], ("Fixed", "Moving", "Moved"), pictures, strict=True
    ):
        _draw(ax, view, picture, name)
    if displacement is None:
        _draw(axes[3], view, _chequerboard(pictures[0], pictures[2]), "Fixed / moved")
    else:
        _draw(axes[3], view, 0.6 * pictures[0], "Deformation")
        _draw_grid(axes[3], view, displacement)
    _draw_difference(axes[4], view, pictures[0] - pictures[1], "before")
    _draw_difference(axes[5], view, pictures[0] - pictures[2], "after")
    _save(figure, Path(path))


def _check(
    fixed: Image, moving: Image, moved: Image, displacement: Array | None
) -> None:
    if moving.ndim != fixed.ndim:
        raise InputError(
            f"figure: moving must have {fixed.ndim} axes like fixed. "
            f"Received shape: {moving.shape}"
        )
    if moved.shape != fixed.shape:
        raise InputError(
            f"figure: moved must lie on the fixed grid, shape {fixed.shape}. "
            f"Received: {moved.shape}"
        )
    expected = (*fixed.shape, fixed.ndim)
    if displacement is not None and displacement.shape != expected:
        raise InputError(
            f"figure: displacement must have shape {expected}, mm on the fixed grid. "
            f"Received: {displacement.shape}"
        )


def _panels(view: View, title: str | None) -> tuple[Figure, list[Axes]]:
    """Two rows of three panels, with room for what is written (inches)."""
    ratio = float(np.clip(view.extent[1] / view.extent[0], 0.3, 3.0))
    width = float(np.clip(4.2 / ratio, 2.9, 3.4))
    height, line, header = width * ratio, 0.34, 0.5 if title else 0.05
    total = header + 2 * (height + line) + 0.1
    figure = Figure(figsize=(3 * width, total), facecolor=BACKGROUND)
    grid = figure.add_gridspec(
        2, 3, left=0.01, right=0.99, bottom=0.1 / total, wspace=0.03,
        top=1.0 - (header + line) / total, hspace=line / height,
    )  # fmt: skip
    if title:
        place = 1.0 - 0.12 / total
        figure.suptitle(title, color=INK, fontsize=14, fontweight="bold", y=place)
    return figure, [figure.add_subplot(grid[n // 3, n % 3]) for n in range(6)]


def _window(array: Array) -> tuple[float, float]:
    low, high = np.nanpercentile(array, (0.5, 99.5))
    return float(low), float(high if high > low else low + 1.0)


def _scaled(array: Array, window: tuple[float, float]) -> Array:
    low, high = window
    scaled = (array.astype(np.float64) - low) / (high - low)
    return np.clip(np.nan_to_num(scaled, nan=0.0), 0.0, 1.0)


def _chequerboard(first: Array, second: Array) -> Array:
    squares = np.indices(first.shape) * 8 // np.array(first.shape)[:, None, None]
    return np.where(squares.sum(axis=0) % 2 == 0, first, second)


def _draw(
    ax: Axes,
    view: View,
    picture: Array,
    name: str,
    *,
    caption: str | None = None,
    cmap: str = "gray",
    maximum: float = 1.0,
) -> None:
    width, height = view.extent
    ax.imshow(
        picture.T, cmap=cmap, vmin=0.0, vmax=maximum, origin="lower",
        extent=(0.0, width, 0.0, height), interpolation="bicubic", aspect="equal",
    )  # fmt: skip
    ax.set(xticks=[], yticks=[], xlim=(0.0, width), ylim=(0.0, height))
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_title(name, color=INK, fontsize=12, loc="left", pad=5)
    if caption:
        _write_caption(ax, caption)
    if view.letters:
        places = ((0.02, 0.5), (0.98, 0.5), (0.5, 0.02), (0.5, 0.98))
        sides = (("left", "center"), ("right", "center"),
                 ("center", "bottom"), ("center", "top"))  # fmt: skip
        for letter, (x, y), (ha, va) in zip(view.letters, places, sides, strict=True):
            ax.text(x, y, letter, transform=ax.transAxes, color=MUTED, fontsize=8,
                    ha=ha, va=va)  # fmt: skip


def _draw_difference(ax: Axes, view: View, difference: Array, when: str) -> None:
    size = np.abs(difference)
    _draw(
        ax,
        view,
        size,
        f"|Difference| {when}",
        caption=f"mean {100 * size.mean():.1f} %",
        cmap="inferno",
        maximum=0.6,
    )


def _draw_grid(ax: Axes, view: View, displacement: Array) -> None:
    segments, sizes = view.deformed_grid(displacement)
    largest = float(sizes.max())
    collection = LineCollection(
        list(segments), array=sizes, cmap="turbo", linewidths=0.9, alpha=0.9,
        capstyle="round",
    )  # fmt: skip
    collection.set_clim(0.0, max(largest, 1e-3))
    ax.add_collection(collection, autolim=False)
    _write_caption(ax, f"up to {largest:.1f} mm")


def _write_caption(ax: Axes, caption: str) -> None:
    ax.set_title(caption, color=MUTED, fontsize=10, loc="right", pad=5)


def _save(figure: Figure, path: Path) -> None:
    check_output(path, (".png",))
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=120, facecolor=BACKGROUND)
