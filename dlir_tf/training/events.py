"""What TensorBoard shows beside curves: pictures and histograms.

These are events as `tf.summary` writes them; but that needs TensorBoard installed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

_NUM_BINS = 40


def write_pictures(pictures: Mapping[str, bytes], step: int) -> None:
    """Writes pictures to the event file that is the default one.

    Args:
        pictures: PNG files by their tags.
        step: When they were seen.
    """
    import tensorflow as tf

    for tag, png in pictures.items():
        # Their header, at the beginning of every file of this format, has the size.
        size = np.frombuffer(png, ">u4", count=2, offset=16)
        values = [*(str(pixels).encode() for pixels in size), png]
        tf.summary.write(tag, tf.constant(values), step, _metadata("images"))


def write_histogram(tag: str, counts: np.ndarray, edges: np.ndarray, step: int) -> None:
    """Writes a histogram to the event file that is the default one.

    Args:
        tag: Its name.
        counts: How often values lie within the bins, `(n,)`.
        edges: Of the bins, `(n + 1,)`.
        step: When it was made.
    """
    import tensorflow as tf

    counts, edges = coarse_bins(counts, edges)
    rows = np.stack([edges[:-1], edges[1:], counts], axis=-1)
    tensor = tf.constant(rows, tf.float64)
    tf.summary.write(tag, tensor, step, _metadata("histograms"))


def coarse_bins(counts: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joins fine bins to few of one width, that reach as far as there is anything.

    Returns:
        Counts and edges; of all that was counted, nothing is lost.

    Example:

    >>> counts, edges = coarse_bins(np.array([0, 2, 1, 0, 0]), np.arange(6))
    >>> counts, edges
    (array([2, 1]), array([1, 2, 3]))
    """
    filled = np.flatnonzero(counts)
    first, last = (int(filled[0]), int(filled[-1]) + 1) if len(filled) else (0, 1)
    every = -(-(last - first) // _NUM_BINS)
    starts = np.arange(first, last, every)
    stops = np.minimum(starts + every, len(counts))
    return np.add.reduceat(counts[:last], starts), edges[np.append(starts, stops[-1])]


def _metadata(plugin: str) -> Any:
    import tensorflow as tf

    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = plugin
    return metadata
