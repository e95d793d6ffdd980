"""Scans of breathing lungs, whatever their files: an image and its landmarks."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlir_tf.images import Image


@dataclass(frozen=True)
class Scan:
    """One phase of a case.

    Attributes:
        name: What its files will be called.
        read: Reads the image, in HU, with its place in the world.
        points: Landmarks `(num_points, 3)`, RAS+ mm; `None` if there are none.
    """

    name: str
    read: Callable[[], Image]
    points: np.ndarray | None


@dataclass(frozen=True)
class Case:
    """Two phases of one person; the fixed image's landmarks are sought in the other."""

    name: str
    fixed: Scan
    moving: Scan


@dataclass(frozen=True)
class Found:
    """What a folder holds of a set.

    Attributes:
        key: What files are called after the set.
        title: What tables call it.
        cases: Those that are complete, in order.
        missing: The others, to what they lack.
    """

    key: str
    title: str
    cases: list[Case]
    missing: dict[str, str]
