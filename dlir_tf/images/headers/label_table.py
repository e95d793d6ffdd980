"""The names and colours of labels that a NIfTI header holds, as Workbench writes them.

They stand as XML in an extension, Caret's (code 30): a `LabelTable` with a `Label` for
each number.
"""

import math
from dataclasses import dataclass
from xml.etree import ElementTree

import nibabel as nib

_CARET = 30


@dataclass(frozen=True)
class NamedLabel:
    """What a number stands for.

    Attributes:
        number: In the voxels.
        name: As the table has it.
        colour: Red, green and blue, 0 to 1.
    """

    number: int
    name: str
    colour: tuple[float, float, float]


def label_table(header: nib.Nifti1Header | None) -> list[NamedLabel]:
    """The labels that a header names, but for 0, the background.

    Args:
        header: Of a NIfTI file, or none.

    Returns:
        One for each number; none if there is no table, or it can't be read.
    """
    if header is None:
        return []
    texts = [e.content for e in header.extensions if e.get_code() == _CARET]
    found: dict[int, NamedLabel] = {}
    for element in next(filter(None, map(_labels, texts)), []):
        named = _named(element)
        if named is not None and named.number > 0:
            found.setdefault(named.number, named)
    return list(found.values())


def _labels(raw: bytes) -> list[ElementTree.Element]:
    """The entries of the first table in an extension."""
    if b"<!" in raw.replace(b"<![CDATA[", b"").replace(b"<!--", b""):
        return []  # Workbench declares no entities, which may be made to explode
    try:
        root = ElementTree.fromstring(raw.rstrip(b"\0"))  # noqa: S314, see above
    except ElementTree.ParseError:
        return []
    table = root.find(".//LabelTable")
    return [] if table is None else table.findall("Label")


def _named(element: ElementTree.Element) -> NamedLabel | None:
    name = " ".join("".join(element.itertext()).split())
    try:
        number = int(element.get("Key", ""))
        red, green, blue = (
            float(element.get(part, "0.5")) for part in ("Red", "Green", "Blue")
        )
    except ValueError:
        return None
    colour = red, green, blue
    if not name or not all(math.isfinite(part) for part in colour):
        return None
    return NamedLabel(number, name, colour)
