"""The losses of a phase's steps, on their way from the device to the log."""

import math
import time
from typing import Any

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.training.phases import Phase
from dlir_tf.training.reporter import Reporter

_MOST_UNREAD = 10
_SECONDS_UNREAD = 0.5


class StepLosses:
    """Collects the losses of steps and reads them from the device now and then.

    A GPU computes while the host already prepares the next steps; to read each loss
    would make it wait, every step.

    Args:
        phase: The phase that the steps are of.
        reporter: Is told of the last step that was read.
    """

    def __init__(self, phase: Phase, reporter: Reporter) -> None:
        self._phase = phase
        self._reporter = reporter
        self._unread: list[tuple[int, dict[str, Any]]] = []
        self._read: list[dict[str, float]] = []
        self._last_read = time.monotonic()

    def add(self, step: int, values: dict[str, Any]) -> None:
        """Takes the losses of one more step.

        Raises:
            InputError: If a loss that was read isn't finite.
        """
        self._unread.append((step, values))
        waited = time.monotonic() - self._last_read
        if len(self._unread) >= _MOST_UNREAD or waited >= _SECONDS_UNREAD:
            self._read_all()

    def take_means(self) -> dict[str, float]:
        """Returns the means over all steps since the last call.

        Raises:
            InputError: If a loss isn't finite.
        """
        self._read_all()
        rows, self._read = self._read, []
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}

    def _read_all(self) -> None:
        unread, self._unread = self._unread, []
        for step, values in unread:
            row = {name: float(value) for name, value in values.items()}
            check_finite(self._phase, step, "loss", row["loss"])
            self._read.append(row)
        self._last_read = time.monotonic()
        if unread:
            phase, loss = self._phase, self._read[-1]["loss"]
            self._reporter.stepped(phase.name, step, phase.steps, loss)


def check_finite(phase: Phase, step: int, name: str, value: float) -> None:
    """Stops a training that has left the numbers.

    Raises:
        InputError: If the value is NaN or infinite.
    """
    if not math.isfinite(value):
        raise InputError(
            f"training stopped: the {name} of {phase.name} at step {step} is {value}; "
            "train again with a smaller learning_rate or a larger bending_energy, and "
            "with another --output"
        )
