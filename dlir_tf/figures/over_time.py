"""Curves over the frames of a series, as a picture (PNG)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dlir_tf.files import check_output, replacing


def curve_figure(
    path: Path | str,
    curves: Mapping[str, Sequence[float]],
    *,
    value: str,
    times: Sequence[float] | None = None,
    time: str = "frame",
) -> None:
    """Saves a PNG with a curve for each name.

    Args:
        path: The PNG to write; it appears complete or not at all.
        curves: What is shown, a number for each frame.
        value: What the numbers are, with their unit.
        times: When each frame was; by default its number.
        time: What the times are, with their unit.
    """
    path = Path(path)
    check_output(path, (".png",))
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for name, numbers in curves.items():
        places = range(len(numbers)) if times is None else times
        axes.plot(places, numbers, marker="o", markersize=3.5, label=name)
    axes.set_xlabel(time)
    axes.set_ylabel(value)
    axes.grid(alpha=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if times is None:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside lower center", frameon=False, ncols=3)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=120)
