"""Known motions of real images, found again: beside SimpleITK's Euler registration.

python benchmarks/rigid.py head.nii.gz chest.nii.gz --seeds 3 --json rigid.json

An image is turned by up to 60 degrees and shifted by up to half its extent, seen on
other voxels in another field of view, with noise and a bias field, and for the
multimodal preset in an inverted contrast. The error is the largest, in mm, at the
corners of the image. SimpleITK goes by mutual information on three resolutions, as its
examples do: once from the centres of intensity, and once from 5 degrees and 5 mm off
what is right, which it's given.

python benchmarks/rigid.py --organ

A made organ of few, large voxels, turned by 55 degrees, half an image off: smooth bumps
and noise, without a bias field. By the presets, and by other similarities in them.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from organ import motion_of_organ, pair_of_organ
from pages import markdown
from scipy.spatial.transform import Rotation
from timing import write_json

from dlir_tf import Config, load_config, read_image, register
from dlir_tf.images import Grid, Image
from dlir_tf.images.itk_files import to_itk
from dlir_tf.transforms import Affine, Transform
from dlir_tf.transforms.files.itk_conversion import from_itk

NOISE, BIAS = 0.05, 0.2
OF_ORGAN = (
    ("rigid", {}),
    ("rigid", {"kind": "ncc"}),
    ("rigid-multimodal", {}),
    ("rigid-multimodal", {"bins": 64}),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs="*", help="images to move")
    parser.add_argument("--organ", action="store_true", help="move a made organ")
    parser.add_argument("--seeds", type=int, default=3, help="motions of each image")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    if not options.images and not options.organ:
        parser.error("give images, or --organ")
    rows = [
        measure(path, preset, seed)
        for path in options.images
        for preset in ("rigid", "rigid-multimodal")
        for seed in range(options.seeds)
    ]
    if options.organ:
        rows += [of_organ(*each) for each in OF_ORGAN]
    print(markdown(rows[0], [map(str, row.values()) for row in rows]))
    write_json(options.json, {"rows": rows})


def measure(path: Path, preset: str, seed: int) -> dict:
    rng = np.random.default_rng(seed)
    image = read_image(path)
    fixed = image.with_array(image.array.astype(np.float32))
    matrix, degrees = motion(rng, fixed.grid)
    moving = moved(fixed, matrix, rng, inverted=preset != "rigid")
    config = load_config(preset + ("-2d" if fixed.ndim == 2 else ""))
    return row_of(path.name, preset, (fixed, moving), config, matrix, degrees)


def of_organ(preset: str, similarity: dict) -> dict:
    matrix = motion_of_organ(3, 55.0)
    pair = pair_of_organ(matrix, inverted=preset != "rigid")
    config = load_config(preset)
    chosen = config.similarity.model_copy(update=similarity)
    config = config.model_copy(update={"similarity": chosen})
    called = " ".join([preset, *map(str, similarity.values())])
    return row_of("organ", called, tuple(pair), config, matrix, 55.0)


def row_of(
    image: str,
    preset: str,
    pair: tuple[Image, Image],
    config: Config,
    matrix: np.ndarray,
    degrees: float,
) -> dict:
    fixed, moving = pair
    start = time.perf_counter()
    ours = register(fixed, moving, config=config).transform
    between = time.perf_counter()
    theirs = by_simpleitk(fixed, moving)
    end = time.perf_counter()
    near = by_simpleitk(fixed, moving, near_to(matrix, fixed.grid))
    row = {
        "image": image,
        "preset": preset,
        "degrees": round(degrees),
        "error, mm": round(error(ours, matrix, fixed.grid), 2),
        "SimpleITK, mm": round(error(theirs, matrix, fixed.grid), 2),
        "SimpleITK from near, mm": round(error(near, matrix, fixed.grid), 2),
        "seconds": round(between - start, 1),
        "SimpleITK, s": round(end - between, 1),
    }
    print(row, flush=True)
    return row


def motion(rng: np.random.Generator, grid: Grid) -> tuple[np.ndarray, float]:
    """From fixed to moving, about the middle of the image."""
    ndim, degrees = grid.ndim, float(rng.uniform(0, 60))
    axis = rng.normal(size=3) if ndim == 3 else np.array([0.0, 0.0, 1.0])
    vector = degrees * axis / np.linalg.norm(axis)
    matrix = np.eye(ndim + 1)
    turn = Rotation.from_rotvec(vector, degrees=True).as_matrix()[:ndim, :ndim]
    shift = rng.uniform(-0.5, 0.5, ndim) * grid.extent
    matrix[:-1, :-1] = turn
    matrix[:-1, -1] = grid.centre + shift - turn @ grid.centre
    return matrix, degrees


def moved(
    fixed: Image, matrix: np.ndarray, rng: np.random.Generator, *, inverted: bool
) -> Image:
    """What another scanner would see of it there."""
    grid, ndim = fixed.grid, fixed.ndim
    shape = tuple(int(n) for n in np.ceil(np.multiply(grid.shape, 1.05)))
    affine = np.eye(ndim + 1)
    affine[:-1, :-1] = 1.1 * grid.affine[:-1, :-1]
    middle = matrix[:-1, :-1] @ grid.centre + matrix[:-1, -1]
    middle = middle + rng.uniform(-0.1, 0.1, ndim) * grid.extent
    affine[:-1, -1] = middle - affine[:-1, :-1] @ ((np.array(shape) - 1) / 2)
    back = Transform((Affine(np.linalg.inv(matrix)),))
    dark = float(fixed.array.min())
    array = back.resample(fixed, Grid(shape, affine), fill_value=dark).array
    low, high = np.percentile(fixed.array, [0.5, 99.5])
    array = np.clip((array - low) / (high - low), 0, 1.2)
    if inverted:
        array = np.where(array > 0.05, 1.25 - array, 0)
    places = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    slopes = rng.normal(0, BIAS, ndim)
    array = array * (1 + sum(s * p for s, p in zip(slopes, places, strict=True)))
    array = array + rng.normal(0, NOISE, shape)
    return Image(array.astype(np.float32), affine)


def near_to(matrix: np.ndarray, grid: Grid) -> sitk.Transform:
    """A motion that is 5 degrees and 5 mm off, about the middle of the image."""
    ndim = grid.ndim
    off = Rotation.from_rotvec([0, 0, 5], degrees=True).as_matrix()[:ndim, :ndim]
    flip = np.array([-1, -1, 1])[:ndim]
    goes_to = matrix[:-1, :-1] @ grid.centre + matrix[:-1, -1] + 5 / np.sqrt(ndim)
    euler = sitk.Euler2DTransform() if ndim == 2 else sitk.Euler3DTransform()
    turn = np.diag(flip) @ off @ matrix[:-1, :-1] @ np.diag(flip)
    euler.SetCenter((flip * grid.centre).tolist())
    euler.SetMatrix(turn.ravel().tolist(), 1e-6)
    euler.SetTranslation((flip * (goes_to - grid.centre)).tolist())
    return euler


def by_simpleitk(
    fixed: Image, moving: Image, start: sitk.Transform | None = None
) -> Transform:
    pair = [
        sitk.Cast(to_itk(image.array, image.affine, 0.0), sitk.sitkFloat32)
        for image in (fixed, moving)
    ]
    euler = sitk.Euler2DTransform() if fixed.ndim == 2 else sitk.Euler3DTransform()
    if start is None:
        start = sitk.CenteredTransformInitializer(
            *pair, euler, sitk.CenteredTransformInitializerFilter.MOMENTS
        )
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.25, 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, 300)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SetInitialTransform(start, inPlace=False)
    found = method.Execute(*pair)
    return Transform(tuple(from_itk(Path("simpleitk"), found)))


def error(transform: Transform, matrix: np.ndarray, grid: Grid) -> float:
    corners = grid.corners
    expected = corners @ matrix[:-1, :-1].T + matrix[:-1, -1]
    apart = transform.map_points(corners) - expected
    return float(np.linalg.norm(apart, axis=1).max())


if __name__ == "__main__":
    main()
