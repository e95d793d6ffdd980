"""How a pair's registration changes when its working grid is padded to a larger shape.

LiteRT files have one shape, so smaller images are padded to it. Real pairs and a
trained model are needed:

python benchmarks/padding.py --model model --pairs val.csv --add 0 0 6
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import as_commands_do
from timing import write_json


@dataclass(frozen=True)
class Padded:
    """A model whose working grids have a given shape, as those of a file."""

    model: Any
    shape: tuple[int, ...]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def main() -> None:
    """Prints, over all pairs, how far displacements and Dice are from unpadded ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--add", type=int, nargs="+", required=True)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    as_commands_do()

    from dlir_tf import load_model
    from dlir_tf.pairs.manifest import read_manifest

    model, rows = load_model(options.model), []
    for pair in read_manifest(options.pairs):
        outermost, middle, dice = compare(model, pair, options.add)
        rows.append({"outermost_mm": outermost, "middle_mm": middle, "dice": dice})
        print(
            f"{pair.fixed.name}: outermost slices {outermost:.2f} mm, middle one "
            f"{middle:.2f} mm; Dice {dice:+.4f}"
        )
    for name in rows[0]:
        values = np.abs([row[name] for row in rows])
        print(f"{name}: median {np.median(values):.4f}, largest {values.max():.4f}")
    write_json(options.json, {"add": options.add, "pairs": rows})


def compare(model: Any, pair: Any, add: list[int]) -> tuple[float, float, float]:
    """The largest changes, mm, in the outermost and the middle slices; of mean Dice."""
    from dlir_tf import read_image, read_labels, register
    from dlir_tf.metrics import dice
    from dlir_tf.pairs.working_grid import working_grid

    config = model.config
    fixed, moving = read_image(pair.fixed), read_image(pair.moving)
    own = working_grid(fixed.grid, config.spacing, config.multiple, config.axes).shape
    shape = tuple(n + m for n, m in zip(own, add, strict=True))
    fields, scores = [], []
    for one in (model, Padded(model, shape)):
        result = register(fixed, moving, model=one, do_no_harm=False)
        fields.append(result.transform.displacement(fixed))
        labels, truth = read_labels(pair.moving_labels), read_labels(pair.fixed_labels)
        moved = result.transform.resample(
            labels, fixed, displacement=fields[-1], interpolation="nearest"
        )
        overlaps = dice(truth.array, moved.array)
        scores.append(np.mean(list(overlaps.values())))
    change = np.linalg.norm(fields[1] - fields[0], axis=-1)
    last = change.reshape(-1, change.shape[-1]).max(0)
    return (
        float(max(last[0], last[-1])),
        float(last[len(last) // 2]),
        float(scores[1] - scores[0]),
    )


if __name__ == "__main__":
    main()
