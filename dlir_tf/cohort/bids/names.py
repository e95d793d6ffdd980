"""The grammar of names in BIDS: `sub-01_ses-1_T1w.nii.gz`, and what a space is called.

The Brain Imaging Data Structure (https://bids-specification.readthedocs.io) names
a file by entities, each `KEY-LABEL`, in an order that is the same everywhere, and by a
suffix.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# In the order of BIDS 1.10; `from`, `to` and `mode`, of transforms, where fMRIPrep and
# the proposal on transforms (BEP014) have them. Others come before `space`.
_BEFORE = (
    *("sub", "tpl", "ses", "cohort", "sample", "task", "tracksys", "acq", "nuc"),
    *("voi", "ce", "trc", "stain", "rec", "dir", "run", "mod", "echo", "flip"),
    *("inv", "mt", "part", "proc", "hemi"),
)
_AFTER = (
    *("space", "split", "recording", "chunk", "atlas", "seg", "scale", "res", "den"),
    *("label", "from", "to", "mode", "desc"),
)
_PLACES = {key: place for place, key in enumerate((*_BEFORE, "", *_AFTER))}
# What has no say in where an image lies in the world.
_OF_PROCESSING = ("atlas", "seg", "scale", "res", "den", "label", "desc")

_NAME = re.compile(r"((?:[a-zA-Z]+-[0-9a-zA-Z+]+_)+)([0-9a-zA-Z]+)(\..+)")
_PART = re.compile(r"([a-zA-Z]+)-([0-9a-zA-Z+]+)_")


@dataclass(frozen=True)
class BidsName:
    """A file's name, taken apart.

    Attributes:
        entities: Their labels, by their keys, in the order of BIDS.
        suffix: What kind of file it is, such as `T1w`.
        extension: All from the first dot on.
    """

    entities: Mapping[str, str]
    suffix: str
    extension: str

    def __str__(self) -> str:
        parts = [f"{key}-{label}" for key, label in self.entities.items()]
        return "_".join([*parts, self.suffix]) + self.extension

    @property
    def source(self) -> dict[str, str]:
        """The entities of the scan that the file comes from, without processing."""
        left_out = (*_OF_PROCESSING, "space", "from", "to", "mode")
        return {k: v for k, v in self.entities.items() if k not in left_out}

    @property
    def is_template(self) -> bool:
        """Whether it's a template, of nobody."""
        return "sub" not in self.entities

    @property
    def space(self) -> str:
        """What the space is called that the image lies in."""
        if "space" in self.entities:
            return self.entities["space"]
        if self.is_template:
            cohort = self.entities.get("cohort")
            return self.entities["tpl"] + (f"+{cohort}" if cohort else "")
        return self.suffix

    def space_beside(self, other: "BidsName") -> str:
        """The same, told apart from that of another image: `ses1T1w`, say.

        Args:
            other: The other image.

        Returns:
            The name, behind the entities in which the two differ; what was done with
            the images counts only where nothing else tells them apart.
        """
        if self.is_template:
            return self.space
        theirs = other.entities
        apart = {k for k, v in self.entities.items() if theirs.get(k) != v}
        if "sub" in apart:
            apart.add("ses")
        for keys in (apart - {"space", *_OF_PROCESSING}, apart - {"space"}):
            told = [f"{k}{v}" for k, v in self.entities.items() if k in keys]
            if (name := "".join([*told, self.space])) != other.space:
                break
        return name


def made_name(entities: Mapping[str, str], suffix: str, extension: str) -> BidsName:
    """A name whose entities are put in order."""
    return BidsName(dict(sorted(entities.items(), key=_place)), suffix, extension)


def parsed_name(name: str) -> BidsName | None:
    """Takes a file's name apart.

    Args:
        name: Without its folder.

    Returns:
        `None` if it isn't one of BIDS: entities of a subject (`sub`) or a template
        (`tpl`), each once, and a suffix.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    parts = _PART.findall(match[1])
    entities = dict(parts)
    if len(entities) < len(parts) or not {"sub", "tpl"} & entities.keys():
        return None
    return made_name(entities, match[2], match[3])


def _place(entity: tuple[str, str]) -> int:
    return _PLACES.get(entity[0], _PLACES[""])
