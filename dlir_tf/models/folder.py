"""A model folder: config, weights, training log, provenance.

- `config.yaml`: what the model is built from.
- `model.weights.h5`: its weights; those of the last stage are the best ones if the
  training had validation pairs, else the last ones.
- `last.weights.h5`: the weights after the last step, where they aren't the best
  ones. Nothing reads it; to look at them, load the model, then
  `model.network.load_weights(folder / "last.weights.h5")`.
- `provenance.json`: versions, seed, digests of data, weights and config.
- `training.csv` and `tensorboard/`: the training log.
"""

import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from dlir_tf.compute.compilation import compiled_graph
from dlir_tf.config import Config, dump_config, read_config
from dlir_tf.errors import InputError
from dlir_tf.files import make_folder, replacing, reserve
from dlir_tf.models.folder_files import (
    CONFIG_FILE,
    FORMAT_VERSION,
    PROVENANCE_FILE,
    WEIGHTS_FILE,
    check_model_folder,
    config_digest,
)
from dlir_tf.models.model import build_model, parameters_model
from dlir_tf.models.parameters import Parameters
from dlir_tf.numerics import Numerics
from dlir_tf.numerics.compiled import COMPILED
from dlir_tf.pairs.working_pair import WorkingPair


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model, ready to register.

    Attributes:
        config: What it was built from.
        network: The Keras model; see `dlir_tf.models.model.build_model`.
        provenance: Versions, seed, data digest and the like.
        predict_parameters: The model's affine matrix and control points only, as a
            compiled function of the dict of inputs.
    """

    config: Config
    network: keras.Model
    provenance: dict[str, Any]
    predict_parameters: Any

    @property
    def shape(self) -> None:
        """A network takes working grids of any shape."""

    @property
    def numerics(self) -> Numerics:
        """Transforms are evaluated and images warped by machine code."""
        return COMPILED

    def predict(self, pair: WorkingPair) -> Parameters:
        """Returns the parameters of a pair's transform, in voxels of its grid."""
        outputs = self.predict_parameters(model_inputs(pair))
        arrays = {
            name: np.asarray(ops.convert_to_numpy(values)[0], np.float64)
            for name, values in outputs.items()
        }
        return Parameters.of(arrays, self.config)


def model_inputs(pair: WorkingPair) -> dict[str, Any]:
    """The pair as a batch of one, as the network takes it."""
    spacing = np.asarray(pair.grid.spacing, np.float32)
    return {
        "fixed": ops.convert_to_tensor(pair.fixed[None, ..., None]),
        "moving": ops.convert_to_tensor(pair.moving[None, ..., None]),
        "spacing": ops.convert_to_tensor(spacing[None]),
    }


def make_model(
    config: Config, network: keras.Model, provenance: dict[str, Any] | None = None
) -> Model:
    """Wraps a Keras model of this config, trained or not."""
    parameters = parameters_model(network)

    def predict(inputs: dict[str, Any]) -> dict[str, Any]:
        return parameters(inputs, training=False)

    return Model(config, network, provenance or {}, compiled_graph(predict))


def save_model(folder: Path, model: Model) -> None:
    """Writes a model into a folder, which is made if it isn't there."""
    folder = Path(folder)
    make_folder(folder)
    write_config(folder, model.config)
    save_weights(folder / WEIGHTS_FILE, model.network)
    provenance = {
        **model.provenance,
        "weights_sha256": weights_digest(model.network),
        "config_sha256": config_digest(dump_config(model.config).encode()),
        "format_version": FORMAT_VERSION,
    }
    # Last, because it says that the folder is complete.
    with replacing(folder / PROVENANCE_FILE) as unfinished:
        unfinished.write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")


def save_weights(path: Path, network: keras.Model) -> None:
    """Writes weights for `network.load_weights`, whole or not at all."""
    num_bytes = sum(weight.numpy().nbytes for weight in network.weights)
    with replacing(path) as unfinished:
        reserve(unfinished, 2 * num_bytes + 2**20)
        network.save_weights(unfinished)


def write_config(folder: Path, config: Config) -> None:
    """Writes the config of a model folder."""
    with replacing(folder / CONFIG_FILE) as unfinished:
        unfinished.write_text(dump_config(config), encoding="utf-8")


def load_model(folder: str | Path) -> Model:
    """Loads a trained model.

    Nothing in the folder is executed: the config is validated YAML, the weights
    are plain arrays.

    Args:
        folder: As `dlir-tf train` left it.

    Raises:
        InputError: If the folder is missing, incomplete, of another version, or its
            config or weights aren't those that it was made with.
    """
    folder = Path(folder)
    provenance = check_model_folder(folder)
    config = read_config(folder / CONFIG_FILE)
    network = build_model(config)
    _load_weights(network, folder / WEIGHTS_FILE, provenance["weights_sha256"])
    return make_model(config, network, provenance)


def _load_weights(network: keras.Model, path: Path, expected: str) -> None:
    try:
        with warnings.catch_warnings():
            # Where the file holds other layers, Keras only warns and leaves ours as
            # they were initialised.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(path)
    except Exception as error:  # h5py and Keras raise all kinds for a damaged file
        raise InputError(
            f"{path}: can't be read, or doesn't belong to the {CONFIG_FILE} beside it; "
            "copy the model folder again, or train again"
        ) from error
    if weights_digest(network) != expected:
        raise InputError(
            f"{path}: these aren't the weights that {PROVENANCE_FILE} beside it "
            "describes; copy the model folder again, or train again"
        )


def weights_digest(network: keras.Model) -> str:
    """Changes with any weight, their shapes and their order."""
    digest = hashlib.sha256()
    for weight in network.weights:
        array = weight.numpy()
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
