"""Where machine code can't be kept, kernels are compiled all the same."""

import errno

import numba
import numpy as np
import pytest

from dlir_tf.kernels import compiling


def doubled(values, start, stop):
    total = 0.0
    for n in range(start, stop):
        total += 2 * values[n]
    return total


def test_a_range_is_gone_through_once(rng):
    values = rng.normal(size=37)
    for length in (37, 5, 0):
        parts = compiling.in_blocks(compiling.kernel(doubled), length, values)
        assert sum(parts) == pytest.approx(2 * values[:length].sum())


def test_a_full_disk_costs_no_more_than_time(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numba.core.caching._Cache.save_overload", full, raising=False)
    monkeypatch.setattr("numba.core.caching.Cache.save_overload", full)
    assert compiling.kernel(doubled)(np.ones(4), 0, 4) == 8


def test_no_folder_for_machine_code_costs_no_more_than_time(monkeypatch):
    plain = numba.njit

    def nowhere(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return plain(**options)

    monkeypatch.setattr(compiling.numba, "njit", nowhere)
    assert compiling.kernel(doubled)(np.ones(4), 0, 4) == 8
