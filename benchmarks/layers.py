"""Warp and B-spline expansion beside SimpleITK and PyTorch, in one run.

python benchmarks/layers.py --size 160 192 160 --json layers.json
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from timing import report, time_in_turn, write_json

Candidates = dict[str, Callable[[], object]]


def main() -> None:
    """Times both layers and their peers, and checks that they agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=3, default=(160, 192, 160))
    parser.add_argument("--control-point-spacing", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    size, spacing = tuple(options.size), options.control_point_spacing
    rng = np.random.default_rng(0)
    lattice = [n // spacing + 4 for n in size]
    control_points = rng.normal(0, 1.5, (*lattice, 3)).astype("float32")
    image = rng.random(size, dtype=np.float32)

    expansion, ddf = _expansions(control_points, spacing, size)
    rounds = options.rounds
    results = {
        "size": size,
        "expansion": report(
            f"expansion of control points, spacing {spacing}, to {size}",
            time_in_turn(expansion, max(2, rounds // 2)),
        ),
        "warp": report(
            f"linear warp of {size}", time_in_turn(_warps(image, ddf), rounds)
        ),
        "composition": report(
            f"composition of two fields of {size}",
            time_in_turn(_compositions(ddf), max(2, rounds // 2)),
        ),
    }
    write_json(options.json, results)


def _expansions(
    control_points: np.ndarray, spacing: int, size: tuple[int, ...]
) -> tuple[Candidates, np.ndarray]:
    import SimpleITK as sitk
    import tensorflow as tf

    from dlir_tf.compilation import without_islands
    from dlir_tf.layers import BSplineTransformer

    layer = BSplineTransformer(spacing)
    points = tf.constant(control_points[None])
    # ITK counts axes in the order x, y, z and stores arrays as z, y, x; here
    # component a simply runs along axis a, which ITK calls the last but a.
    spline = sitk.BSplineTransform(3, 3)
    spline.SetTransformDomainMeshSize([n // spacing + 1 for n in reversed(size)])
    spline.SetTransformDomainPhysicalDimensions(
        [float(n + spacing) for n in reversed(size)]
    )
    spline.SetTransformDomainOrigin([-0.5 - spacing / 2] * 3)
    coefficients = [control_points[..., axis].ravel() for axis in (2, 1, 0)]
    spline.SetParameters(np.concatenate(coefficients).astype(float).tolist())
    itk_size = [int(n) for n in reversed(size)]

    def itk() -> sitk.Image:
        return sitk.TransformToDisplacementField(
            spline, sitk.sitkVectorFloat32, itk_size
        )

    with without_islands():
        plain = tf.function(layer)
        plain(points)
    ours = layer(points).numpy()[0]
    difference = np.abs(ours - sitk.GetArrayFromImage(itk())[..., ::-1]).max()
    print(f"largest difference of the expansion to SimpleITK: {difference:.1e} voxels")
    return {
        "dlir-tf": lambda: layer(points).numpy(),
        "dlir-tf, plain graph without XLA": lambda: plain(points).numpy(),
        "SimpleITK TransformToDisplacementField": itk,
    }, ours


def _warps(image: np.ndarray, ddf: np.ndarray) -> Candidates:
    import SimpleITK as sitk
    import tensorflow as tf
    import torch

    from dlir_tf.layers import Warp

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    layer = Warp()
    tensors = tf.constant(image[None, ..., None]), tf.constant(ddf[None])
    plain = _plain_graphs(layer, *tensors)

    size = image.shape
    axes = [torch.arange(n, dtype=torch.float32) for n in size]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1) + torch.tensor(ddf)
    scaled = [2 * points[..., a] / (size[a] - 1) - 1 for a in (2, 1, 0)]
    # grid_sample alone is timed, not the making of its normalised coordinates.
    grid, volume = torch.stack(scaled, -1)[None], torch.tensor(image)[None, None]

    def torch_warp() -> np.ndarray:
        moved = torch.nn.functional.grid_sample(
            volume, grid, align_corners=True, padding_mode="border"
        )
        return moved.numpy()[0, 0]

    itk_image = sitk.GetImageFromArray(image)
    reversed_field = np.ascontiguousarray(ddf[..., ::-1], dtype=np.float64)
    field = sitk.DisplacementFieldTransform(
        sitk.GetImageFromArray(reversed_field, isVector=True)
    )

    def itk_warp() -> sitk.Image:
        return sitk.Resample(itk_image, field, sitk.sitkLinear)

    def itk_warp_from_arrays() -> np.ndarray:
        vectors = ddf[..., ::-1].astype(np.float64)
        made = sitk.DisplacementFieldTransform(
            sitk.GetImageFromArray(vectors, isVector=True)
        )
        volume = sitk.GetImageFromArray(image)
        return sitk.GetArrayFromImage(sitk.Resample(volume, made, sitk.sitkLinear))

    ours = layer(*tensors).numpy()[0, ..., 0]
    inside = (slice(12, -12),) * 3
    itk_moved = sitk.GetArrayFromImage(itk_warp())
    for name, other in (("PyTorch", torch_warp()), ("SimpleITK", itk_moved)):
        difference = np.abs(ours - other)[inside].max()
        print(f"largest difference of the warp to {name}: {difference:.1e}")
    return {
        "dlir-tf": lambda: layer(*tensors).numpy(),
        "dlir-tf, from arrays to an array": lambda: layer(
            image[None, ..., None], ddf[None]
        ).numpy(),
        **plain,
        "PyTorch grid_sample": torch_warp,
        "SimpleITK Resample, its transform at hand": itk_warp,
        "SimpleITK Resample, from arrays to an array": itk_warp_from_arrays,
    }


def _compositions(ddf: np.ndarray) -> Candidates:
    import tensorflow as tf

    from dlir_tf.layers import Compose

    layer, fields = Compose(outer_gradient=False), [tf.constant(ddf[None])] * 2
    plain = _plain_graphs(layer, *fields)
    return {"dlir-tf": lambda: layer(*fields).numpy(), **plain}


def _plain_graphs(layer: Callable[..., object], *tensors: object) -> Candidates:
    """A layer as it is exported: without XLA, all points at once and in blocks."""
    import tensorflow as tf

    from dlir_tf.compilation import without_islands

    free = [(*[None] * (len(t.shape) - 1), t.shape[-1]) for t in tensors]
    graphs = {}
    for name, in_blocks in (("", False), (", in blocks", True)):
        with without_islands(in_blocks=in_blocks):
            graphs[name] = tf.function(
                layer, input_signature=[tf.TensorSpec(shape) for shape in free]
            ).get_concrete_function()
    expected = layer(*tensors).numpy()
    for graph in graphs.values():
        np.testing.assert_allclose(graph(*tensors), expected, atol=1e-4)
    return {
        f"dlir-tf, plain graph without XLA{name}": (
            lambda graph=graph: graph(*tensors).numpy()
        )
        for name, graph in graphs.items()
    }


if __name__ == "__main__":
    main()
