"""Draws the pictures of the documentation: `python docs/draw.py`, into `docs/assets`.

Worlds and directions are drawings; registrations are made by `dlir-tf register` of a
generated heart.
"""

import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
import PIL.Image
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyArrowPatch

from dlir_tf.cli import main as dlir_tf
from dlir_tf.images import Image, write_image
from dlir_tf.phantoms import beating_heart

ASSETS = Path(__file__).parent / "assets"
INK, RIGHT, TOP, GREY = "#263238", "#c62828", "#1565c0", "#90a4ae"
# The same file every time, and text that is found by a search.
SVG = {"svg.hashsalt": "dlir-tf", "svg.fonttype": "none", "font.size": 11}


def main() -> None:
    """Draws all of them."""
    ASSETS.mkdir(exist_ok=True)
    with mpl.rc_context(SVG):
        for name, draw in (("space", space), ("directions", directions)):
            save(draw(), ASSETS / f"{name}.svg")
    registrations()


def save(figure: Figure, path: Path) -> None:
    """As SVG, without a date in it."""
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


def space() -> Figure:
    """A body in both worlds, and a grid in the world."""
    figure = Figure(figsize=(9.5, 3.6), facecolor="white")
    worlds, grid = figure.subplots(1, 2, width_ratios=(1.2, 1))
    body(worlds)
    # The patient looks at us, so their right is on our left.
    arrow(worlds, (0, -0.2), (-1.75, -0.2), RIGHT, "R: first of RAS+", (-2.35, 0.0))
    arrow(worlds, (0, -0.2), (1.75, -0.2), GREY, "L: first of LPS+", (1.0, 0.0))
    arrow(worlds, (0, -0.2), (0, 1.95), TOP, "S: third of both", (0.12, 1.85))
    worlds.text(-2.35, -1.75, "seen from the front; A comes towards us, P goes away")
    frame(worlds, (-2.5, 2.5), (-1.9, 2.2), "Worlds: RAS+ and LPS+")

    turn = np.deg2rad(20)
    i_axis = 0.55 * np.array([np.cos(turn), np.sin(turn)])
    j_axis = 0.8 * np.array([-np.sin(turn), np.cos(turn)])
    origin = np.array([1.3, 1.0])
    for i in range(6):
        for j in range(4):
            centre = origin + i * i_axis + j * j_axis
            corners = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)]
            around = np.array([centre + a * i_axis + b * j_axis for a, b in corners])
            grid.plot(*around.T, color=GREY, linewidth=0.8)
            grid.plot(*centre, ".", color=INK, markersize=4)
    grid.plot(*origin, "o", color=RIGHT)
    grid.text(
        origin[0] - 0.1, origin[1] - 0.62, "voxel (0, 0): last column", color=RIGHT
    )
    arrow(grid, origin, origin + 2 * i_axis, RIGHT, "i", origin + 2.15 * i_axis)
    arrow(grid, origin, origin + 2 * j_axis, TOP, "j", origin + 2.15 * j_axis)
    arrow(grid, (0, 0), (4.9, 0), INK, "R, mm", (4.3, -0.4))
    arrow(grid, (0, 0), (0, 4.6), INK, "A, mm", (0.1, 4.6))
    frame(grid, (-0.4, 5.2), (-0.6, 5.0), "A grid: the affine takes (i, j) to mm")
    return figure


