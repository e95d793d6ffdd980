"""What a page is made of: images, transform, labels, landmarks and report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlir_tf.images import Image
from dlir_tf.transforms import Affine, Transform

# Of the fixed image's voxels, must lie in the moving one as their headers have it;
# otherwise headers say nothing of how the two were before.
_SMALLEST_OVERLAP = 0.1


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Points of both images that belong together.

    Attributes:
        fixed: `(num_points, ndim)`, world mm, RAS+.
        moving: The points that belong to them, likewise.
        names: Of each; none for numbers.
    """

    fixed: np.ndarray
    moving: np.ndarray
    names: Sequence[str] = ()

    def name(self, index: int) -> str:
        """What a landmark is called."""
        return self.names[index] if self.names else str(index + 1)


@dataclass(frozen=True, eq=False)
class PageContents:
    """A pair, and what became of it.

    Attributes:
        fixed: The fixed image, 2-d or 3-d.
        moving: The moving image, on any grid.
        title: The page's headline.
        transform: From fixed to moving points; `None` if there is none to show.
        moved: The moving image on the fixed grid, if it's at hand; otherwise it is
            made by the transform.
        displacement: The transform on the fixed grid, mm, if it's at hand.
        fixed_labels: Labels on the fixed grid.
        moving_labels: Labels on the moving grid.
        landmarks: Of both images.
        report: As `Report.to_dict` or its file has it.
        notes: What else is to be said on the page, a sentence each.
    """

    fixed: Image
    moving: Image
    title: str = "Registration"
    transform: Transform | None = None
    moved: Image | None = None
    displacement: np.ndarray | None = None
    fixed_labels: Image | None = None
    moving_labels: Image | None = None
    landmarks: Landmarks | None = None
    report: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = field(default=())

    def before(self) -> tuple[Transform, str | None]:
        """How the images lay before: as their headers say, if they overlap like that.

        Returns:
            From fixed to moving points, and what is to be said of it, if anything.
        """
        fixed, moving = self.fixed.grid, self.moving.grid
        steps = [np.linspace(0, size - 1, 12) for size in fixed.shape]
        voxels = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1)
        share = moving.contains(fixed.to_world(voxels)).mean()
        matrix = np.eye(fixed.ndim + 1)
        if share >= _SMALLEST_OVERLAP:
            return Transform((Affine(matrix),)), None
        matrix[:-1, -1] = moving.centre - fixed.centre
        return Transform((Affine(matrix),)), (
            "By their headers, the images hardly overlap; before registration, they "
            "are shown with their centres on each other."
        )
