"""What the shipped weights of `cardiac-cine` are trained on: made from few hearts.

python benchmarks/cardiac_weights.py --data sunnybrook --output hearts
dlir-tf train --config hearts/config.yaml --pairs hearts/pairs.csv --output trained

DATA holds series of short-axis cine MRI, `*_cine.nii.gz`, one a patient; here three of
the Sunnybrook Cardiac Data (CC0 1.0). Few patients have to stand for many. So each
series is written eight times, in all orientations that an image's rows and columns can
have, each time with another field of view and another coil's shading; every ordered
pair of a patient's phases is one of training, in one of the eight, and those with more
motion in three. Synthetic hearts, in either order, bring other sizes, places and
contractions. What is made depends on the series alone.
"""

import argparse
import csv
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import numpy as np

from dlir_tf.config import Config, dump_config, load_config
from dlir_tf.errors import InputError
from dlir_tf.files import make_folder
from dlir_tf.images import Image, read_frames, write_image
from dlir_tf.phantoms import beating_heart

Row = tuple[str, str]

NUM_HEARTS = 160
NUM_VARIANTS = 8  # the orientations of a plane
FIELDS_OF_VIEW = (210.0, 290.0)  # mm; patches of the training are 192
SHADING = 0.35  # of the logarithm of intensities, at the image's border
# What an hour of one core that does other work allows.
TRAINING = {
    "steps": 50,
    "joint_steps": 4000,
    "cache": "disk",  # 2600 pairs would take 4 GB of memory
    "validate_every": 200,
    "augmentation": {
        "rotation_degrees": 15.0,
        "scale": 0.2,
        "translation": 0.05,
        "deformation": 0.4,
        "gamma": 0.3,
        "noise": 0.03,
    },
}


def main() -> None:
    """Writes images, the manifest and the config."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the series")
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--hearts", type=int, default=NUM_HEARTS, help="synthetic ones")
    options = parser.parse_args()
    series = sorted(options.data.glob("*_cine.nii.gz"))
    if not series:
        raise InputError(f"{options.data}: holds no series, *_cine.nii.gz")
    make_folder(options.output)
    rows = [row for path in series for row in write_series(path, options.output)]
    print(f"{len(rows)} pairs of {len(series)} patients")
    rows += write_hearts(options.hearts, options.output)
    with (options.output / "pairs.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("fixed", "moving"), *rows])
    (options.output / "config.yaml").write_text(dump_config(training_config()))
    print(f"{len(rows)} pairs with {options.hearts} synthetic hearts")


def training_config() -> Config:
    """The preset, trained as is good for few patients."""
    preset = load_config("cardiac-cine").model_dump()
    for stage in preset["stages"]:
        stage["steps"] = None  # each trains as long as the others
    training = {**preset["training"], **TRAINING}
    return Config.model_validate({**preset, "training": training})


def write_series(path: Path, folder: Path) -> list[Row]:
    """Writes a patient's phases in all variants, and pairs them."""
    name = path.name.removesuffix("_cine.nii.gz")
    rng = np.random.default_rng([ord(letter) for letter in name])
    frames = read_frames(path)
    voxels = np.stack([frame.array for frame in frames]).astype(np.float32)
    heart = moving_place(voxels)
    for variant in range(NUM_VARIANTS):
        width = rng.uniform(*FIELDS_OF_VIEW)
        cut, off = cut_out(voxels, heart, width / np.asarray(frames[0].spacing), rng)
        cut = turned(cut * shading(cut.shape[1:], rng), variant)
        affine = np.diag([*frames[0].spacing, 1.0])
        affine[:3, 3] = off
        for phase, array in enumerate(cut):
            image = Image(np.rint(array).astype(np.int16), affine)
            write_image(folder / frame_name(name, variant, phase), image)
    return list(pairs_of_phases(name, voxels, rng))


def pairs_of_phases(
    name: str, voxels: np.ndarray, rng: np.random.Generator
) -> Iterator[Row]:
    """All ordered pairs of phases, those that differ more than most of them thrice."""
    pairs = list(permutations(range(len(voxels)), 2))
    apart = [np.abs(voxels[one] - voxels[other]).mean() for one, other in pairs]
    for (fixed, moving), difference in zip(pairs, apart, strict=True):
        times = 3 if difference > np.median(apart) else 1
        for variant in rng.permutation(NUM_VARIANTS)[:times]:
            yield frame_name(name, variant, fixed), frame_name(name, variant, moving)


def frame_name(name: str, variant: int, phase: int) -> str:
    """The file of one phase of a patient in one orientation."""
    return f"{name}_{variant}_{phase:02d}.nii.gz"


def moving_place(voxels: np.ndarray) -> np.ndarray:
    """The middle of what changes over time, in voxels of the plane: the heart."""
    change = voxels.std(axis=0).mean(axis=-1)
    change = np.where(change > np.percentile(change, 95), change, 0.0)
    places = np.indices(change.shape)
    return np.asarray((places * change).sum(axis=(1, 2)) / change.sum())


def cut_out(
    voxels: np.ndarray, heart: np.ndarray, width: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts a field of view around the heart, which lies anywhere in its middle third.

    Returns:
        The part, `(phases, *shape)`, and a random place for its corner, mm.
    """
    box = [slice(None)]
    for size, middle, wide in zip(voxels.shape[1:3], heart, width, strict=False):
        start = round(middle + wide * rng.uniform(-1 / 6, 1 / 6) - wide / 2)
        box.append(slice(max(0, start), min(size, start + round(wide))))
    return voxels[tuple(box)], rng.uniform(-100.0, 100.0, 3)


def shading(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A coil's sensitivity: smooth, and 1 in the middle of the image."""
    axes = [np.linspace(-1.0, 1.0, size) for size in shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    slope = rng.uniform(-SHADING, SHADING, 3) * (1.0, 1.0, 0.3)
    bend = rng.uniform(-SHADING, 0.0, 3) * (1.0, 1.0, 0.0)
    return np.exp(places @ slope + places**2 @ bend).astype(np.float32)


def turned(voxels: np.ndarray, variant: int) -> np.ndarray:
    """Images `(phases, i, j, k)` in one of a plane's eight orientations."""
    result = np.rot90(voxels, variant % 4, axes=(1, 2))
    return result[:, ::-1] if variant >= 4 else result


def write_hearts(count: int, folder: Path) -> Iterator[Row]:
    """Writes synthetic hearts, end-diastole and end-systole, each as two pairs."""
    for seed in range(count):
        rng = np.random.default_rng([seed, count])
        spacing = (*[rng.uniform(1.3, 1.9)] * 2, rng.uniform(5.0, 10.0))
        sizes = [round(rng.uniform(200.0, 230.0) / step) for step in spacing[:2]]
        shape = (*sizes, round(rng.uniform(64.0, 90.0) / spacing[2]))
        heart = beating_heart(10_000 + seed, shape=shape, spacing=spacing)
        names = (f"heart{seed:03d}_diastole.nii.gz", f"heart{seed:03d}_systole.nii.gz")
        for name, image in zip(names, (heart.fixed, heart.moving), strict=True):
            write_image(folder / name, image)
        yield names
        yield names[::-1]


if __name__ == "__main__":
    main()
