"""Where every pair's files go in a BIDS derivative, and what they are called there."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlir_tf.cohort.bids.links import Links
from dlir_tf.cohort.bids.names import BidsName, made_name, parsed_name
from dlir_tf.cohort.bids.sidecars import sidecars_of
from dlir_tf.cohort.names import digits_of
from dlir_tf.cohort.pair_files import PairFiles, points_suffix
from dlir_tf.errors import InputError
from dlir_tf.images.formats import NIFTI_SUFFIXES
from dlir_tf.pairs.manifest import Pair
from dlir_tf.transforms.files.ants import AFFINE, WARP
from dlir_tf.transforms.files.dispatch import FOREIGN_SUFFIXES, TRANSFORM_SUFFIXES

_OF_ONE_FILE = (
    *(end for end in TRANSFORM_SUFFIXES if end not in (AFFINE, WARP)),
    *(*FOREIGN_SUFFIXES, ".mat"),  # of FLIRT, if that is asked for
)
# Of what is written, how names may end; of landmarks, as their file does.
_ENDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("moved", "moved_labels", "moved_mask"), NIFTI_SUFFIXES),
    **dict.fromkeys(("transform", "inverse"), _OF_ONE_FILE),
    **dict.fromkeys(("displacement", "jacobian"), NIFTI_SUFFIXES),
    **dict.fromkeys(("figure", "thumbnail"), (".png",)),
    "report": (".json",),
    "page": (".html", ".htm"),
}
_DATATYPES = ("anat", "dwi", "fmap", "func", "perf", "pet", "micr")
_DATATYPE_OF = {
    **dict.fromkeys(("bold", "boldref", "sbref", "cbv"), "func"),
    **dict.fromkeys(("asl", "m0scan"), "perf"),
    **{"dwi": "dwi", "pet": "pet", "epi": "fmap"},
}
# What a file of labels or a mask says of itself.
_OF_LABELS, _OF_MASKS = ("atlas", "seg", "scale", "desc"), ("label", "desc")


def bids_files(
    pairs: Sequence[Pair], output: Path, files: Mapping[str, str]
) -> list[PairFiles]:
    """Where every pair's files go; no two have the same name.

    Args:
        pairs: Of one manifest.
        output: The folder of the cohort, which becomes a derivative dataset.
        files: For everything that is written of a pair, a file's name, of which the
            ending counts.

    Returns:
        For each pair the names of its files, which begin with the entities of its
        moving image, and what their sidecars say.

    Raises:
        InputError: If an image has no name in BIDS, or a file can't have one.
    """
    ends = _checked_ends(files)
    links = Links(output, pairs)
    named = [_Named(pair) for pair in pairs]
    names = _distinct_names(named, ends)
    return [
        one.files(output, links, own) for one, own in zip(named, names, strict=True)
    ]


def _checked_ends(files: Mapping[str, str]) -> dict[str, str]:
    """How the files end; refuses those that can't have a name in BIDS."""
    found = {}
    for role, name in files.items():
        ends = _ENDS.get(role, ("",))
        end = next((end for end in ends if name.endswith(end)), None)
        if end is None or name.endswith(AFFINE):  # of a pair, unlike FLIRT's
            raise InputError(
                f"--{role.replace('_', '-')} {name}: with --bids, such a file must end "
                f"in {' or '.join(ends)}; what stands before that is chosen"
            )
        found[role] = end
    return found


