"""Several transforms one after another, given as antsApplyTransforms takes them.

    a point of the fixed image --> T1 --> T2 --> T3 --> its point of the moving image
    the image on the fixed grid <-- T1 <-- T2 <-- T3 <-- the moving image

`T1 T2 T3`, in this order on the command line: a point goes through the first one first.
Seen from the image, the last one is applied first. SimpleITK's
`CompositeTransform([T3, T2, T1])` is the same. `[FILE,1]` is the inverse of a file.

A file that is given alone is what `read_transform` makes of it: of ANTs' pair, either
name stands for both. Among several, every file counts by itself, as for ANTs: a line
that was written for antsApplyTransforms means the same here.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files.plain import check_plain
from dlir_tf.images import read_frames
from dlir_tf.transforms.files.ants import files_beside, is_ants_name, read_alone
from dlir_tf.transforms.files.dispatch import read_transform
from dlir_tf.transforms.files.matrices import read_flirt, read_niftyreg
from dlir_tf.transforms.transform import Transform

_BRACKETS = re.compile(
    r"\[(?P<path>[^,].*?),\s*(?P<inverse>[01])(?:,(?P<about>[^,]+(?:,[^,]+)?))?\]"
)
_NIFTYREG = "niftyreg"


@dataclass(frozen=True)
class Link:
    """One transform of a chain.

    Attributes:
        path: Its file.
        inverse: Whether its inverse is meant.
        about: What a file of 4x4 numbers doesn't say: `niftyreg`, or the fixed and the
            moving image of a matrix of FSL.
    """

    path: Path
    inverse: bool = False
    about: tuple[str, ...] = ()


def as_link(text: str | os.PathLike[str]) -> Link:
    """Takes `FILE`, `[FILE,0]` or `[FILE,1]` apart.

    `[FILE,0,niftyreg]` and `[FILE,0,FIXED,MOVING]` say whose a matrix is: NiftyReg's,
    or FSL's between these two images.

    Raises:
        InputError: If it begins like one of these and goes on otherwise.
    """
    given = os.fspath(text)
    if not (given.startswith("[") and given.endswith("]")):
        return Link(Path(given))
    match = _BRACKETS.fullmatch(given)
    about = tuple((match["about"] or "").split(",")) if match else ()
    if match is None or (len(about) == 1 and about[0] not in ("", _NIFTYREG)):
        raise InputError(
            f"{given}: the inverse of a transform must be given as [FILE,1], and the "
            "transform itself as FILE or [FILE,0]; matrices of other programs as "
            "[FILE,0,niftyreg] or, for FSL, [FILE,0,FIXED,MOVING]"
        )
    known = about if any(about) else ()
    return Link(Path(match["path"]), match["inverse"] == "1", known)


def read_chain(
    names: Sequence[str | os.PathLike[str]],
    tell: Callable[[str], None] = lambda line: None,
) -> Transform:
    """Reads transforms and composes them; a point goes through the first one first.

    Args:
        names: Files, as `read_transform` reads them, or `[FILE,1]` for the inverse of
            one; at least one. Among several, each file of an ANTs pair counts by
            itself, as for antsApplyTransforms.
        tell: Is called with what the user should know, a line at a time.

    Returns:
        The composition, exact, in RAS+ mm.

    Raises:
        InputError: If a file can't be read, or the ranks differ.
    """
    links = [as_link(name) for name in names]
    if len(links) == 1:
        return _in_its_sense(_read(links[0], alone=True), links[0])
    parts = [_in_its_sense(_read(link, alone=False), link) for link in links]
    for link, part in zip(links, parts, strict=True):
        if part.ndim != parts[0].ndim:
            raise InputError(
                f"{link.path}: the transforms of a chain must be all 2-d or all 3-d, "
                f"but {links[0].path} is {parts[0].ndim}-d and this one {part.ndim}-d; "
                "give transforms between images of one rank"
            )
    for line in _left_out(links):
        tell(line)
    return Transform(tuple(c for part in parts for c in part.components))


def files_of_chain(names: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Every file that `read_chain` may read."""
    links = [as_link(name) for name in names]
    paths = [link.path for link in links]
    paths += [Path(part) for link in links for part in link.about if part != _NIFTYREG]
    beside = [o for path in paths if is_ants_name(path) for o in files_beside(path)]
    return [*paths, *beside]


def _read(link: Link, *, alone: bool) -> Transform:
    """Reads a file; one of an ANTs pair is both if it's alone, or else itself."""
    path = link.path
    if link.about == (_NIFTYREG,):
        return read_niftyreg(path)
    if link.about:
        fixed, moving = (read_frames(image)[0].grid for image in link.about)
        return read_flirt(path, fixed, moving)
    if alone or not is_ants_name(path):
        return read_transform(path)
    check_plain(path, "give the path of a transform's file")
    return read_alone(path)


def _in_its_sense(transform: Transform, link: Link) -> Transform:
    return transform.inverse() if link.inverse else transform


def _left_out(links: Sequence[Link]) -> list[str]:
    """What to say of files of ANTs' pairs whose partner isn't in the chain."""
    given = {link.path.resolve() for link in links}
    lines = []
    for path in dict.fromkeys(link.path for link in links if is_ants_name(link.path)):
        others = [o for o in files_beside(path) if o.resolve() != path.resolve()]
        absent = [o for o in others if o.exists() and o.resolve() not in given]
        if absent and not any(other.resolve() in given for other in others):
            lines.append(
                f"{path}: counts by itself, as for antsApplyTransforms; "
                f"{absent[0].name} beside it isn't applied, unless it's named, too"
            )
    return lines
