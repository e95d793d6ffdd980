"""What tests of cohorts share: what is in folders, and what a model does with pairs."""

import csv
import json
from pathlib import Path

from shifting_model import load

from dlir_tf.cohort import register_pairs


def act(here, **acts):
    """Says what the model does with pairs, as `shifting_model` tells."""
    plain = {name.removeprefix("p"): what for name, what in acts.items()}
    (here / "acts.json").write_text(json.dumps(plain))


def registered(**options):
    """Registers `in/pairs.csv` into `out`; returns the results by id."""
    results = register_pairs("in/pairs.csv", "out", **({"load": load} | options))
    return {result.id: result for result in results}


def rows(here):
    """The rows of the summary."""
    with (here / "out" / "summary.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def contents(folder):
    """All that is in a pair's folder, but how long it took and when."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json":
            told = json.loads(path.read_text())
            told.pop("seconds", None)
            told.get("numbers", {}).pop("seconds", None)
            sizes = told.get("files", {})
            for name in [name for name in sizes if name.endswith("report.json")]:
                del sizes[name]
            found[path.name] = told
        else:
            found[path.name] = path.read_bytes()
    return found


def undisturbed(names):
    """What is in the pairs' folders if nothing gets in between."""
    list(register_pairs("in/pairs.csv", "undisturbed", load=load))
    return {name: contents(Path("undisturbed", name)) for name in names}
