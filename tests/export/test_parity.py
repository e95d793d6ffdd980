"""Differences between two models' outputs, in the units that matter."""

import numpy as np
import pytest

from dlir_tf.export import ExportError
from dlir_tf.export.parity import Parity, compare

Arrays = dict[str, np.ndarray]


def small_outputs() -> tuple[Arrays, Arrays]:
    rng = np.random.default_rng(3)
    pair = {
        "fixed": rng.random((2, 5, 3, 1)),
        "moving": rng.random((2, 5, 3, 1)),
        "spacing": np.array([[1.0, 3.0], [0.5, 2.0]]),
    }
    outputs = {
        "moved": 4 * rng.random((2, 5, 3, 1)),
        "ddf": rng.normal(size=(2, 5, 3, 2)),
        "affine": rng.normal(size=(2, 2, 3)),
        "control_points_1": rng.normal(size=(2, 5, 5, 2)),
    }
    return pair, outputs


def test_differences_are_what_was_added() -> None:
    pair, outputs = small_outputs()
    changed = {name: array.copy() for name, array in outputs.items()}
    changed["ddf"][1, 4, 2] += [0.3, 0.4]
    changed["moved"][0, 0, 0, 0] += 0.1 * np.ptp(outputs["moved"])
    changed["affine"][0, 1, 0] -= 0.01  # 4 voxels from the first corner, 3 mm each
    changed["control_points_1"][0, 2, 2, 1] -= 0.1
    found = compare(pair, outputs, changed)
    assert found["ddf_voxels"] == pytest.approx(0.5)
    assert found["ddf_mm"] == pytest.approx(np.hypot(0.15, 0.8))
    assert found["moved"] == pytest.approx(0.1)
    assert found["affine_mm"] == pytest.approx(0.12)
    assert found["control_points_mm"] == pytest.approx(0.3)
    assert set(compare(pair, outputs, outputs).values()) == {0.0}


@pytest.mark.parametrize("name", ["moved", "ddf", "affine", "control_points_1"])
def test_nan_is_a_failure(name: str) -> None:
    pair, outputs = small_outputs()
    broken = {key: array.copy() for key, array in outputs.items()}
    broken[name][1, 0, 0] = np.nan
    found = compare(pair, outputs, broken)
    assert not Parity(**found, shapes=(), seconds=0.0).within_tolerance


@pytest.mark.parametrize("shape", [(1, 5, 3, 2), (2, 3, 5, 2), None])
def test_missing_and_misshapen_outputs_are_failures(
    shape: tuple[int, ...] | None,
) -> None:
    """Shapes that NumPy would broadcast, too."""
    pair, outputs = small_outputs()
    broken = dict(outputs)
    del broken["ddf"]
    if shape is not None:
        broken["ddf"] = np.zeros(shape)
    with pytest.raises(ExportError, match="`ddf` must have the shape"):
        compare(pair, outputs, broken)
