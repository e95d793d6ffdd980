"""The last steps come to rest where the loss is lowest, and never above the start."""

import numpy as np

from dlir_tf.refinement.settling import settle

LOWEST = np.float32([0.3, -0.2, 0.05])
CURVATURE = np.array([1.0, 30.0, 900.0])


def _valley(numbers):
    apart = numbers.astype(float) - LOWEST
    return float(CURVATURE @ apart**2), (2 * CURVATURE * apart).astype(np.float32)


def test_a_narrow_valley_is_gone_through_to_its_end():
    found, taken = settle(_valley, np.zeros(3, np.float32), 60)
    np.testing.assert_allclose(found, LOWEST, atol=1e-4)
    assert taken <= 60


def test_no_more_is_evaluated_than_may_be():
    calls = []

    def counted(numbers):
        calls.append(numbers)
        return _valley(numbers)

    start = np.zeros(3, np.float32)
    for steps in (0, 1):
        found, taken = settle(counted, start, steps)
        assert found is start
        assert taken == len(calls) == 0


def test_what_is_no_number_is_left():
    """Beyond a wall the loss is none, and the best before it counts."""

    def walled(numbers):
        loss, gradient = _valley(numbers)
        return (np.nan if numbers[0] > 0.2 else loss), gradient

    found, _ = settle(walled, np.zeros(3, np.float32), 40)
    assert np.isfinite(found).all()
    assert _valley(found)[0] <= _valley(np.zeros(3))[0]
