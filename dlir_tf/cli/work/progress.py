"""How long work shows that it goes on: a bar on a terminal, lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)


class StepProgress:
    """Reports on stderr how many steps of gradient descent are done."""

    def __init__(self) -> None:
        # Names of files are printed as they are, whatever brackets stand in them.
        self._console = Console(file=sys.stderr, highlight=False, markup=False)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._phase = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def stepped(self, phase: str, step: int, steps: int, loss: float) -> None:
        """Shows the step and its loss."""
        self.show(phase, step, steps, f"loss {loss:.4f}")

    def show(self, phase: str, done: int, total: int, note: str = "") -> None:
        """Shows on a terminal how much of a phase is done."""
        if phase != self._phase:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._phase = phase
            self._task = self._bar.add_task(phase, total=total, note=note)
        if self._task is not None:
            self._bar.update(self._task, completed=done, note=note)

    def print(self, line: str) -> None:
        """Prints a line that stays, above the bar."""
        self._console.print(line, soft_wrap=True)

    @property
    def is_bar(self) -> bool:
        """Whether there is a bar: stderr is a terminal."""
        return self._console.is_terminal


class TrainingProgress(StepProgress):
    """Reports a training on stderr; see `dlir_tf.training.trainer.Reporter`."""

    def preparing(self, done: int, total: int) -> None:
        """Shows how many pairs are read."""
        self.show("reading pairs", done, total)

    def logged(self, phase: str, step: int, values: dict[str, float]) -> None:
        """Prints what was logged on a line of its own."""
        shown = {
            "loss": "loss",
            "validation_loss": "validation loss",
            "validation_dice": "validation Dice",
        }
        parts = [
            f"{label} {values[name]:.4f}"
            for name, label in shown.items()
            if name in values
        ]
        line = f"{phase}, step {step}: {', '.join(parts)}"
        self.print(line)


@contextmanager
def counting(
    total: int, what: str, about: str = "", every: int = 1
) -> Iterator[Callable[[int], None]]:
    """Reports on stderr how many of some things are done.

    Args:
        total: How many there are.
        what: What they are, such as "frames".
        about: Begins every line.
        every: In a log, a line stands after so many; the last has one in any case.

    Yields:
        What is to be called with the number of those that are done.
    """
    with StepProgress() as progress:

        def show(done: int) -> None:
            progress.show(f"{about}{what}", done, total)
            last = done == total
            if last or not (progress.is_bar or done % every):
                progress.print(f"{about}{done} of {total} {what}")

        yield show
