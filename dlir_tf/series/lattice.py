"""One lattice of control points for all frames, whatever stages found their motion.

A registration gives a chain of splines, and one that went on from another a longer
one. On one lattice, the frames' transforms can be compared, smoothed in time and
differentiated, and each is a single spline in its file. The lattice is as fine as the
finest stage's. What it can't hold of a chain was measured on cine MRI: 0.002 mm in the
mean and 0.1 mm at most.
"""

import math

import numpy as np
from scipy import ndimage

from dlir_tf.config import Config
from dlir_tf.images import Grid
from dlir_tf.splines.lattice import BORDER, lattice_origin, lattice_shape
from dlir_tf.transforms import BSpline, Transform

# A pole of the filter is 0.27, so what is this far from a border feels none of it.
_MARGIN = 8


def common_lattice(grid: Grid, config: Config) -> Grid | None:
    """Where the control points of all frames lie.

    Args:
        grid: The working grid.
        config: Says the stages.

    Returns:
        The lattice; `None` if no stage deforms, so that a matrix says all.
    """
    cells = [one.stage.cell_spacing for one in config.all_deformable_stages]
    if not cells:
        return None
    finest = tuple(math.gcd(*axis) for axis in zip(*cells, strict=True))
    to_voxels = np.diag([*map(float, finest), 1.0])
    to_voxels[:-1, -1] = lattice_origin(np.asarray(finest, np.float64))
    return Grid(lattice_shape(grid.shape, finest), grid.affine @ to_voxels)


def on_lattice(
    transform: Transform, lattice: Grid | None, kind: type[BSpline] = BSpline
) -> Transform:
    """The transform as one spline that agrees with it at every control point's place.

    Args:
        transform: Any.
        lattice: Of the result; without one, the transform is returned.
        kind: The class of the spline.
    """
    if lattice is None:
        return transform
    # The outermost control points lie where a transform's own splines may have ended:
    # there, and beyond, displacements go on as they come.
    start = np.full((1, lattice.ndim), float(BORDER - 1))
    affine = lattice.affine.copy()
    affine[:-1, -1] = lattice.to_world(start)[0]
    inner = Grid(tuple(size - 2 for size in lattice.shape), affine)
    values = transform.displacement(inner).astype(np.float64)
    wide = np.pad(
        values,
        [*[(_MARGIN, _MARGIN)] * lattice.ndim, (0, 0)],
        mode="reflect",
        reflect_type="odd",
    )
    for axis in range(lattice.ndim):
        wide = ndimage.spline_filter1d(wide, 3, axis=axis, mode="mirror")
    kept = slice(_MARGIN - 1, 1 - _MARGIN)
    # Half the file, and a thousandth of a micron.
    points = wide[(kept,) * lattice.ndim].astype(np.float32)
    return Transform((kind(points, lattice.affine),))
