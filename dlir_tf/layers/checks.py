"""Checks that the transform layers share."""

from typing import Any


def check_field(layer: str, ddf: Any, ndim: int) -> None:
    """Raises unless `ddf` is a 2-d or 3-d displacement field of rank `ndim`.

    Raises:
        ValueError: If it isn't of shape `(batch, *spatial, ndim)`.
    """
    if ndim not in (2, 3):
        raise ValueError(
            f"{layer}: works on 2-d and 3-d images, shaped (batch, *spatial, "
            f"channels). Received: {ndim} spatial axes"
        )
    if len(ddf.shape) != ndim + 2 or ddf.shape[-1] != ndim:
        raise ValueError(
            f"{layer}: a displacement field of {ndim}-d images must be shaped "
            f"(batch, *spatial, {ndim}). Received: {tuple(ddf.shape)}"
        )


def per_axis(name: str, values: int | tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """Returns one int per axis, a single int standing for all of them.

    Raises:
        ValueError: If there are values for another number of axes.
    """
    result = (values,) * ndim if isinstance(values, int) else tuple(values)
    if len(result) != ndim:
        raise ValueError(
            f"{name}: must be an int or {ndim} ints, one per axis. Received: {values}"
        )
    return result
