"""Surfaces and streamlines: `.gii`, `.trk` and `.tck`, whose vertices are points.

All but the vertices stays: triangles, labels and data of vertices and of streamlines,
headers; but vectors of vertices, such as normals, would point elsewhere on a surface
that was moved, and are left out. nibabel reads and writes all this; streamlines are in
world RAS+ mm by it. So are the vertices of GIFTI files, but for those of FreeSurfer
that count from the middle of their volume, which is told and refused.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError
from dlir_tf.files import replacing

STREAMLINES = (".trk", ".tck")
SURFACE = ".gii"
SHAPES = (SURFACE, *STREAMLINES)

_COUNTS = {".trk": "nb_streamlines", ".tck": "count"}
_VECTORS = "NIFTI_INTENT_VECTOR"
_MIDDLE = ("VolGeomC_R", "VolGeomC_A", "VolGeomC_S")


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """The vertices of a surface.

    Attributes:
        image: As nibabel has read it.
    """

    image: Any

    @property
    def points(self) -> npt.NDArray[np.float64]:
        """The vertices, `(num_points, 3)`, RAS+ mm."""
        return np.asarray(self._vertices().data, np.float64)

    @property
    def num_unset(self) -> int:
        """None: every vertex has its place."""
        return 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of what isn't kept."""
        if not self.image.get_arrays_from_intent(_VECTORS):
            return ()
        return ("vectors of vertices (normals) are left out: they don't fit any more",)

    def write(self, path: Path, points: npt.NDArray[np.float64]) -> None:
        """Writes the same surface with other vertices, `(num_points, 3)`, RAS+ mm."""
        vertices = self._vertices()
        before, arrays = vertices.data, self.image.darrays
        vectors = self.image.get_arrays_from_intent(_VECTORS)
        try:
            vertices.data = points.astype(before.dtype)
            self.image.darrays = [a for a in arrays if all(a is not v for v in vectors)]
            raw = self.image.to_bytes()
        finally:
            vertices.data, self.image.darrays = before, arrays
        with replacing(path) as unfinished:
            unfinished.write_bytes(raw)

    def _vertices(self) -> Any:
        (vertices,) = self.image.get_arrays_from_intent("NIFTI_INTENT_POINTSET")
        return vertices


@dataclass(frozen=True, eq=False)
class StreamlinePoints:
    """The points of streamlines, one after another.

    Attributes:
        file: As nibabel has read it.
    """

    file: Any

    @property
    def points(self) -> npt.NDArray[np.float64]:
        """All points, `(num_points, 3)`, RAS+ mm."""
        lines = [np.asarray(line, np.float64) for line in self.file.streamlines]
        return np.concatenate(lines) if lines else np.zeros((0, 3))

    @property
    def num_unset(self) -> int:
        """None: every point has its place."""
        return 0

    def write(self, path: Path, points: npt.NDArray[np.float64]) -> None:
        """Writes the same streamlines through other points, RAS+ mm."""
        ends = np.cumsum([len(line) for line in self.file.streamlines])[:-1]
        lines = np.split(points.astype(np.float32), ends) if len(points) else []
        before = self.file.tractogram
        made: Any = nib.streamlines
        tractogram = made.Tractogram(
            lines,
            before.data_per_streamline,
            before.data_per_point,
            affine_to_rasmm=np.eye(4),
        )
        with replacing(path) as unfinished, unfinished.open("wb") as stream:
            type(self.file)(tractogram, header=self.file.header).save(stream)


def is_shape_name(path: Path) -> bool:
    """Whether a file of that name holds a surface or streamlines."""
    return path.name.lower().endswith(SHAPES)


def read_shape(path: Path) -> SurfacePoints | StreamlinePoints:
    """Reads a surface or streamlines, by the name of the file.

    Raises:
        InputError: If the file is damaged, holds no vertices or several sets of them,
            or is a surface in a world of FreeSurfer's own.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == SURFACE:
            return _checked_surface(path, nib.load(path))
        file = nib.streamlines.load(path, lazy_load=False)
    except InputError:
        raise
    except Exception as error:  # damaged files let their readers raise nearly anything
        said = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{path}: can't be read as {'a surface' if suffix == SURFACE else 'lines'} "
            f"({said[:200]}); it's damaged or of another format, so copy or write it "
            "again"
        ) from error
    found = StreamlinePoints(file)
    claimed = int(file.header.get(_COUNTS[suffix], 0) or 0)
    if claimed not in (0, len(file.streamlines)):
        raise InputError(
            f"{path}: its header counts {claimed} streamlines, but there are "
            f"{len(file.streamlines)}; it's damaged or incomplete, so copy it again"
        )
    check_places(path, found.points)
    return found


def _checked_surface(path: Path, image: Any) -> SurfacePoints:
    if not isinstance(image, nib.GiftiImage):
        raise InputError(f"{path}: must be a GIFTI file, but is {type(image).__name__}")
    sets = image.get_arrays_from_intent("NIFTI_INTENT_POINTSET")
    if len(sets) != 1 or np.shape(sets[0].data)[1:] != (3,):
        raise InputError(
            f"{path}: a surface must have one set of vertices (x, y, z), but this file "
            f"has {len(sets)}; give the file of the surface itself (.surf.gii)"
        )
    meta = {**image.meta, **sets[0].meta}
    middle = [meta.get(name, "0") for name in _MIDDLE]
    if any(float(number) for number in middle):
        raise InputError(
            f"{path}: its vertices count from the middle of FreeSurfer's volume, at "
            f"{', '.join(middle)}, and not from the world's origin; convert it "
            "(mris_convert --to-scanner)"
        )
    found = SurfacePoints(image)
    check_places(path, found.points)
    return found


def check_places(path: Path, points: npt.NDArray[np.float64]) -> None:
    """Refuses what has no points, or some that aren't finite.

    Raises:
        InputError: If it is so.
    """
    if not len(points) or not np.isfinite(points).all():
        what = "has no points" if not len(points) else "has points that aren't finite"
        raise InputError(
            f"{path}: {what}, so there is nothing to carry; write it again"
        )