class _Named:
    """A pair whose images have names of BIDS.

    What is written is called after the moving image, which is laid onto the fixed one;
    only where a template is, it's the subject's.
    """

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        fixed, moving = _name_of(pair, pair.fixed), _name_of(pair, pair.moving)
        of_template = moving.is_template and not fixed.is_template
        source, path = (fixed, pair.fixed) if of_template else (moving, pair.moving)
        self._entities = source.source
        self.folder = Path(*_folders(source, path))
        self._suffix = moving.suffix
        self._to, self._from = fixed.space_beside(moving), moving.space
        self._desc = "registered"
        if of_template:
            self._to, self._desc = fixed.space, moving.space
        elif self._from == self._to:
            self._from = moving.space_beside(fixed)

    @property
    def is_ambiguous(self) -> bool:
        """Whether both images have the same name, in two folders."""
        return self._from == self._to

    def names(self, ends: Mapping[str, str], tag: str) -> dict[str, BidsName]:
        """The names of all that is written, by what it is.

        Args:
            ends: How they end, for what is wanted.
            tag: Goes behind the name of the fixed image's space.
        """
        pair, to = self.pair, self._to + tag
        laid = self._entities | {"space": to, "desc": self._desc}
        way = self._entities | {"from": self._from, "to": to}
        back = self._entities | {"from": to, "to": self._from}
        image = {"mode": "image"}
        parts = {
            "moved": (laid, self._suffix),
            "transform": (way | image, "xfm"),
            "inverse": (back | image, "xfm"),
            "displacement": (way | image | {"desc": "displacement"}, "xfm"),
            **{role: (way, role) for role in ("jacobian", "report")},
            **{role: (way, role) for role in ("figure", "thumbnail", "page")},
        }
        if pair.moving_labels is not None:
            own = _own(pair.moving_labels, _OF_LABELS)
            parts["moved_labels"] = laid | own, "dseg"
        if pair.moving_mask is not None:
            parts["moved_mask"] = laid | _own(pair.moving_mask, _OF_MASKS), "mask"
        names = {
            role: made_name(*parts[role], end)
            for role, end in ends.items()
            if role in parts
        }
        if pair.fixed_points is not None and "mapped_points" in ends:
            entities = back | {"desc": "mapped"}
            end = points_suffix(pair.fixed_points)
            names["mapped_points"] = made_name(entities, "points", end)
        return names | {"record": made_name(way, "pair", ".json")}

    def files(
        self, output: Path, links: Links, named: Mapping[str, BidsName]
    ) -> PairFiles:
        """Where files of these names go, with what their sidecars say."""
        folder = output / self.folder
        sidecars = sidecars_of(self.pair, self.folder, named, links)
        names = {role: str(name) for role, name in named.items()}
        record = names.pop("record")
        return PairFiles(folder, names, record, sidecars, shared=True)


def _distinct_names(
    named: Sequence[_Named], ends: Mapping[str, str]
) -> list[dict[str, BidsName]]:
    """The names of all files; no two are the same.

    What tells those apart that would be called alike are digits that only this pair
    has, the same in every run; and, of pairs that are the same in all, a number.
    """
    names = [
        each.names(ends, f"+{digits_of('', each.pair)}" if each.is_ambiguous else "")
        for each in named
    ]
    for number in (False, True):
        claims = [
            {f"{each.folder}/{name}".casefold() for name in own.values()}
            for each, own in zip(named, names, strict=True)
        ]
        counts = Counter(claim for one in claims for claim in one)
        for index, each in enumerate(named):
            if any(counts[claim] > 1 for claim in claims[index]):
                digits = f"+{digits_of('', each.pair)}"
                names[index] = each.names(
                    ends, f"{digits}+{index}" if number else digits
                )
    return names


def _name_of(pair: Pair, path: Path) -> BidsName:
    name = parsed_name(path.name)
    if name is None:
        raise InputError(
            f"{pair.place}: {path}: has no name of BIDS, such as sub-01_T1w.nii.gz or "
            "sub-01_ses-1_run-2_T2w.nii.gz (KEY-LABEL for each entity, subject or "
            "template first, then a suffix); rename it, or leave --bids out"
        )
    return name


def _own(path: Path, keys: tuple[str, ...]) -> dict[str, str]:
    """What the file says of itself by its name, if that is one of BIDS."""
    name = parsed_name(path.name)
    return {} if name is None else {k: v for k, v in name.entities.items() if k in keys}


def _folders(name: BidsName, path: Path) -> list[str]:
    """The folders that a file of a subject, or a template, lies in."""
    keys = ("tpl", "cohort") if name.is_template else ("sub", "ses")
    above = [f"{key}-{name.entities[key]}" for key in keys if key in name.entities]
    there = path.absolute().parent.name
    usual = _DATATYPE_OF.get(name.suffix, "anat")
    return [*above, there if there in _DATATYPES else usual]
