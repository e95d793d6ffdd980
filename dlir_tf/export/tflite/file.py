"""A model as one TFLite file, for LiteRT: no TensorFlow, no dlir_tf needed."""

from pathlib import Path

from dlir_tf.export.tflite.convert import convert
from dlir_tf.export.tflite.options import check_shape
from dlir_tf.export.tflite.parity import TFLiteParity, check_tflite_parity
from dlir_tf.files import replacing
from dlir_tf.models.folder import Model
from dlir_tf.models.litert_file import Card, pack


def export_tflite(
    model: Model, path: Path, *, shape: tuple[int, ...], precision: str = "float32"
) -> TFLiteParity:
    """Exports a model as one file and checks what was written.

    Args:
        model: The model, trained.
        path: The file, which isn't there yet.
        shape: Voxels per axis of the working grid, which is padded to it; see
            `dlir_tf.export.tflite.options.check_shape`.
        precision: Of the weights: `float32`, `float16` or `int8`.

    Returns:
        How exactly the file repeats what `model` gives.

    Raises:
        InputError: If the shape isn't one that the stages can work on.
        NotBuiltInError: If the model needs operations that aren't built in.
        ExportError: If the file doesn't run in a fresh process or gives something
            else. Nothing is left behind then.
    """
    check_shape(shape, model.config)
    flatbuffer = convert(model.network, shape, precision)
    card = Card(model.config, shape, precision, model.provenance)
    with replacing(path) as unfinished:
        unfinished.write_bytes(pack(flatbuffer, card))
        parity = check_tflite_parity(unfinished, model, shape, precision)
    return parity
