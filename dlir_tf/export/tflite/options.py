"""Checks of the options of an export to TFLite, before TensorFlow is loaded."""

from dlir_tf.config import Config
from dlir_tf.errors import InputError


def check_shape(shape: tuple[int, ...], config: Config) -> None:
    """Refuses shapes of the working grid that the stages can't work on.

    Raises:
        InputError: If there are more or fewer numbers than axes, or they aren't
            multiples of what the stages need; the message says which would be.
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
