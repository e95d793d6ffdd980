"""Who is told how a training goes."""

from typing import Protocol


class Reporter(Protocol):
    """Listens to a training; see `dlir_tf.cli.work.progress`."""

    def preparing(self, done: int, total: int) -> None:
        """So many pairs are read and preprocessed."""

    def stepped(self, phase: str, step: int, steps: int, loss: float) -> None:
        """So many steps of a phase are done; not every step is reported."""

    def logged(self, phase: str, step: int, values: dict[str, float]) -> None:
        """A row was written to the log."""


class Silent:
    """Tells nobody."""

    def preparing(self, done: int, total: int) -> None:
        """Ignores it."""

    def stepped(self, phase: str, step: int, steps: int, loss: float) -> None:
        """Ignores it."""

    def logged(self, phase: str, step: int, values: dict[str, float]) -> None:
        """Ignores it."""
