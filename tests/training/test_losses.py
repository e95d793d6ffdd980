"""Losses are read now and then, and a NaN is found where it happened."""

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.training.losses import StepLosses
from dlir_tf.training.phases import Phase
from dlir_tf.training.reporter import Silent


class Listener(Silent):
    def __init__(self):
        self.steps = []

    def stepped(self, phase, step, steps, loss):
        self.steps.append((step, loss))


class DeviceValue:
    """Counts how often it is read."""

    num_reads = 0

    def __init__(self, value):
        self._value = value

    def __float__(self):
        DeviceValue.num_reads += 1
        return self._value


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def losses(listener):
    DeviceValue.num_reads = 0
    return StepLosses(Phase("stage_1_affine", 0, 1, 100, 1.0), listener)


def test_means_over_all_steps_since_the_last_row(losses, listener):
    for step in range(1, 26):
        losses.add(step, {"loss": float(step), "bending_energy": 0.5})
    assert losses.take_means() == {"loss": 13.0, "bending_energy": 0.5}
    losses.add(26, {"loss": 26.0, "bending_energy": 1.5})
    assert losses.take_means() == {"loss": 26.0, "bending_energy": 1.5}
    assert listener.steps == [(10, 10.0), (20, 20.0), (25, 25.0), (26, 26.0)]


def test_the_device_is_not_asked_every_step(losses):
    for step in range(1, 10):
        losses.add(step, {"loss": DeviceValue(0.0)})
    assert DeviceValue.num_reads == 0
    losses.add(10, {"loss": DeviceValue(0.0)})
    assert DeviceValue.num_reads == 10


def test_slow_steps_are_reported_as_they_come(losses, listener, monkeypatch):
    monkeypatch.setattr("dlir_tf.training.losses._SECONDS_UNREAD", 0.0)
    for step in (1, 2, 3):
        losses.add(step, {"loss": 1.0})
    assert [step for step, _ in listener.steps] == [1, 2, 3]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_nan_stops_with_the_step_where_it_came_up(losses, value):
    for step in (1, 2, 3, 4):
        losses.add(step, {"loss": value if step > 2 else 1.0})
    with pytest.raises(InputError, match=f"stage_1_affine at step 3 is {value}") as e:
        losses.take_means()
    assert str(e.value).endswith("and with another --output")
