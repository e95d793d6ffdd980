"""Accuracy against CPU seconds, as a picture."""

import statistics
from pathlib import Path

from comparison.methods import METHODS
from comparison.store import current_results
from comparison.table import mean_of
from dlir_tf.files import replacing

_ACCURACY = {
    "landmark_errors": "mean landmark error (mm), less is better",
    "dice": "mean Dice, more is better",
}


def plot(contents: dict, path: Path) -> None:
    """Draws a point for each method, over the pairs that all methods have.

    Args:
        contents: Of a file of results.
        path: The picture; its suffix says which kind.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    found = current_results(contents)
    ordered = {name: found[name] for name in METHODS if name in found}
    common = sorted(set.intersection(*(set(pairs) for pairs in ordered.values())))
    measured = [key for key in _ACCURACY if common and key in ordered_first(ordered)]
    if not measured:
        return
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, results in ordered.items():
        accuracy = statistics.fmean(
            mean_of(results[pair][measured[0]]) for pair in common
        )
        if name == "before":
            axes.axhline(accuracy, color="grey", linestyle=":", label="before")
            continue
        seconds = statistics.fmean(results[pair]["cpu_seconds"] for pair in common)
        method = METHODS[name]
        marker = "o" if method.module == "ours" else "s"
        # A method has the same colour in all pictures.
        color = f"C{list(METHODS).index(name)}"
        axes.plot(
            seconds, accuracy, marker, label=method.title, color=color, markersize=8
        )
    axes.set_xscale("log")
    # Within a decade or two, its powers alone would be too few numbers.
    first, last = axes.get_xlim()
    subs = (1, 2, 5) if last < 200 * first else (1,)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=subs))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.set_xlabel("CPU seconds a pair")
    axes.set_ylabel(_ACCURACY[measured[0]])
    count = "1 pair" if len(common) == 1 else f"{len(common)} pairs"
    axes.set_title(f"{contents['manifest']}, {count}", fontsize="medium")
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    with replacing(path) as unfinished:
        figure.savefig(unfinished, dpi=120)
    pyplot.close(figure)


def ordered_first(ordered: dict) -> dict:
    """Any result: what it has, all have."""
    return next(iter(next(iter(ordered.values())).values()))
