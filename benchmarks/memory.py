"""How much memory a large CT needs beyond the two images, operation by operation.

python benchmarks/memory.py

Every operation runs in a process of its own, which holds the fixed and the moving
image and an affine with three splines; its peak is measured before and after.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from machine import peak_bytes
from timing import write_json

from dlir_tf.images import Image
from dlir_tf.transforms import Affine, Transform
from dlir_tf.transforms.bspline import stage_bspline

SPACING = (0.75, 0.75, 1.0)
STEPS = (32, 16, 8)  # voxels between control points, coarse to fine


def linear(transform, fixed, moving):
    """As CT is moved."""
    return transform.resample(moving, fixed, fill_value=-1024)


def nearest(transform, fixed, moving):
    """As labels are moved."""
    return transform.resample(moving, fixed, interpolation="nearest")


def cubic(transform, fixed, moving):
    """With the spline coefficients of the whole moving image."""
    return transform.resample(moving, fixed, interpolation="cubic")


def displacement(transform, fixed, moving):
    """The field, and the image through it: what `register` does."""
    field = transform.displacement(fixed)
    return field, transform.resample(moving, fixed, displacement=field)


def jacobian(transform, fixed, moving):
    """The determinant on the fixed grid."""
    return transform.jacobian_determinant(fixed)


OPERATIONS = (linear, nearest, cubic, displacement, jacobian)


def main() -> None:
    """Measures all operations, or one in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=3, default=[512, 512, 300])
    names = [operation.__name__ for operation in OPERATIONS]
    parser.add_argument("--only", choices=names, help="measure it in this process")
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    shape = tuple(options.shape)
    if options.only:
        print(*measure(OPERATIONS[names.index(options.only)], shape))
        return
    rows = {}
    print(f"{'×'.join(map(str, shape))}, int16   beyond both images")
    for name in names:
        command = [sys.executable, __file__, "--only", name, "--shape"]
        done = subprocess.run(
            [*command, *map(str, shape)], check=True, capture_output=True, text=True
        )
        gigabytes, seconds = map(float, done.stdout.split())
        rows[name] = {"gigabytes": gigabytes, "seconds": seconds}
        print(f"{name:14} {gigabytes:22.2f} GB {seconds:8.1f} s")
    write_json(options.json, {"shape": shape, "operations": rows})


def measure(operation, shape):
    """Returns the gigabytes that an operation adds to the peak, and its seconds."""
    fixed, moving = example_image(shape, 1), example_image(shape, 2)
    transform = example_transform(fixed)
    before, start = peak_bytes(), time.perf_counter()
    result = operation(transform, fixed, moving)
    seconds, after = time.perf_counter() - start, peak_bytes()
    assert result is not None
    return (after - before) / 1e9, seconds


def example_image(shape, seed):
    """A CT's size and type, made slice by slice: its making must not be the peak."""
    rng, array = np.random.default_rng(seed), np.empty(shape, np.int16)
    for plane in array:
        plane[:] = rng.integers(-1000, 1500, plane.shape, np.int16)
    return Image(array, np.diag([*SPACING, 1.0]))


def example_transform(fixed):
    """An affine and three splines, as a model's stages would give them."""
    rng, splines = np.random.default_rng(0), []
    for step in STEPS[::-1]:
        lattice = [-(-size // step) + 4 for size in fixed.shape]
        points = 0.1 * step * rng.normal(size=(*lattice, 3))
        splines.append(stage_bspline(points, (step,) * 3, fixed.affine))
    matrix = np.eye(4)
    matrix[:3] += 0.02 * rng.normal(size=(3, 4))
    return Transform((*splines, Affine(matrix)))


if __name__ == "__main__":
    main()
