"""What the page of a series is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlir_tf.images import Frames, Image
from dlir_tf.transforms import Transform

# Of a table: each a value by the name of its column, as in a CSV file.
Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True, eq=False)
class SeriesContents:
    """A series whose frames are registered to a reference, and what became of it.

    Attributes:
        reference: What all frames were registered to, 2-d or 3-d.
        reference_frame: Its number, from 0; `None` for the mean over time.
        frames: The series, on the reference's grid.
        corrected: The frames as they would be without motion, on that grid.
        transforms: One a frame, from points of the reference to points of the frame.
        title: The page's headline.
        labels: In every frame, if there are any.
        reference_labels: Of the reference.
        outcomes: How each frame went, the rows of `frames.csv`.
        volumes: Of each label in each frame, the rows of `volumes.csv`.
        ejection: The rows of `ejection.csv`.
        strain: The rows of `strain.csv`.
        displacements: The rows of `displacements.csv`, of landmarks in each frame.
        run: What `series.json` says of the run.
        notes: What else is to be said on the page, a sentence each.
    """

    reference: Image
    reference_frame: int | None
    frames: Frames
    corrected: Frames
    transforms: tuple[Transform, ...]
    title: str = "Series"
    labels: Frames | None = None
    reference_labels: Image | None = None
    outcomes: Rows = ()
    volumes: Rows = ()
    ejection: Rows = ()
    strain: Rows = ()
    displacements: Rows = ()
    run: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Between two frames; 0 if the series doesn't state it."""
        units = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
        return units.get(self.frames.time_unit, 0.0) * self.frames.time_step
