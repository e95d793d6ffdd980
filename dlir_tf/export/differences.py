"""How far what an export gives may be, and is, from what its model gives."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dlir_tf.config import Config
from dlir_tf.errors import REPORT_IT, ExportError
from dlir_tf.export.fresh_process import Arrays


class Tolerance(NamedTuple):
    """How large differences may be: lengths in mm, all others as a fraction."""

    mm: float
    fraction: float


@dataclass(frozen=True)
class Differences:
    """The largest differences between an export and its model.

    Attributes:
        displacement_mm: Of the displacement field, as a length.
        moved: Of the moved image, as a fraction of its range.
        affine_mm: Of where the affine matrix takes the corners of the image.
        control_points_mm: Of the control points; 0 if there are none.
    """

    displacement_mm: float
    moved: float
    affine_mm: float
    control_points_mm: float

    @property
    def fractions(self) -> tuple[float, ...]:
        """The differences that aren't lengths."""
        return (self.moved,)

    def within(self, tolerance: Tolerance) -> bool:
        """Whether no difference is larger than is allowed; NaN counts as larger."""
        lengths = (self.displacement_mm, self.affine_mm, self.control_points_mm)
        return all(length <= tolerance.mm for length in lengths) and all(
            fraction <= tolerance.fraction for fraction in self.fractions
        )

    def check(
        self,
        what: str,
        tolerance: Tolerance,
        *,
        allowed_for: str = "",
        cure: str = REPORT_IT,
    ) -> None:
        """Raises an error if a difference is larger than it may be.

        Args:
            what: What was exported.
            tolerance: What is allowed.
            allowed_for: Begins with a space; to whom it is.
            cure: What to do about it.

        Raises:
            ExportError: With all differences.
        """
        if not self.within(tolerance):
            raise ExportError(
                f"the exported {what} doesn't give what the model gives "
                f"(allowed{allowed_for} are {tolerance.mm} mm and "
                f"{tolerance.fraction} of the range); largest differences: {self}; "
                f"{cure}"
            )

    def __str__(self) -> str:
        return self._told(f"displacement {self.displacement_mm:.2g} mm")

    def _told(self, displacement: str) -> str:
        return (
            f"{displacement}; moved {self.moved:.2g} of its range; "
            f"affine {self.affine_mm:.2g} mm; "
            f"control points {self.control_points_mm:.2g} mm"
        )


def changes(what: str, expected: Arrays, received: Arrays) -> Arrays:
    """Returns what was received less what was expected, in double precision.

    Raises:
        ExportError: If an output is missing or has another shape.
    """
    for name, array in expected.items():
        shape = received[name].shape if name in received else "nothing"
        if shape != np.shape(array):
            raise ExportError(
                f"the exported {what}'s output `{name}` must have the shape "
                f"{np.shape(array)}; {REPORT_IT}. Received: {shape}"
            )
    return {
        name: np.asarray(received[name], np.float64) - array
        for name, array in expected.items()
    }


def worst(differences: list[dict[str, float]]) -> dict[str, float]:
    """Returns the largest of each difference; NaN is the largest."""
    names = dict.fromkeys(name for each in differences for name in each)
    return {
        name: largest([each[name] for each in differences if name in each])
        for name in names
    }


def control_points(arrays: Arrays, config: Config) -> list[np.ndarray]:
    """The control points among the outputs of a signature."""
    return [arrays[name] for _, name, _ in config.deformable_stages]


def longest(vectors: np.ndarray, spacing: Any = 1.0) -> float:
    """The greatest length of vectors, whose components are in units of a spacing."""
    return largest(np.linalg.norm(vectors * spacing, axis=-1))


def largest(values: Any) -> float:
    """The largest of some values; NaN if there is one, 0 if there are none."""
    # np.max, because max() may pass over NaN.
    return float(np.max(values, initial=0.0))