def directions() -> Figure:
    """The transform takes a point there; the image comes back."""
    figure = Figure(figsize=(9.5, 3.1), facecolor="white")
    axes = figure.subplots()
    for left, name in ((0, "fixed"), (6, "moving")):
        axes.plot([left, left + 3, left + 3, left, left], [0, 0, 3, 3, 0], color=INK)
        axes.text(left + 0.1, 3.15, f"{name} image", color=INK, weight="bold")
    axes.add_patch(Ellipse((1.5, 1.5), 1.7, 2.2, color=GREY, alpha=0.5))
    axes.add_patch(Ellipse((7.9, 1.3), 1.3, 1.9, angle=25, color=GREY, alpha=0.5))
    fixed, moving = (1.9, 2.2), (8.0, 2.0)
    for point, text in ((fixed, "x"), (moving, "T(x)")):
        axes.plot(*point, "o", color=RIGHT)
        axes.text(
            point[0] + 0.35, point[1] - 0.45, text, color=RIGHT, ha="right", va="bottom"
        )
    bend = "arc3,rad=-0.18"
    axes.add_patch(stroke((2.0, 2.25), (7.9, 2.1), RIGHT, bend))
    axes.text(4.5, 2.95, "points: transform", color=RIGHT, ha="center")
    axes.add_patch(stroke((6.0, 0.75), (3.05, 0.75), TOP, "arc3"))
    axes.text(4.5, 0.88, "image: transform", color=TOP, ha="center")
    axes.add_patch(stroke((6.0, 0.3), (3.05, 0.3), RIGHT, "arc3", style="--"))
    axes.text(4.5, -0.05, "points: --inverse", color=RIGHT, ha="center")
    frame(axes, (-0.3, 9.4), (-0.4, 3.6), "A transform pulls back")
    return figure


def body(axes) -> None:
    """A person, looking at us."""
    for centre, size in (((0, -0.75), (1.5, 1.7)), ((0, 0.75), (0.85, 1.05))):
        axes.add_patch(Ellipse(centre, *size, color="#cfd8dc"))
    for side in (-0.17, 0.17):
        axes.plot(side, 0.85, "o", color=INK, markersize=3)


def arrow(axes, start, end, colour, text, place) -> None:
    """An arrow with its name at a place."""
    axes.add_patch(stroke(start, end, colour, "arc3"))
    axes.text(*place, text, color=colour)


def stroke(start, end, colour, bend, style="-") -> FancyArrowPatch:
    """An arrow."""
    return FancyArrowPatch(
        tuple(start),
        tuple(end),
        arrowstyle="-|>",
        mutation_scale=14,
        color=colour,
        connectionstyle=bend,
        linestyle=style,
        linewidth=1.6,
    )


def frame(axes, across, up, title) -> None:
    """No ticks, one scale."""
    axes.set(xlim=across, ylim=up, aspect="equal", title=title)
    axes.set_axis_off()


def registrations() -> None:
    """What `dlir-tf register --figure` draws of two phases of a heart.

    In the second and third picture, the moving image's header is 48 mm off.
    """
    heart = beating_heart(5, shape=(128, 120, 8), spacing=(1.6, 1.6, 9.0))
    elsewhere = heart.moving.affine.copy()
    elsewhere[:2, 3] += [38.0, -30.0]
    strayed = Image(heart.moving.array, elsewhere)
    by_preset = ["--preset", "cardiac-cine", "--initial-alignment"]
    for name, moving, options in (
        ("first-registration", heart.moving, []),
        ("wrong-start", strayed, [*by_preset, "header"]),
        ("right-start", strayed, [*by_preset, "search"]),
    ):
        register(heart.fixed, moving, options, ASSETS / f"{name}.png")


def register(fixed: Image, moving: Image, options: list[str], path: Path) -> None:
    """Draws one registration, in as few bytes as look the same."""
    with tempfile.TemporaryDirectory() as made:
        files = {name: str(Path(made) / f"{name}.nii.gz") for name in ("f", "m", "out")}
        write_image(files["f"], fixed)
        write_image(files["m"], moving)
        words = [files["f"], files["m"], *options, "--output", files["out"]]
        dlir_tf(["register", *words, "--figure", str(path)])
    with PIL.Image.open(path) as picture:
        small = picture.convert("RGB").resize((900, 713), PIL.Image.Resampling.LANCZOS)
    small.quantize(96).save(path, optimize=True)


if __name__ == "__main__":
    main()
