"""From a model's graph to a TFLite flatbuffer, with built-in operations only."""

import re
from typing import Any

import keras
import tensorflow as tf

from dlir_tf.compute.compilation import without_islands
from dlir_tf.compute.silence import silence
from dlir_tf.config import Config
from dlir_tf.errors import REPORT_IT, ExportError
from dlir_tf.export.saving import check_backend, save_graphs
from dlir_tf.export.scratch import scratch_folder
from dlir_tf.export.tflite.graph import signatures
from dlir_tf.models.model import build_model

# As the converter says it; before it, in the same line, stand the names of the layers.
_NOT_BUILT_IN = re.compile(
    r"(?P<place>.*)'tf\.(?P<operation>\w+)' op is neither a custom op nor a flex op"
)
_STAGE = re.compile(r"\bstage_(\d+)_(affine|bspline)\w*((?:/\w+)*)/")


class NotBuiltInError(ExportError):
    """A model needs operations that TFLite's interpreters don't have built in."""


def convert(network: keras.Model, shape: tuple[int, ...], precision: str) -> bytes:
    """Converts a model for one shape of the working grid.

    Args:
        network: As `dlir_tf.models.model.build_model` makes it.
        shape: Voxels per axis, multiples of what the stages need.
        precision: Of the weights: `float32`, `float16`, or `int8`, by dynamic-range
            quantisation, where activations stay float32 between operations.

    Returns:
        A flatbuffer with the signatures `parameters` and `register`.

    Raises:
        NotBuiltInError: If it needs operations that aren't built in.
        ExportError: If it can't be converted for another reason.
        WriteError: If the disk has no room for the intermediate files.
    """
    check_backend("TFLite file")
    # No XLA: TFLite has no notion of it.
    with scratch_folder() as folder, silence(), without_islands():
        saved = save_graphs(folder, network, signatures(network, shape))
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(folder), signature_keys=list(saved)
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return _converted(converter)


def check_convertible(config: Config) -> None:
    """Converts a random model of the smallest shape: whether it can be done at all.

    Raises:
        NotBuiltInError: If it needs operations that aren't built in; the message names
            them and the stages.
    """
    network = build_model(config)
    # Zeros, which an untrained model has, let the converter leave operations out.
    for number, weight in enumerate(network.weights):
        weight.assign(keras.random.uniform(weight.shape, 0.1, 0.3, seed=number))
    convert(network, config.multiple, "float32")


def _converted(converter: Any) -> bytes:
    try:
        flatbuffer: bytes = converter.convert()
    except Exception as error:  # of a class of its own, in a place that changes
        message = str(error)
        needed = {
            f"{found['operation']} ({_stage(found['place'])})"
            for found in _NOT_BUILT_IN.finditer(message)
        }
        if not needed:
            raise ExportError(
                f"TFLite's converter can't convert it: {message.splitlines()[0]}; "
                f"{REPORT_IT}, and export it by --format savedmodel until then"
            ) from error
        raise NotBuiltInError(
            f"it needs {', '.join(sorted(needed))}, which TFLite has only with all of "
            "TensorFlow beside it (Flex), not built in; export it by --format "
            "savedmodel, or train a model without it"
        ) from error
    return flatbuffer


def _stage(place: str) -> str:
    """Says which stage an operation belongs to, in the words of a config."""
    found = _STAGE.search(place)
    if found is None:
        return "between the stages"
    number, transform, layers = found.groups()
    return f"stage {number}, {transform}{': ' if layers else ''}{layers.strip('/')}"
