"""Registering a pair by a model on a server."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dlir_tf.automatic.finding import OnProgress
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.images.background import FillValue
from dlir_tf.images.missing import missing_voxels
from dlir_tf.pairs.knowledge import Knowledge
from dlir_tf.pairs.large import at_lower_resolution
from dlir_tf.pairs.slices import in_plane
from dlir_tf.registration import Registration, register
from dlir_tf.serving.answer import ServedModel
from dlir_tf.serving.server import Server
from dlir_tf.transforms import Transform

_INSTEAD = (
    "carry the moving image with dlir-tf transform first, and join the two transforms "
    "with dlir-tf convert"
)


def register_remotely(
    fixed: Image,
    moving: Image,
    *,
    server: Server,
    refine: int | None = None,
    initial_transform: Transform | None = None,
    fill_value: FillValue = "auto",
    fixed_mask: Image | None = None,
    moving_mask: Image | None = None,
    knowledge: Knowledge | None = None,
    stiffness: float = 1.0,
    do_no_harm: bool = True,
    on_config: Callable[[Config], object] = lambda config: None,
    on_progress: OnProgress = lambda phase, step, steps, loss: None,
) -> Registration:
    """Registers a pair in one shot, by a model on a server.

    The server is sent both images and gives back the parameters of the transform; what
    follows happens here, as `dlir_tf.register` does it: judging the stages, and
    interpolating the moving image, once. So the result is that of `dlir_tf.register`
    with the model that was exported. The initial alignment is what its config says, or
    an affine transform, by which the server is told that the moving image lies.

    Args:
        fixed: The image that stays; any grid, spacing and orientation.
        moving: The image to be laid onto it; its grid may be another one. A 2-d model
            also takes two 3-d images of one slice.
        server: Where the model is.
        refine: As for `dlir_tf.register`; the refinement happens here.
        initial_transform: As for `dlir_tf.register`, of matrices alone, and for a model
            whose config says `initial_alignment: header`.
        fill_value: As for `dlir_tf.register`.
        fixed_mask: As for `dlir_tf.register`; the server doesn't see it.
        moving_mask: Likewise.
        knowledge: As for `dlir_tf.register`; the refinement happens here.
        stiffness: Likewise.
        do_no_harm: As for `dlir_tf.register`.
        on_config: Called once with what the server's model was built from.
        on_progress: As for `dlir_tf.register`.

    Raises:
        InputError: As `dlir_tf.register` does, or if voxels are NaN, or the server's
            model can't go on from the initial transform.
        ServerError: If the server can't be reached, or doesn't have such a model.
    """
    start = time.perf_counter()
    for name, image in (("fixed", fixed), ("moving", moving)):
        if missing_voxels(image.array) is not None:
            raise InputError(
                f"the {name} image has NaN voxels, which a server doesn't know as "
                "outside; register by the model itself, or replace them by a "
                "background value"
            )
    seen = at_lower_resolution(fixed), at_lower_resolution(moving)
    model = _ask(server, *in_plane(*seen, server.ndim), initial_transform)
    on_config(model.config)
    result = register(
        fixed,
        moving,
        model=model,
        refine=refine,
        initial_transform=initial_transform,
        fill_value=fill_value,
        fixed_mask=fixed_mask,
        moving_mask=moving_mask,
        knowledge=knowledge,
        stiffness=stiffness,
        do_no_harm=do_no_harm,
        on_progress=on_progress,
    )
    seconds = time.perf_counter() - start
    return replace(result, report=replace(result.report, seconds=seconds))


def _ask(
    server: Server, fixed: Image, moving: Image, start: Transform | None
) -> ServedModel:
    """What the server says of a pair, its moving image laid where the start has it."""
    if start is None:
        return ServedModel(server.ask(fixed, moving), str(server))
    if start.ndim != server.ndim or not start.is_affine:
        found = f"is {start.ndim}-d" if start.is_affine else "deforms"
        raise InputError(
            f"initial_transform: must be a matrix of {server.ndim}-d space for a "
            f"server, but {found}; {_INSTEAD}"
        )
    matrix = start.affine_part
    laid = Image(moving.array, np.linalg.inv(matrix) @ moving.affine)
    model = ServedModel(server.ask(fixed, laid), str(server), start=matrix)
    alignment = model.config.initial_alignment
    if alignment != "header":
        raise InputError(
            "initial_transform: the server's model lays images onto each other itself "
            f"(initial_alignment: {alignment}), wherever they lie; {_INSTEAD}"
        )
    return model
