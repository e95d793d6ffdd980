"""Makes a model of more stages, each further one a copy of another model's last one.

python benchmarks/stack.py --model larger --config general --output stacked

A network that sees both images finds more when it looks again at what was warped by
what it found. So nothing has to be trained for it.
"""

import argparse
import shutil
from pathlib import Path

from dlir_tf.config import load_config
from dlir_tf.models.folder import load_model, make_model, save_model
from dlir_tf.models.folder_files import LOG_FILE
from dlir_tf.models.model import build_model
from dlir_tf.training.initial_weights import check_stages, stacked_weights


def main() -> None:
    """Writes the model folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="folder of the other")
    parser.add_argument("--config", required=True, help="of the model to make")
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    options = parser.parse_args()
    stack(options.model, options.config, options.output)


def stack(folder: Path, name: str, output: Path) -> None:
    """Makes the model of a config from one that has its first stages."""
    model, config = load_model(folder), load_config(name)
    check_stages(config, model.config, str(folder))
    network = build_model(config)
    network.set_weights(stacked_weights(model.network, len(config.stages)))
    save_model(output, make_model(config, network, model.provenance))
    shutil.copyfile(folder / LOG_FILE, output / LOG_FILE)


if __name__ == "__main__":
    main()
