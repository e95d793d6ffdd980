"""Warp, expansion, composition beside SimpleITK, PyTorch and VoxelMorph, in one run.

python benchmarks/layers.py --size 160 192 160 --json layers.json
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import as_commands_do
from pages import put_into_page
from timing import report, tables, time_in_turn, write_json
from torch_peers import (
    grid_sample,
    use_all_cores,
    voxelmorph_composition,
    voxelmorph_warp,
)

Candidates = dict[str, Callable[[], object]]


def main() -> None:
    """Times both layers and their peers, and checks that they agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, nargs=3, default=(160, 192, 160))
    parser.add_argument("--control-point-spacing", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--page", type=Path, help="put the tables into this page")
    options = parser.parse_args()
    as_commands_do()

    size, spacing = tuple(options.size), options.control_point_spacing
    rng = np.random.default_rng(0)
    lattice = [n // spacing + 4 for n in size]
    control_points = rng.normal(0, 1.5, (*lattice, 3)).astype("float32")
    image = rng.random(size, dtype=np.float32)

    expansion, ddf = _expansions(control_points, spacing, size)
    rounds = options.rounds
    by = "×".join(map(str, size))
    groups = {
        f"expansion, spacing {spacing}, to {by}": time_in_turn(
            expansion, max(2, rounds // 2)
        ),
        f"linear warp of {by}": time_in_turn(_warps(image, ddf), rounds),
        f"composition of two fields of {by}": time_in_turn(
            _compositions(ddf), max(2, rounds // 2)
        ),
    }
    results = {title: report(title, seconds) for title, seconds in groups.items()}
    write_json(options.json, {"groups": results})
    if options.page:
        put_into_page(tables(results), "layers", options.page)


def _expansions(
    control_points: np.ndarray, spacing: int, size: tuple[int, ...]
) -> tuple[Candidates, np.ndarray]:
    import SimpleITK as sitk
    import tensorflow as tf

    from dlir_tf.compute.compilation import without_islands
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

    from dlir_tf.layers import Warp

    use_all_cores()
    layer = Warp()
    tensors = tf.constant(image[None, ..., None]), tf.constant(ddf[None])
    plain = _plain_graphs(layer, *tensors)

    torch_warp = grid_sample(image, ddf)
    voxelmorph = voxelmorph_warp(image, ddf)
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
    others = {
        "PyTorch": torch_warp(),
        "VoxelMorph": voxelmorph(),
        "SimpleITK": itk_moved,
    }
    for name, other in others.items():
        difference = np.abs(ours - other)[inside].max()
        print(f"largest difference of the warp to {name}: {difference:.1e}")
    return {
        "dlir-tf": lambda: layer(*tensors).numpy(),
        "dlir-tf, from arrays to an array": lambda: layer(
            image[None, ..., None], ddf[None]
        ).numpy(),
        **plain,
        "PyTorch grid_sample, its grid at hand": torch_warp,
        "VoxelMorph SpatialTransformer": voxelmorph,
        "SimpleITK Resample, its transform at hand": itk_warp,
        "SimpleITK Resample, from arrays to an array": itk_warp_from_arrays,
    }


def _compositions(ddf: np.ndarray) -> Candidates:
    import tensorflow as tf

    from dlir_tf.layers import Compose

    layer, fields = Compose(outer_gradient=False), [tf.constant(ddf[None])] * 2
    plain = _plain_graphs(layer, *fields)
    voxelmorph = voxelmorph_composition(ddf, ddf)
    inside = (slice(12, -12),) * 3
    difference = np.abs(layer(*fields).numpy()[0] - voxelmorph())[inside].max()
    print(f"largest difference of the composition to VoxelMorph: {difference:.1e}")
    return {
        "dlir-tf": lambda: layer(*fields).numpy(),
        **plain,
        "VoxelMorph compose": voxelmorph,
    }


def _plain_graphs(layer: Callable[..., object], *tensors: object) -> Candidates:
    """A layer as it is exported: without XLA, all points at once and in blocks."""
    import tensorflow as tf

    from dlir_tf.compute.compilation import without_islands

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
