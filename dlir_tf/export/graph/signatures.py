"""The signatures of an exported model: batches of raw pairs in, millimetres out."""

import json
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from dlir_tf.config import MATRIX, Config
from dlir_tf.export.graph.blocks import Block, over_blocks
from dlir_tf.export.graph.checks import (
    affine_check,
    perpendicular_check,
    require,
    shape_checks,
    voxel_check,
)
from dlir_tf.export.graph.grid import working_grid
from dlir_tf.export.graph.mapping import (
    Mapping,
    build_mapping,
    displacement_on_block,
    jacobian_on_block,
    moving_positions,
    to_float32,
    to_mm,
)
from dlir_tf.export.graph.sampling import clamped_at, linear_at, nearest_at
from dlir_tf.export.graph.working_pair import WorkingPair, prepare_pair
from dlir_tf.losses import similarity_loss
from dlir_tf.metrics.similarity import most_alike
from dlir_tf.models.folder import Model
from dlir_tf.models.model import parameters_model
from dlir_tf.models.parameters import Parameters
from dlir_tf.pairs.size import MAX_SERVED_VOXELS

Tensor = Any
Tensors = dict[str, Tensor]
# What a signature makes of one pair: its inputs by name, and its number.
OfPair = Callable[[Tensors, Tensor], Tensors]


def build_signatures(
    model: Model, max_voxels: int = MAX_SERVED_VOXELS
) -> dict[str, Any]:
    """Makes the functions that a server calls, by the names of their signatures.

    Every pair of a batch is registered by itself, so their working grids may differ.

    Args:
        model: Its network, config and provenance go into the functions.
        max_voxels: The most that a working grid may have.
    """
    pairs, config = PairFunctions(model, max_voxels), model.config
    return {
        "serving_default": _batched(config, pairs.register),
        "parameters": _batched(config, pairs.parameters, same_grid=max_voxels),
        "moved_labels": _batched(config, pairs.carry_labels, labels=True),
        "quality": _batched(config, pairs.measure),
    }


class PairFunctions:
    """What each signature computes for one pair."""

    def __init__(self, model: Model, max_voxels: int) -> None:
        self._network = parameters_model(model.network)
        self._config = model.config
        self._max_voxels = max_voxels
        self._about = model_json(model)
        # Traced once, however many signatures begin with it.
        self._registered = tf.function(self._register, autograph=False)

    def register(self, inputs: Tensors, number: Tensor) -> Tensors:
        """The moved image, the displacement field and the affine matrix."""
        mapping = self._registered(_without_labels(inputs), number)[1]

        def compute(block: Block) -> tuple[Tensor, Tensor]:
            displacement = displacement_on_block(mapping, block)
            positions = moving_positions(mapping, block, displacement)
            moved = linear_at(inputs["moving"], positions)
            return moved, to_mm(mapping, displacement) + to_float32(mapping.offset)

        ndim, shape = self._config.ndim, tf.shape(inputs["fixed"])
        moved, field = over_blocks(
            shape, compute, (tf.float32, tf.float32), ((), (ndim,))
        )
        return {
            "moved": tf.reshape(moved, shape),
            "displacement": tf.reshape(field, tf.concat([shape, [ndim]], axis=0)),
            MATRIX: to_float32(mapping.world_affine),
        }

    def parameters(self, inputs: Tensors, number: Tensor) -> Tensors:
        """The few numbers that define the transform."""
        pair, mapping, outputs = self._registered(inputs, number)
        results = {
            **outputs,
            MATRIX: to_float32(mapping.world_affine),
            "grid_affine": to_float32(pair.grid.affine),
            "model_json": tf.constant(self._about),
        }
        for index, _, stage in self._config.deformable_stages:
            spacing = tf.constant(stage.control_point_spacing, tf.float32)
            results[stage.spacing_name(index)] = spacing
        return results

    def carry_labels(self, inputs: Tensors, number: Tensor) -> Tensors:
        """The label that lies nearest to where each fixed voxel comes from."""
        mapping = self._registered(_without_labels(inputs), number)[1]

        def compute(block: Block) -> tuple[Tensor]:
            displacement = displacement_on_block(mapping, block)
            positions = moving_positions(mapping, block, displacement)
            return (nearest_at(inputs["moving_labels"], positions),)

        shape = tf.shape(inputs["fixed"])
        (labels,) = over_blocks(shape, compute, (tf.int32,), ((),))
        return {"moved_labels": tf.reshape(labels, shape)}

    def measure(self, inputs: Tensors, number: Tensor) -> Tensors:
        """How much alike the images are, and what the transform does to space."""
        pair, mapping, outputs = self._registered(inputs, number)

        def compute(block: Block) -> tuple[Tensor, Tensor]:
            displacement = displacement_on_block(mapping, block)
            lengths = tf.norm(to_mm(mapping, displacement), axis=-1)
            jacobian = jacobian_on_block(mapping, block)
            return tf.reduce_min(jacobian)[None], tf.reduce_max(lengths)[None]

        shape = tf.shape(inputs["fixed"])
        jacobians, lengths = over_blocks(
            shape, compute, (tf.float32, tf.float32), ((), ())
        )
        return {
            "similarity_before": self._similarity(pair, pair.moving),
            "similarity_after": self._similarity(pair, self._moved(pair, outputs)),
            "smallest_jacobian": tf.reduce_min(jacobians),
            "largest_displacement": tf.reduce_max(lengths),
        }

    def _register(
        self, inputs: Tensors, number: Tensor
    ) -> tuple[WorkingPair, Mapping, Tensors]:
        """The pair on its working grid, its transform and the network's outputs."""
        config = self._config
        names = ("fixed_affine", "moving_affine")
        given = [tf.cast(inputs[name], tf.float64) for name in names]
        checks = [
            *[
                affine_check(matrix, name, number)
                for matrix, name in zip(given, names, strict=True)
            ],
            *[voxel_check(inputs[name], name, number) for name in ("fixed", "moving")],
        ]
        if config.keeps is not None:
            checks.append(perpendicular_check(given[0], "fixed_affine", number))
        # Nothing else sees the inputs before the checks passed.
        with tf.control_dependencies(checks):
            affines = tf.identity(given[0]), tf.identity(given[1])
            fixed = tf.identity(inputs["fixed"])
            moving = tf.identity(inputs["moving"])
        pair = prepare_pair(fixed, moving, affines, config, number, self._max_voxels)
        spacing = tf.norm(pair.grid.affine[:-1, :-1], axis=0)
        batch = {
            "fixed": _as_batch(pair.fixed),
            "moving": _as_batch(pair.moving),
            "spacing": to_float32(spacing)[None],
        }
        predicted = self._network(batch, training=False)
        outputs = {name: tensor[0] for name, tensor in predicted.items()}
        parameters = Parameters.of(outputs, config)
        return pair, build_mapping(pair, parameters, affines, config), outputs

    def _moved(self, pair: WorkingPair, outputs: Tensors) -> Tensor:
        """The moving image on the working grid, registered."""
        own = (pair.grid.affine, pair.grid.affine)
        axes = tf.range(self._config.ndim)
        on_itself = pair._replace(
            grid=pair.grid._replace(axes=axes),
            initial=tf.eye(self._config.ndim + 1, dtype=tf.float64),
        )
        parameters = Parameters.of(outputs, self._config)
        mapping = build_mapping(on_itself, parameters, own, self._config)

        def compute(block: Block) -> tuple[Tensor]:
            displacement = displacement_on_block(mapping, block)
            positions = moving_positions(mapping, block, displacement)
            return (clamped_at(pair.moving, positions),)

        (moved,) = over_blocks(pair.grid.shape, compute, (tf.float32,), ((),))
        return tf.reshape(moved, pair.grid.shape)

    def _similarity(self, pair: WorkingPair, moved: Tensor) -> Tensor:
        similarity = self._config.similarity
        loss = similarity_loss(**similarity.model_dump(exclude={"weight"}))
        mask = to_float32(_as_batch(pair.mask))
        difference = loss(_as_batch(pair.fixed), _as_batch(moved), mask)[0]
        return most_alike(similarity.kind) - difference


