"""Where `dlir-tf register` goes on from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlir_tf.apply.registration_files import Outputs
from dlir_tf.config import InitialAlignment
from dlir_tf.errors import InputError
from dlir_tf.transforms.files.chain import files_of_chain, read_chain


@dataclass(frozen=True)
class Start:
    """What was said of the start of a registration.

    Attributes:
        initial_transform: The files that are gone on from.
        initial_alignment: The alignment in the place of them, or `None`.
        without_initial: Whether written transforms leave the first out.
    """

    initial_transform: tuple[str, ...]
    initial_alignment: InitialAlignment | None
    without_initial: bool

    @property
    def files(self) -> list[Path]:
        """The files that are read."""
        return files_of_chain(self.initial_transform)

    def check(self, outputs: Outputs) -> None:
        """Refuses options that don't go together.

        Args:
            outputs: What is written.

        Raises:
            InputError: Which ones don't, in one sentence.
        """
        if self.initial_transform and self.initial_alignment is not None:
            raise InputError(
                "--initial-transform and --initial-alignment exclude each other; give "
                "one of them"
            )
        if self.without_initial and not self.initial_transform:
            raise InputError(
                "--without-initial: is for --initial-transform, which isn't given"
            )
        files = (outputs.transform, outputs.inverse)
        if self.without_initial and not any(files):
            raise InputError(
                "--without-initial: is about the files of --transform and --inverse, "
                "of which none is given; leave it out, or name one"
            )

    def read(self, ndim: int, tell: Callable[[str], None]) -> dict[str, Any]:
        """Reads the transforms.

        Args:
            ndim: Of the images.
            tell: Is called with what the user should know.

        Returns:
            `initial_alignment` and `initial_transform` for `register`, as far as they
            are given.

        Raises:
            InputError: If they can't be read, or can't be left out.
        """
        names = self.initial_transform
        start = read_chain(names, tell) if names else None
        if start is not None and self.without_initial and start.ndim != ndim:
            raise InputError(
                f"--without-initial: what is written between two slices is {ndim}-d "
                f"and can't follow a {start.ndim}-d initial transform; leave it out"
            )
        given = {
            "initial_alignment": self.initial_alignment,
            "initial_transform": start,
        }
        return {name: value for name, value in given.items() if value is not None}
