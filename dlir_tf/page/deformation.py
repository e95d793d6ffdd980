"""The transform as the viewer draws it: coarse displacements, and the Jacobian."""

import base64
from typing import Any

import numpy as np

from dlir_tf.images import Grid
from dlir_tf.metrics import jacobian_determinant
from dlir_tf.page.shrinking import Shrinking
from dlir_tf.page.volumes import Layout, layout_of, pack
from dlir_tf.transforms import Transform

# Lines of the drawn grid, or arrows, along the longer side; more would be a thicket.
NUM_LINES = 32
# Of a field, that are looked at together; a large one is never copied as a whole.
_ROWS = 16
# A step of the stored Jacobian: 127 of them are 1, no change of volume.
JACOBIAN_STEP = 1 / 127


def nodes_of(shown: Grid, num_lines: int = NUM_LINES) -> Shrinking:
    """From the grid that is shown to the nodes whose displacements are drawn.

    Args:
        shown: The grid that is shown.
        num_lines: Along its longer side.
    """
    apart = float(shown.extent.max()) / num_lines
    steps = np.clip(np.rint(apart / np.array(shown.spacing)), 1, shown.shape)
    return Shrinking(shown, tuple(int(step) for step in steps))


def coarse_field(
    transform: Transform, before: Transform, spread: Shrinking
) -> dict[str, Any]:
    """Displacements at nodes, beyond how the images lay before.

    Args:
        transform: From fixed to moving points.
        before: Likewise, as it was before.
        spread: From `nodes_of`.

    Returns:
        What the viewer draws grid and arrows from: `shape` and `steps` of the nodes in
        its axes, where the first one lies, and `data`, 16-bit numbers in base64 that
        times `scale` are displacements in shown voxels; components come last. And the
        `largest` displacement, mm.
    """
    shown, nodes = spread.grid, spread.coarse
    points = nodes.to_world(np.moveaxis(np.indices(nodes.shape), 0, -1)).reshape(
        -1, nodes.ndim
    )
    # Where before would have to start from to end where the transform does.
    goals = before.inverse().map_points(transform.map_points(points))
    moves = (goals - points) @ shown.inverse[:-1, :-1].T
    layout = layout_of(nodes)
    parts = [
        layout.lay(moves[:, axis].reshape(nodes.shape)) if axis < nodes.ndim else None
        for axis in range(3)
    ]
    laid = [
        np.zeros(layout.shape)
        if (part := parts[layout.order[axis]]) is None
        else part * (-1 if layout.flips[axis] else 1)
        for axis in range(3)
    ]
    field = np.stack(laid, axis=-1)
    scale = max(float(np.abs(field).max()) / 32_767, 1e-6)
    stored = np.rint(field / scale).astype("<i2")
    # Components last and the first axis fastest, as in the volumes.
    data = b"".join(stored[..., axis].tobytes(order="F") for axis in range(3))
    factors = (*spread.factors, 1)[:3]
    return {
        "shape": layout.shape,
        "steps": [factors[axis] for axis in layout.order],
        "first": _first_nodes(layout, layout_of(shown)),
        "scale": scale,
        "largest": float(np.linalg.norm(goals - points, axis=-1).max()),
        "data": base64.b64encode(data).decode(),
    }


def _first_nodes(nodes: Layout, shown: Layout) -> list[float]:
    """Where the first node lies, in shown voxels."""
    place = shown.inverse @ nodes.affine[:, 3]
    return [float(value) for value in place[:3]]


def jacobian_text(
    shrinking: Shrinking, transform: Transform, displacement: np.ndarray | None
) -> str:
    """The Jacobian determinant as a volume in text; see `jacobian_steps`."""
    stored = jacobian_steps(shrinking, transform, displacement)
    return pack_jacobian(stored, layout_of(shrinking.coarse).affine)


def jacobian_steps(
    shrinking: Shrinking, transform: Transform, displacement: np.ndarray | None
) -> np.ndarray:
    """The Jacobian determinant in steps of `JACOBIAN_STEP`; folds are 0.

    Args:
        shrinking: From the fixed grid to the one that is shown.
        transform: From fixed to moving points.
        displacement: On the fixed grid, mm, if it's at hand: then a shown voxel is a
            fold if one of those that it stands for is.

    Returns:
        `(x, y, z)` as laid out, uint8.
    """
    if displacement is None:
        shown = shrinking.coarse
        values = _determinant(transform.displacement(shown), shown)
        folds = values <= 0
    else:
        fine = _determinant(displacement, shrinking.grid)
        values, folds = shrinking.mean(fine), shrinking.any(fine <= 0)
    steps = np.clip(np.rint(values / JACOBIAN_STEP), 1, 255)
    stored = np.where(folds, 0, steps).astype(np.uint8)
    return layout_of(shrinking.coarse).lay(stored)


def pack_jacobian(stored: np.ndarray, affine: np.ndarray) -> str:
    """A volume of Jacobian determinants, or a series of them, as text.

    Args:
        stored: From `jacobian_steps`; of a series stacked along a last axis.
        affine: Of the layout.
    """
    window = (0.0, 255 * JACOBIAN_STEP)
    return pack(stored, affine, slope=JACOBIAN_STEP, window=window)


def _determinant(displacement: np.ndarray, grid: Grid) -> np.ndarray:
    """Of a field on its grid, mm, by differences, as it is measured in a report."""
    to_steps = grid.inverse[:-1, :-1].astype(np.float32)
    result = np.empty(grid.shape, np.float32)
    for start in range(0, len(result), _ROWS):
        # A row more on either side, for the differences.
        first, stop = max(start - 1, 0), min(start + _ROWS, len(result))
        block = displacement[first : stop + 1].astype(np.float32) @ to_steps.T
        inner = slice(start - first, stop - first)
        result[start:stop] = jacobian_determinant(block)[inner]
    return result
