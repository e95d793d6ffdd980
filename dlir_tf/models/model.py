"""From a config to the chain of stages, as functional Keras models."""

import keras

from dlir_tf.compute.settings import check_keras
from dlir_tf.config import MATRIX, Config
from dlir_tf.models.chain import Chain
from dlir_tf.models.networks import stage_network

# The outputs of a model that follow from the others.
_DENSE = ("moved", "ddf")


def build_model(config: Config) -> keras.Model:
    """Assembles the chain of stages into one functional model.

    Stage `k` sees the fixed image and the moving image warped by all stages before
    it; its transform is composed on the inside,
    `phi_k(x) = phi_{k-1}(x + u_k(x))`. An untrained model is the identity.

    Reference:

    - de Vos et al. (2019), https://doi.org/10.1016/j.media.2018.11.010

    Args:
        config: The stages.

    Returns:
        A model with the inputs `fixed` and `moving`, `(batch, *size, 1)` in
        [0, 1] with `size` a multiple of `config.multiple`, and `spacing`,
        `(batch, ndim)` in mm. Its outputs: `moved`, `(batch, *size, 1)`; `ddf`,
        `(batch, *size, ndim)` in voxels; `affine`, `(batch, ndim, ndim + 1)`, voxel
        to voxel; and for each deformable stage `control_points_N`, in voxels,
        where N counts all stages from 1.

    Raises:
        InputError: If Keras is set up in a way that such a model can't be built.
    """
    check_keras()
    named = zip(config.stages, config.network_names, strict=True)
    networks = [stage_network(stage, config.ndim, name) for stage, name in named]
    chain = Chain(config, networks, num_frozen=0)
    for index in range(len(config.stages)):
        chain.add_stage(index)
    full = (1,) * config.ndim
    outputs = {
        "moved": chain.moved(full),
        "ddf": chain.ddf(full),
        MATRIX: chain.matrix_or_identity(),
        **chain.control_points,
    }
    return keras.Model(chain.inputs, outputs, name="dlir")


def training_model(
    model: keras.Model,
    config: Config,
    num_frozen: int,
    num_stages: int,
    *,
    first: int = 0,
) -> keras.Model:
    """Returns a view of the model that trains some of its stages.

    It computes no more than their loss needs: everything at the resolution of the
    last of them, and no gradients through the frozen ones.

    Args:
        model: As `build_model` made it; the networks are shared with it.
        config: The model's config.
        num_frozen: How many stages, counted from the first, stay as they are.
        num_stages: How many stages there are in all; later ones are left out.
        first: The stage that the chain begins with, for a moving image that the
            stages before it have warped already.

    Returns:
        A model with the same inputs and the outputs `fixed`, `moved` and `ddf` at
        the last stage's resolution, and `control_points_N` of the stages that train.
    """
    chain = _connect(model, config, num_frozen, num_stages, first)
    factor = config.stages[num_stages - 1].downsample
    fixed, _ = chain.images(factor)
    moved, ddf = chain.moved(factor), chain.ddf(factor)
    return keras.Model(
        chain.inputs,
        {"fixed": fixed, "moved": moved, "ddf": ddf, **chain.trained_points},
    )


def partial_model(model: keras.Model, config: Config, num_stages: int) -> keras.Model:
    """Returns a view of the model that ends after its first stages.

    Args:
        model: As `build_model` made it; the networks are shared with it.
        config: The model's config.
        num_stages: How many stages are used.

    Returns:
        A model with the same inputs and the outputs `moved`, `ddf` (voxels) and
        the control points, at full resolution.
    """
    chain = _connect(model, config, num_stages, num_stages)
    full = (1,) * config.ndim
    return keras.Model(
        chain.inputs,
        {"moved": chain.moved(full), "ddf": chain.ddf(full), **chain.control_points},
    )


def parameters_model(model: keras.Model) -> keras.Model:
    """Returns a view of the model with the outputs that define the transform.

    These are `affine` and the control points; the dense field and the moved image
    at full resolution aren't computed.
    """
    outputs = {
        name: tensor for name, tensor in model.output.items() if name not in _DENSE
    }
    return keras.Model(model.input, outputs)


def _connect(
    model: keras.Model,
    config: Config,
    num_frozen: int,
    num_stages: int,
    first: int = 0,
) -> Chain:
    networks = [model.get_layer(name) for name in config.network_names[:num_stages]]
    chain = Chain(config, networks, num_frozen)
    for index in range(first, num_stages):
        chain.add_stage(index)
    return chain
