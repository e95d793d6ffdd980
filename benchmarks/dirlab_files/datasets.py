"""DIR-Lab's two sets of breathing lungs: what their owners publish of the files.

The files say nothing of themselves. An image is `.img`: voxels alone, signed integers
of 2 bytes, least byte first. Columns come first, from the patient's right to the left;
then rows, from the front to the back; then slices, from the head to the feet. Stored is
HU + 1024, and -2000 outside the scanner's field. Landmarks are text: three numbers a
line, voxels along these axes, counted from 1; line n of both files is the same place.

Sizes and spacings are those of the owners' pages (DIR-Lab, "4DCT" and "COPDgene"). Two
independent programs that read the files have the same ones, visva89/pTVreg
(mutils/My/DIR_helpers) and Project-MONAI/physiomotion4d (data/DirLab-4DCT); the latter
has the order of slices as well, and the 1024.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

HU_OFFSET = 1024
NUM_LANDMARKS = 300


@dataclass(frozen=True)
class Layout:
    """What an image's file doesn't say.

    Attributes:
        shape: Columns, rows, slices.
        spacing: mm along each of them.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]


@dataclass(frozen=True)
class DataSet:
    """One of the two sets.

    Attributes:
        key: What files are called after it.
        title: What tables call it.
        phases: The fixed image's and the moving one's, as files spell them.
        layouts: Case to layout; both phases of a case have the same.
        image_name: Finds the case and the phase in the name of an image.
        points_name: Likewise, of landmarks.
    """

    key: str
    title: str
    phases: tuple[str, str]
    layouts: Mapping[str, Layout]
    image_name: re.Pattern[str]
    points_name: re.Pattern[str]


def _layouts(prefix: str, rows: list[tuple[int, int, float]]) -> dict[str, Layout]:
    """From the columns (as many as rows), the slices and the mm between columns."""
    return {
        f"{prefix}{number}": Layout((size, size, slices), (mm, mm, 2.5))
        for number, (size, slices, mm) in enumerate(rows, start=1)
    }


# Castillo et al. 2009, doi:10.1088/0031-9155/54/7/001 (cases 1 to 5) and
# doi:10.1088/0031-9155/55/1/018 (6 to 10). Case 1 is `case1_T00_s.img`, cases 2 to 5
# are `case2_T00-ssm.img`, the others `case6_T00.img`; landmarks are
# `Case1_300_T00_xyz.txt` or, in some packs, `case6_dirLab300_T00_xyz.txt`.
FOUR_D_CT = DataSet(
    key="dirlab-4dct",
    title="DIR-Lab 4DCT",
    phases=("T00", "T50"),
    layouts=_layouts(
        "case",
        [
            (256, 94, 0.97),
            (256, 112, 1.16),
            (256, 104, 1.15),
            (256, 99, 1.13),
            (256, 106, 1.10),
            (512, 128, 0.97),
            (512, 136, 0.97),
            (512, 128, 0.97),
            (512, 128, 0.97),
            (512, 120, 0.97),
        ],
    ),
    image_name=re.compile(r"(case\d+)_(T00|T50)(?:[_-]s(?:sm)?)?\.img", re.IGNORECASE),
    points_name=re.compile(
        r"(case\d+)_(?:dirlab)?300_(T00|T50)_xyz\.txt", re.IGNORECASE
    ),
)
# Castillo et al. 2013, doi:10.1088/0031-9155/58/9/2861. Inhaled, then exhaled.
COPDGENE = DataSet(
    key="dirlab-copdgene",
    title="DIR-Lab COPDgene",
    phases=("iBH", "eBH"),
    layouts=_layouts(
        "copd",
        [
            (512, 121, 0.625),
            (512, 102, 0.645),
            (512, 126, 0.652),
            (512, 126, 0.590),
            (512, 131, 0.647),
            (512, 119, 0.633),
            (512, 112, 0.625),
            (512, 115, 0.586),
            (512, 116, 0.664),
            (512, 135, 0.742),
        ],
    ),
    image_name=re.compile(r"(copd\d+)_(iBH|eBH)CT\.img", re.IGNORECASE),
    points_name=re.compile(r"(copd\d+)_300_(iBH|eBH)_xyz_r1\.txt", re.IGNORECASE),
)
