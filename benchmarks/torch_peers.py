"""PyTorch and VoxelMorph (its PyPI release, on PyTorch): layers and a training step.

To be imported before TensorFlow: Triton, which VoxelMorph loads, crashes after it.
"""

import os
from collections.abc import Callable

import numpy as np
import torch
from neurite.nn.modules import SpatialGradient
from voxelmorph.nn.functional import compose
from voxelmorph.nn.models import VxmPairwise
from voxelmorph.nn.modules import SpatialTransformer

Timed = Callable[[], object]
# What VoxelMorph's papers and its training script weigh smoothness by, beside MSE.
_SMOOTHNESS = 0.01


def use_all_cores() -> None:
    """PyTorch's threads: as many as there are cores for this process."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))


def grid_sample(image: np.ndarray, ddf: np.ndarray) -> Timed:
    """A warp; the making of its normalised coordinates isn't timed."""
    size = image.shape
    axes = [torch.arange(n, dtype=torch.float32) for n in size]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1) + torch.tensor(ddf)
    scaled = [2 * points[..., a] / (size[a] - 1) - 1 for a in (2, 1, 0)]
    grid, volume = torch.stack(scaled, -1)[None], torch.tensor(image)[None, None]

    def run() -> np.ndarray:
        moved = torch.nn.functional.grid_sample(
            volume, grid, align_corners=True, padding_mode="border"
        )
        return moved.numpy()[0, 0]

    return run


def voxelmorph_warp(image: np.ndarray, ddf: np.ndarray) -> Timed:
    """VoxelMorph's layer, which keeps its grid from call to call."""
    layer, volume = SpatialTransformer(), torch.tensor(image)[None, None]
    field = channels_first(ddf)

    def run() -> np.ndarray:
        return layer(volume, field).numpy()[0, 0]

    return run


def voxelmorph_composition(outer: np.ndarray, inner: np.ndarray) -> Timed:
    """VoxelMorph's composition of two fields."""
    fields = [channels_first(outer), channels_first(inner)]

    def run() -> np.ndarray:
        return np.moveaxis(compose(fields).numpy()[0], 0, -1)

    return run


def voxelmorph_step(fixed: np.ndarray, moving: np.ndarray) -> Timed:
    """A step of VoxelMorph's default network: MSE, smoothness, Adam."""
    network = VxmPairwise(ndim=3, source_channels=1, target_channels=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    smoothness = SpatialGradient(penalty="l2")
    target, source = (torch.tensor(array)[None, None] for array in (fixed, moving))

    def run() -> float:
        optimizer.zero_grad()
        field, moved = network(source, target, return_warped_source=True)
        roughness = smoothness(field).mean()
        loss = torch.mean((target - moved) ** 2) + _SMOOTHNESS * roughness
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return run


def channels_first(ddf: np.ndarray) -> torch.Tensor:
    """As PyTorch has it, batch of one."""
    return torch.tensor(np.ascontiguousarray(np.moveaxis(ddf, -1, 0)))[None]
