"""Pairs that are odd in one way each, by two file names' worth of knowledge alone.

python benchmarks/odd_pairs.py --json odd.json
python benchmarks/odd_pairs.py t1.nii.gz --other t2.nii.gz --only "other contrast"

A body made of random organs, or the image of a file, is bent, turned and shifted by a
known motion and seen by two scanners, with something odd about one of them: a part of
the body, another contrast, thick slices, a header that is off. `dlir_tf.register` gets
the two images and nothing else. The error is the distance from where voxels of the body
should go, in voxels of the working grid. A verdict of PASS has a mark (!) if the mean
error is above 1.5 of these, or the two aren't of one body.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from odd_files.body import Body, from_file, generated
from odd_files.cases import CASES, Case, make_pair
from pages import markdown
from timing import write_json

from dlir_tf import register
from dlir_tf.errors import InputError
from dlir_tf.quality import Report

_MEASURED = ("before", "error", "95 %", "alike", "told", "clarity")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs="*", help="instead of made bodies")
    parser.add_argument("--other", type=Path, help="another contrast of the one image")
    parser.add_argument("--only", help="comma-separated beginnings of cases' names")
    parser.add_argument("--seed", type=int, default=1, help="of body and motion")
    parser.add_argument("--flat", action="store_true", help="slices, 2-d")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    bodies = [from_file(path, options.other) for path in options.images]
    rows = []
    for body in bodies or [generated(options.seed, options.flat)]:
        for case in CASES:
            named = not options.only or case.name.startswith(
                tuple(options.only.split(","))
            )
            if named and body.image.ndim in case.ndim:
                rows.append(measure(case, body, options.seed))
    shown = [
        {k: v for k, v in row.items() if k not in ("reasons", "choices")}
        for row in rows
    ]
    print(markdown(shown[0], [map(str, row.values()) for row in shown]))
    write_json(options.json, {"rows": rows})


def measure(case: Case, body: Body, seed: int) -> dict:
    """Registers a pair of a kind; errors are in voxels of the working grid."""
    pair = make_pair(case, body, seed)
    start = time.perf_counter()
    row = {"body": body.name, "case": case.name}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = register(pair.fixed, pair.moving)
    except InputError as error:
        row |= dict.fromkeys(_MEASURED, "")
        row |= {"verdict": "refused", "seconds": seconds(start), "reasons": str(error)}
        print(row, flush=True)
        return row
    report = found.report
    points = pair.fixed.grid.points()
    before, after = (
        np.linalg.norm(there - pair.goes_to, axis=-1)[pair.counts] / voxel(report)
        for there in (points, points + found.displacement)
    )
    wrong = case.expects == "doubt" or bool(after.mean() > 1.5)
    row |= {
        "before": round(float(before.mean()), 1),
        "error": round(float(after.mean()), 2),
        "95 %": round(float(np.percentile(after, 95)), 2),
        "alike": f"{report.similarity_kind} {report.similarity_after:.2f}",
        "told": round(report.told_share, 2),
        "clarity": round(report.clarity, 2),
        "verdict": report.verdict + "!" * (wrong and report.verdict == "PASS"),
        "seconds": seconds(start),
        "reasons": " / ".join(report.reasons),
        "choices": report.choices,
    }
    if report.folded_percent:
        row["verdict"] += f" {report.folded_percent:.2g} % folded"
    print({k: v for k, v in row.items() if k != "choices"}, flush=True)
    return row


def seconds(start: float) -> float:
    return round(time.perf_counter() - start, 1)


def voxel(report: Report) -> float:
    """The finest spacing that it worked at, which a choice says."""
    (told,) = [one for one in report.choices if one.startswith("it works at")]
    return min(map(float, told.split()[3].split("×")))


if __name__ == "__main__":
    main()
