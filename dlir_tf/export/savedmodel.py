"""A model as a SavedModel: weights and graph, with no need of Keras or dlir_tf."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from dlir_tf.compilation import without_islands
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.export.parity import Parity, check_parity
from dlir_tf.export.version_folder import new_version
from dlir_tf.model_files import PROVENANCE_FILE
from dlir_tf.model_folder import Model

Tensor = Any

# TensorFlow Serving copies this folder along and never looks into it.
EXTRA_FOLDER = "assets.extra"


def export_savedmodel(
    model: Model, output: Path, *, name: str = "dlir", version: int = 1
) -> tuple[Path, Parity]:
    """Exports a model for TensorFlow Serving and checks what was written.

    Args:
        model: The model, trained.
        output: The folder of all exported models.
        name: The model's name for the server.
        version: A version that isn't there yet.

    Returns:
        The folder `output/name/version`, and how exactly the exported model
        repeats what `model` gives.

    Raises:
        InputError: If the folder is there already or can't be written.
        ExportError: If the exported model doesn't load in a fresh process or gives
            something else. Nothing is left behind then.
    """
    with new_version(output, name, version) as folder:
        write_savedmodel(folder, model)
        parity = check_parity(folder, model)
    return Path(output) / name / str(version), parity


def write_savedmodel(folder: Path, model: Model) -> None:
    """Writes a SavedModel, unchecked.

    It has the signature `serving_default`; see `working_grid_function`.

    Args:
        folder: The folder to fill.
        model: The model.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            "export: a SavedModel can only be made under the backend tensorflow; "
            f"unset KERAS_BACKEND. Received: {keras.backend.backend()}"
        )
    module = tf.Module()
    # The plain variables; the Keras objects around them would need Keras to load.
    module.parameters = [variable.value for variable in model.network.variables]
    with without_islands(in_blocks=True):
        functions = {"serving_default": working_grid_function(model)}
        signatures = {
            name: function.get_concrete_function()
            for name, function in functions.items()
        }
        try:
            tf.saved_model.save(module, str(folder), signatures=signatures)
        except tf.errors.OpError as error:
            raise _as_os_error(error, folder) from error
    extra = folder / EXTRA_FOLDER
    extra.mkdir()
    text = json.dumps(model.provenance, indent=2) + "\n"
    (extra / PROVENANCE_FILE).write_text(text, encoding="utf-8")


def working_grid_function(model: Model) -> Any:
    """The model as a function of tensors on the working grid.

    Its inputs, all float32 and of any batch and size: `fixed` and `moving`,
    `(batch, *size, 1)` in [0, 1] with `size` a multiple of `config.multiple`, and
    `spacing`, `(batch, ndim)` in mm. Its outputs are those of
    `dlir_tf.model.build_model`. Shapes that don't fit fail with an assertion that
    says what fits.
    """
    ndim = model.config.ndim
    image = (None, *[None] * ndim, 1)

    @tf.function(
        input_signature=[
            tf.TensorSpec(image, tf.float32, "fixed"),
            tf.TensorSpec(image, tf.float32, "moving"),
            tf.TensorSpec((None, ndim), tf.float32, "spacing"),
        ],
        autograph=False,
    )
    def predict(fixed: Tensor, moving: Tensor, spacing: Tensor) -> dict[str, Tensor]:
        checks = _input_checks(fixed, moving, spacing, model.config)
        # The network sees copies, which aren't there before the checks passed.
        with tf.control_dependencies(checks):
            inputs = {
                "fixed": tf.identity(fixed),
                "moving": tf.identity(moving),
                "spacing": tf.identity(spacing),
            }
        outputs: dict[str, Tensor] = model.network(inputs, training=False)
        return outputs

    return predict


def _input_checks(
    fixed: Tensor, moving: Tensor, spacing: Tensor, config: Config
) -> list[Any]:
    """Assertions of the graph: users of a server see no message but these."""
    shape = tf.shape(fixed)
    size, multiple = shape[1:-1], tf.constant(config.multiple)
    check: Callable[..., Any] = tf.debugging.assert_equal
    return [
        check(
            size,
            multiple * tf.maximum(size // multiple, 1),
            f"fixed: every size must be a multiple of {list(config.multiple)}; pad "
            "the images at their ends",
        ),
        check(
            tf.shape(moving),
            shape,
            "moving: must have the shape of fixed; resample it onto the grid of fixed",
        ),
        check(
            tf.shape(spacing)[0],
            shape[0],
            "spacing: must have one row per pair of the batch",
        ),
        tf.debugging.assert_positive(spacing, "spacing: must be mm, above 0"),
    ]


def _as_os_error(error: Any, folder: Path) -> OSError:
    """TensorFlow has errors of its own for what the disk refuses."""
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder.parent))
    return OSError(errno.EIO, error.message, str(folder.parent))
