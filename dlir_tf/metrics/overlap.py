"""How much of each structure lies on its counterpart."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def dice(
    fixed_labels: np.ndarray,
    moved_labels: np.ndarray,
    labels: Sequence[int] | None = None,
) -> dict[int, float]:
    """Overlap of each structure, `2 |A and B| / (|A| + |B|)`.

    Args:
        fixed_labels: Integers, any shape.
        moved_labels: Integers, the same shape.
        labels: Which structures; `None` takes all that occur in either, but for the
            background 0.

    Returns:
        Label to Dice, from 0 (apart) to 1 (identical), in increasing order of label
        or in the order of `labels`; NaN for a label that is in neither.

    Raises:
        ValueError: If the shapes differ or a value isn't an integer.

    Example:

    >>> dice(np.array([0, 1, 1, 2]), np.array([1, 1, 0, 2]))
    {1: 0.5, 2: 1.0}
    """
    if fixed_labels.shape != moved_labels.shape:
        raise ValueError(
            "dice: both arrays must have the same shape. "
            f"Received: {fixed_labels.shape} and {moved_labels.shape}"
        )
    if any(a.dtype.kind not in "biu" for a in (fixed_labels, moved_labels)):
        raise ValueError(
            "dice: labels must have an integer dtype. "
            f"Received: {fixed_labels.dtype} and {moved_labels.dtype}"
        )
    if fixed_labels.size == 0:
        return dict.fromkeys(labels or (), float("nan"))
    values, sums, shared = _count(fixed_labels.ravel(), moved_labels.ravel())
    ratios = (2 * shared / sums).tolist()
    scores = dict(zip(values.tolist(), ratios, strict=True))
    if labels is not None:
        return {int(label): scores.get(int(label), float("nan")) for label in labels}
    return {label: score for label, score in scores.items() if label != 0}


def _count(
    a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Values that occur, how often in both together, how often at the same place."""
    a, b = a.astype(np.int64), b.astype(np.int64)
    low, high = int(min(a.min(), b.min())), int(max(a.max(), b.max()))
    values = np.arange(low, high + 1) if high - low <= 2 * a.size else np.array([])
    if values.size:
        a, b = a - low, b - low
    else:  # few labels with huge numbers: counting all between would fill the memory
        values, codes = np.unique(np.concatenate([a, b]), return_inverse=True)
        a, b = np.split(codes, 2)
    sums = np.bincount(a, minlength=values.size) + np.bincount(b, minlength=values.size)
    shared = np.bincount(a[a == b], minlength=values.size)
    occurs = sums > 0
    return values[occurs], sums[occurs], shared[occurs]
