"""The loss that belongs to a similarity, by its name in a config."""

from collections.abc import Callable
from typing import Any

from dlir_tf.losses.mind import mind_ssc
from dlir_tf.losses.mutual_information import nmi
from dlir_tf.losses.similarity import mse, ncc, windowed_ncc

Tensor = Any


def similarity_loss(
    kind: str,
    window: int = 9,
    *,
    bins: int = 32,
    samples: int = 2**17,
    radius: int = 1,
    dilation: int = 2,
) -> Callable[..., Tensor]:
    """Returns the loss that belongs to a similarity.

    Args:
        kind: `"ncc"`, `"windowed_ncc"`, `"mse"`, `"nmi"` or `"mind_ssc"`.
        window: For `"windowed_ncc"`.
        bins: For `"nmi"`.
        samples: For `"nmi"`.
        radius: For `"mind_ssc"`.
        dilation: For `"mind_ssc"`.

    Returns:
        A function `(fixed, moved, mask=None) -> (batch,)`, at least 0: 1 minus the
        correlation, 2 minus the normalised mutual information, or the squared
        difference. But for the mutual information it is 0 for equal images.

    Raises:
        ValueError: If the kind is unknown.

    Example:

    >>> from keras import ops
    >>> image = ops.reshape(ops.arange(8.0), (1, 2, 4, 1))
    >>> round(float(similarity_loss("ncc")(image, 1.0 - 2.0 * image)[0]), 4)
    2.0
    """
    losses: dict[str, Callable[..., Tensor]] = {
        "ncc": lambda fixed, moved, mask=None: 1.0 - ncc(fixed, moved, mask),
        "windowed_ncc": lambda fixed, moved, mask=None: (
            1.0 - windowed_ncc(fixed, moved, window, mask)
        ),
        "mse": mse,
        "nmi": lambda fixed, moved, mask=None: (
            2.0 - nmi(fixed, moved, bins, samples, mask)
        ),
        "mind_ssc": lambda fixed, moved, mask=None: mind_ssc(
            fixed, moved, radius, dilation, mask
        ),
    }
    if kind not in losses:
        raise ValueError(f"kind: must be one of {sorted(losses)}. Received: {kind!r}")
    return losses[kind]
