"""Pooling and padding: plain NumPy is the judge."""

import numpy as np
import pytest

from dlir_tf.layers.pooling import AveragePool, EdgePad, average_pool, pad_edges


@pytest.mark.parametrize(
    ("size", "factor"), [((6, 4), (3, 2)), ((4, 3, 6), (2, 1, 3))], ids=["2-d", "3-d"]
)
def test_average_of_each_block(size, factor, rng):
    values = rng.random((2, *size, 3), dtype="float32")
    pooled = average_pool(values, factor).numpy()
    coarse = tuple(n // f for n, f in zip(size, factor, strict=True))
    assert pooled.shape == (2, *coarse, 3)
    for cell in np.ndindex(coarse):
        block = tuple(
            slice(c * f, (c + 1) * f) for c, f in zip(cell, factor, strict=True)
        )
        mean = values[(slice(None), *block)].mean(tuple(range(1, len(size) + 1)))
        np.testing.assert_allclose(pooled[(slice(None), *cell)], mean, atol=1e-6)


def test_factor_one_is_the_identity(rng):
    values = rng.random((2, 5, 3, 1), dtype="float32")
    np.testing.assert_array_equal(AveragePool((1, 1))(values), values)


def test_size_that_is_no_multiple_is_named():
    with pytest.raises(ValueError, match=r"multiples of \(2, 4\).*\(6, 6\)"):
        AveragePool((2, 4))(np.zeros((1, 6, 6, 1), "float32"))


@pytest.mark.parametrize("size", [(3, 1), (2, 3, 1)], ids=["2-d", "3-d"])
@pytest.mark.parametrize("width", [0, 1, 2])
def test_edges_are_repeated(width, size, rng):
    values = rng.random((2, *size, 3), dtype="float32")
    pads = [(0, 0), *[(width, width)] * len(size), (0, 0)]
    expected = np.pad(values, pads, mode="edge")
    np.testing.assert_array_equal(pad_edges(values, width), expected)
    np.testing.assert_array_equal(EdgePad(width)(values), expected)
