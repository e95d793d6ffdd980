"""What the sidecars of a pair's files say: JSON beside each, of the same name."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlir_tf.cohort.bids.links import Links
from dlir_tf.cohort.bids.names import BidsName, parsed_name
from dlir_tf.pairs.manifest import Pair

# Of the moving image's own sidecar, what is as true of the moved image.
_KEPT = (
    "SkullStripped",
    "TaskName",
    "RepetitionTime",
    "EchoTime",
    "MagneticFieldStrength",
)
_STRIPPED = ("brain", "skullstripped")


def sidecars_of(
    pair: Pair, folder: Path, names: Mapping[str, BidsName], links: Links
) -> dict[str, dict[str, Any]]:
    """What is to be said of a pair's files.

    Args:
        pair: The pair.
        folder: Where its files go, from the derivative's folder on.
        names: Theirs, by what they are.
        links: The datasets that the pair comes from.

    Returns:
        For the name of every sidecar, what it says.
    """
    fixed, moving = links.uri(pair.fixed), links.uri(pair.moving)
    by = []
    if "transform" in names:
        by = [f"bids::{(folder / str(names['transform'])).as_posix()}"]
    told: dict[str, dict[str, Any]] = {
        "moved": {
            "Description": "The moving image, registered to the fixed image and "
            "resampled on its grid",
            "Sources": [moving, fixed, *by],
            "SpatialReference": fixed,
            **_kept(pair.moving),
        },
        "transform": {
            "Description": "Lays images FROM onto the grid of TO; takes points of TO "
            "to points of FROM, as ITK and ANTs store it",
            "Sources": [moving, fixed],
        },
        "inverse": {
            "Description": "The inverse: lays images FROM onto the grid of TO; takes "
            "points of TO to points of FROM, as ITK and ANTs store it",
            "Sources": [moving, fixed],
        },
        "displacement": {
            "Description": "The same as a field of displacements in mm (LPS), on the "
            "grid of TO",
            "Sources": [moving, fixed],
        },
    }
    for role, source in (
        ("moved_labels", pair.moving_labels),
        ("moved_mask", pair.moving_mask),
    ):
        if source is not None:
            told[role] = {
                "Description": f"{source.name}, resampled on the fixed image's grid",
                "Sources": [links.uri(source), *by],
                "SpatialReference": fixed,
            }
    if "moved_mask" in names:
        is_brain = names["moved_mask"].entities.get("desc") == "brain"
        told["moved_mask"]["Type"] = "Brain" if is_brain else "ROI"
    return {
        str(replace(names[role], extension=".json")): one
        for role, one in told.items()
        if role in names
    }


def _kept(image: Path) -> dict[str, Any]:
    """What is said of the moving image already, and is true of it moved.

    BIDS wants to know whether there is a skull; if the image's own sidecar doesn't say
    so, its name does.
    """
    name = parsed_name(image.name)
    stem = image.name.partition(".")[0]
    try:
        told = json.loads(image.with_name(f"{stem}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        told = {}
    told = told if isinstance(told, dict) else {}
    desc = name.entities.get("desc", "") if name else ""
    usual = {"SkullStripped": desc.lower() in _STRIPPED}
    return usual | {key: told[key] for key in _KEPT if key in told}