def model_json(model: Model) -> str:
    """What a client needs to know of a model to build its transforms: JSON."""
    config = model.config.model_dump(mode="json")
    return json.dumps({"config": config, "provenance": model.provenance})


def _batched(
    config: Config,
    of_pair: OfPair,
    *,
    labels: bool = False,
    same_grid: int | None = None,
) -> Any:
    """A function of batches, which takes one pair after another.

    Args:
        config: The model's.
        of_pair: What to compute for each.
        labels: Whether there is an input `moving_labels`.
        same_grid: If outputs are of the working grid, whose shapes must agree then:
            the most voxels that it may have.
    """
    image, matrix = (None, *[None] * config.ndim), (None, *[config.ndim + 1] * 2)
    specs = {
        "fixed": tf.TensorSpec(image, tf.float32, "fixed"),
        "moving": tf.TensorSpec(image, tf.float32, "moving"),
        "fixed_affine": tf.TensorSpec(matrix, tf.float32, "fixed_affine"),
        "moving_affine": tf.TensorSpec(matrix, tf.float32, "moving_affine"),
    }
    if labels:
        specs["moving_labels"] = tf.TensorSpec(image, tf.int32, "moving_labels")

    @tf.function(input_signature=list(specs.values()), autograph=False)
    def signature(*tensors: Tensor) -> Tensors:
        inputs = dict(zip(specs, tensors, strict=True))
        with tf.control_dependencies(shape_checks(inputs)):
            inputs = {name: tf.identity(tensor) for name, tensor in inputs.items()}
        if same_grid is not None:
            check = _same_grid_check(inputs, config, same_grid)
            with tf.control_dependencies([check]):
                inputs["fixed"] = tf.identity(inputs["fixed"])
        numbers = tf.range(tf.shape(inputs["fixed"])[0])
        one = {
            name: tf.TensorSpec(spec.shape[1:], spec.dtype)
            for name, spec in specs.items()
        }
        traced = tf.function(
            of_pair,
            input_signature=[one, tf.TensorSpec([], tf.int32)],
            autograph=False,
        ).get_concrete_function()
        outputs = {
            name: tf.TensorSpec(spec.shape, spec.dtype)
            for name, spec in traced.structured_outputs.items()
        }
        # One at a time: each by itself keeps all cores busy, and memory low.
        return tf.map_fn(
            lambda pair: traced(*pair),
            (inputs, numbers),
            fn_output_signature=outputs,
            parallel_iterations=1,
        )

    return signature


def _same_grid_check(inputs: Tensors, config: Config, max_voxels: int) -> Any:
    size = tf.shape(inputs["fixed"])[1:]
    shapes = tf.map_fn(
        lambda affine: working_grid(size, affine, config, max_voxels).shape,
        tf.cast(inputs["fixed_affine"], tf.float64),
        fn_output_signature=tf.TensorSpec([config.ndim], tf.int32),
    )
    return require(
        tf.reduce_all(tf.equal(shapes, shapes[:1])),
        "parameters: all pairs of a batch must have working grids of one shape, so "
        "that their control points can be stacked; send pairs whose fixed images have "
        "other spacings or orientations one by one",
    )


def _without_labels(inputs: Tensors) -> Tensors:
    return {name: t for name, t in inputs.items() if name != "moving_labels"}


def _as_batch(image: Tensor) -> Tensor:
    return image[None, ..., None]
