"""Where the files of one pair of a cohort go, and what they are called."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dlir_tf.apply.registration_files import Outputs
from dlir_tf.pairs.manifest import Pair

RECORD = "pair.json"
# What `Outputs` knows nothing of: it's a manifest's.
OF_COHORTS = ("moved_mask", "mapped_points")
_WRITTEN = tuple(each.name for each in fields(Outputs) if each.name != "form")
ROLES = (*_WRITTEN, *OF_COHORTS)


@dataclass(frozen=True)
class PairFiles:
    """The files of one pair, or those that any may have.

    Attributes:
        folder: Where they go.
        names: Theirs, by what they are; without what isn't wanted.
        record: The name of the pair's record.
        sidecars: What stands in JSON files beside them, by the names of these.
        shared: Whether other pairs have files in the folder as well.
    """

    folder: Path
    names: Mapping[str, str]
    record: str = RECORD
    sidecars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shared: bool = False

    def outputs(self, pair: Pair | None = None, form: str | None = None) -> Outputs:
        """Those that one registration writes.

        Args:
            pair: The pair's own files; without it, all that may be written.
            form: Of its transforms, as for `Outputs`.
        """
        named = {
            role: self._path(role)
            for role in _WRITTEN
            if pair is None or pair.moving_labels or role != "moved_labels"
        }
        empty = dict.fromkeys(_WRITTEN)
        return Outputs(**(empty | named), form=form)  # type: ignore[arg-type]

    @property
    def moved_mask(self) -> Path | None:
        """Where the moved mask goes, if it's wanted."""
        return self._path("moved_mask")

    def mapped_points(self, points: Path) -> Path | None:
        """Where the mapped landmarks go, if they are wanted: a file like theirs.

        Args:
            points: The file of the fixed image's landmarks.
        """
        path, end = self._path("mapped_points"), points_suffix(points)
        if path is None or path.name.endswith(end):
            return path
        return path.with_name(path.name + end)

    def there(self) -> Collection[Path]:
        """What is in the folder; if others share it, what has a name of this pair's."""
        if not self.shared:
            return sorted(self.folder.iterdir()) if self.folder.is_dir() else ()
        named = {*self.names.values(), *self.sidecars}
        return [path for name in sorted(named) if (path := self.folder / name).exists()]

    def absolute(self) -> "PairFiles":
        """The same for a process in another folder, or on another machine."""
        return replace(self, folder=self.folder.absolute())

    def _path(self, role: str) -> Path | None:
        return self.folder / self.names[role] if role in self.names else None


def points_suffix(points: Path) -> str:
    """How a file of landmarks ends."""
    return ".mrk.json" if points.name.endswith(".mrk.json") else points.suffix
