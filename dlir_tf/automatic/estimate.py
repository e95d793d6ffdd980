"""How long a refinement takes, roughly, before it starts."""

import math

from dlir_tf.automatic.grids import GridChoice
from dlir_tf.compute.threads import num_cores

# Of one core, for a voxel in a step; and what doesn't depend on these: the start, the
# transform, the moved image.
_SECONDS_PER_VOXEL = {
    "ncc": 1.2e-7,
    "windowed_ncc": 1.8e-7,
    "mind_ssc": 2.4e-7,
    "nmi": 1.5e-7,
    "mse": 1.2e-7,
}
_SECONDS = 3.0
# Control points see images of at least so many voxels between them.
_FEWEST_VOXELS = 4


def estimated_seconds(
    grid: GridChoice, stages: list[dict[str, list[int]]], steps: int, kind: str
) -> float:
    """Estimates how long a pair takes, if no stage ends before its time.

    Args:
        grid: The working grid.
        stages: `downsample` and the spacing of every stage.
        steps: Of all stages together.
        kind: Of the similarity.
    """
    voxels = math.prod(grid.size)
    seen = 0.0
    for stage in stages:
        factors = stage["downsample"]
        cells = stage.get("control_point_spacing")
        if cells:
            pairs = zip(factors, cells, strict=True)
            factors = [math.gcd(r, max(1, s // _FEWEST_VOXELS)) for r, s in pairs]
        seen += voxels / math.prod(factors)
    work = seen * steps / len(stages) * _SECONDS_PER_VOXEL[kind]
    return _SECONDS + work / num_cores()
