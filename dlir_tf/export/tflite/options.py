"""Checks of the options of an export to TFLite, before TensorFlow is loaded."""

import math

from dlir_tf.compute.memory import free_memory
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.pairs.size import MAX_VOXELS, ONE_SHOT_BYTES_PER_VOXEL


def check_shape(shape: tuple[int, ...], config: Config) -> None:
    """Refuses shapes of the working grid that the stages can't work on.

    Raises:
        InputError: If there are more or fewer numbers than axes, they aren't multiples
            of what the stages need (the message says which would be), or it's more
            than memory holds when what was exported is checked.
    """
    given = ",".join(map(str, shape))
    if len(shape) != config.ndim:
        raise InputError(
            f"--shape: the model is {config.ndim}-d, so the shape has {config.ndim} "
            f"numbers. Received: {given}"
        )
    up = [-(-max(n, 1) // m) * m for n, m in zip(shape, config.multiple, strict=True)]
    if tuple(up) != shape:
        raise InputError(
            "--shape: the stages need multiples of "
            f"{','.join(map(str, config.multiple))}; the next larger shape is "
            f"{','.join(map(str, up))}. Received: {given}"
        )
    _check_room(shape, given)


def _check_room(shape: tuple[int, ...], given: str) -> None:
    """Refuses what would take the process down: the system kills it, or TensorFlow."""
    # Of numbers that no float holds, a part says enough.
    takes = min(math.prod(shape) * ONE_SHOT_BYTES_PER_VOXEL, 10**18)
    free = free_memory()
    if math.prod(shape) <= MAX_VOXELS and (free is None or takes <= free):
        return
    left = "" if free is None else f", of which {free / 1e9:.3g} are free"
    raise InputError(
        f"--shape: what is exported is tried out, which takes {takes / 1e9:.3g} GB of "
        f"memory or more{left}; give a smaller shape. Received: {given}"
    )


def parse_shape(text: str) -> tuple[int, ...]:
    """Reads a shape as it's given on the command line, `160,192,160`.

    Raises:
        InputError: If it isn't whole numbers with commas between them.
    """
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise InputError(
            "--shape: must be whole numbers with commas between them, such as "
            f"160,192,160. Received: {text!r}"
        ) from error
