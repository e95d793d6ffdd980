"""A model as a SavedModel: weights and graph, with no need of Keras or dlir_tf."""

import contextlib
from pathlib import Path

import tensorflow as tf

from dlir_tf.compute.compilation import without_islands
from dlir_tf.export.card import write_card
from dlir_tf.export.description import describe, write_description
from dlir_tf.export.exportable import check_exportable
from dlir_tf.export.graph.signatures import build_signatures
from dlir_tf.export.pairs import trial_batches
from dlir_tf.export.parity import Parity, check_parity, inputs_of
from dlir_tf.export.saving import check_backend, save_graphs
from dlir_tf.export.version_folder import new_version
from dlir_tf.export.warm_up import write_warm_up
from dlir_tf.files import disk_errors, known_as
from dlir_tf.models.folder import Model
from dlir_tf.pairs.size import MAX_SERVED_VOXELS


def export_savedmodel(
    model: Model,
    output: Path,
    *,
    name: str = "dlir",
    version: int = 1,
    xla: bool = False,
    max_voxels: int = MAX_SERVED_VOXELS,
) -> tuple[Path, Parity]:
    """Exports a model for TensorFlow Serving and checks what was written.

    Beside the SavedModel are `model_card.md`, for people, `signature.json`, for
    programs, and requests that a server warms up with.

    Args:
        model: The model, trained.
        output: The folder of all exported models.
        name: The model's name for the server.
        version: A version that isn't there yet.
        xla: Whether its transforms are compiled by XLA when it runs.
        max_voxels: The most voxels that a working grid may have; requests that need
            more are refused.

    Returns:
        The folder `output/name/version`, and how exactly the exported model
        repeats what `model` gives.

    Raises:
        InputError: If the folder is there already, belongs to something else or can't
            be written; or the model's initial alignment can't be done in a graph.
        ExportError: If the exported model doesn't load in a fresh process or gives
            something else. Nothing is left behind then.
    """
    check_exportable(model.config)
    with new_version(output, name, version, model.config) as folder:
        write_savedmodel(folder, model, xla=xla, max_voxels=max_voxels)
        parity = check_parity(folder, model)
        with disk_errors(known_as(folder)):
            _write_warm_up(folder, name, model.config.ndim)
        described = describe(
            model, parity, name=name, version=version, xla=xla, max_voxels=max_voxels
        )
        write_description(folder, described)
        write_card(folder, described)
    return Path(output) / name / str(version), parity


def write_savedmodel(
    folder: Path,
    model: Model,
    *,
    xla: bool = False,
    max_voxels: int = MAX_SERVED_VOXELS,
) -> None:
    """Writes a SavedModel, unchecked.

    Args:
        folder: The folder to fill.
        model: The model.
        xla: As for `export_savedmodel`.
        max_voxels: Likewise.
    """
    check_backend("SavedModel")
    with contextlib.nullcontext() if xla else without_islands(in_blocks=True):
        save_graphs(folder, model.network, build_signatures(model, max_voxels))


def _write_warm_up(folder: Path, name: str, ndim: int) -> None:
    """Writes one small pair for each signature, which a server warms up with."""
    pair = inputs_of(trial_batches(ndim)[0][:1])
    signatures = tf.saved_model.load(str(folder)).signatures
    requests = [
        (key, {given: pair[given] for given in signature.structured_input_signature[1]})
        for key, signature in signatures.items()
    ]
    write_warm_up(folder, name, requests)
