"""What `dlir-tf register` is told of a pair, beside its images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.apply.registration_files import Outputs
from dlir_tf.errors import InputError
from dlir_tf.pairs.knowledge import Knowledge
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.registration import Registration


@dataclass(frozen=True)
class Told:
    """The options about landmarks and labels.

    Attributes:
        labels: Of the moving image, to be moved or to go by.
        interpolation: Of moved labels.
        fixed_points: Landmarks of the fixed image.
        moving_points: Those of the moving image.
        points_weight: Of both; `None` for the usual one.
        fixed_labels: Labels of the fixed image.
        labels_weight: Of the labels; `None` for the usual one.
        stiffness: Of the refinement.
    """

    labels: Path | None
    interpolation: str
    fixed_points: Path | None
    moving_points: Path | None
    points_weight: float | None
    fixed_labels: Path | None
    labels_weight: float | None
    stiffness: float

    @property
    def files(self) -> dict[str, Path | None]:
        """The files that are read, by what a `Pair` calls them."""
        return {
            "fixed_points": self.fixed_points,
            "moving_points": self.moving_points,
            "fixed_labels": self.fixed_labels,
            "moving_labels": self.labels,
        }

    def check(self, outputs: Outputs) -> None:
        """Refuses options that don't go together.

        Raises:
            InputError: Which ones don't, in one sentence.
        """
        if (self.fixed_points is None) != (self.moving_points is None):
            raise InputError(
                "--fixed-points and --moving-points belong together: landmarks "
                "correspond by their order; give both, or none"
            )
        unused = {
            "--points-weight": self.points_weight is not None and not self.fixed_points,
            "--labels-weight": self.labels_weight is not None and not self.fixed_labels,
        }
        for option, useless in unused.items():
            if useless:
                of = option.removesuffix("-weight").replace("--", "--fixed-")
                raise InputError(f"{option}: is for {of}, which isn't given")
        moved = outputs.moved_labels is not None
        if self.labels is None and (moved or self.fixed_labels):
            by = "--moved-labels" if moved else "--fixed-labels"
            raise InputError(
                f"{by} and --labels belong together: --labels are those of the moving "
                "image; give both, or none"
            )
        if self.labels is not None and not (moved or self.fixed_labels):
            raise InputError(
                "--labels and --moved-labels belong together: the first is read, the "
                "second is written"
            )
        if not moved and self.interpolation != "nearest":
            raise InputError(
                f"--interpolation {self.interpolation}: is for --labels, which isn't "
                "given to be moved; leave it out, or give --labels and --moved-labels"
            )

    def of(self, pair: LoadedPair) -> dict[str, Any]:
        """What `register` is told, as its arguments.

        Args:
            pair: As it was read.

        Raises:
            InputError: If a weight is no positive number.
        """
        known: dict[str, Any] = {}
        if pair.points is not None:
            known["points"] = pair.points
        if pair.labels is not None:
            known["labels"] = pair.labels
        for name in ("points_weight", "labels_weight"):
            if (weight := getattr(self, name)) is not None:
                known[name] = weight
        knowledge = Knowledge(**known) if known else None
        return {"knowledge": knowledge, "stiffness": self.stiffness}


def tell_distance(
    result: Registration, pair: LoadedPair, tell: Callable[[str], None]
) -> None:
    """Says how far landmarks are apart in the end, if there are any."""
    if pair.points is None:
        return
    apart = result.transform.map_points(pair.points[0]) - pair.points[1]
    lengths = np.linalg.norm(apart, axis=-1)
    tell(
        f"landmarks: {lengths.mean():.2g} mm apart on average, {lengths.max():.2g} mm "
        "at most"
    )
