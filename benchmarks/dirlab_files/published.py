"""What others published on the same landmarks. Only what was read in its source."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One method's landmark errors, in mm.

    Attributes:
        title: What tables call it.
        source: Where the figures stand.
        mean: Over all cases.
        deviation: Standard deviation over landmarks, where it's given.
        snapped: Whether mapped landmarks were moved to the nearest voxel before;
            `None` if the source doesn't say.
        by_case: In the order of the cases, where they are given.
    """

    title: str
    source: str
    mean: float
    deviation: float | None = None
    snapped: bool | None = None
    by_case: tuple[float, ...] = ()


# pTV's figures by case are those of its authors' program after the paper.
_PTV = "https://github.com/visva89/pTVreg; doi:10.1109/TMI.2016.2610583"
PUBLISHED = {
    "dirlab-4dct": (
        Published(
            "pTV",
            _PTV,
            0.92,
            snapped=True,
            by_case=(0.77, 0.75, 0.93, 1.26, 1.07, 0.83, 0.80, 1.01, 0.91, 0.84),
        ),
        Published("elastix, as ITK (Kanai's 1)", "doi:10.1093/jrr/rru062", 1.78, 1.57),
        Published(
            "elastix, its own functions (Kanai's 2)",
            "doi:10.1093/jrr/rru062",
            1.28,
            1.10,
        ),
        Published("RegNet", "doi:10.48550/arXiv.1908.10235", 1.86, 2.12),
    ),
    "dirlab-copdgene": (
        Published(
            "pTV",
            _PTV,
            0.85,
            snapped=True,
            by_case=(0.71, 1.91, 0.77, 0.67, 0.71, 0.66, 0.75, 0.78, 0.64, 0.85),
        ),
        Published("LDDMM, NGF", "doi:10.1007/978-3-319-46726-9_4", 1.03),
    ),
}
