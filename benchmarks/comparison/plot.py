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
    from matplotlib import pyplot

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
        ours = METHODS[name].module == "ours"
        axes.plot(
            seconds, accuracy, "o" if ours else "s", label=METHODS[name].title, ms=8
        )
    axes.set_xscale("log")
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
