"""How much time and memory large pictures take, a pair in colours by file names alone.

python benchmarks/pictures.py --pixels 2000 10000

The pictures are generated: blobs in colours on glass, and the same after a known warp.
Every figure is that of a `dlir-tf register` of its own, libraries included.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from timing import write_json

DRAWN = 2000  # pixels a side that are drawn, and then enlarged
INNER = np.s_[100:-100, 100:-100]


def main() -> None:
    """Measures all sizes, one after another."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", type=int, nargs="+", default=[2000, 10_000])
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    rows = {}
    for pixels in sorted(options.pixels):  # the peak is that of the largest child
        with tempfile.TemporaryDirectory() as folder:
            rows[pixels] = row = measure(Path(folder), pixels)
        print(pixels, *(f"{key} {value:.3g}" for key, value in row.items()))
    write_json(options.json, rows)


def measure(folder: Path, pixels: int) -> dict[str, float]:
    """Returns seconds, peak of memory, and mean differences before and after."""
    for name in ("fixed", "moving"):
        drawn = Image.fromarray(draw(warped=name == "moving"))
        enlarged = drawn.resize((pixels, pixels), Image.Resampling.BICUBIC)
        enlarged.save(folder / f"{name}.tif", dpi=(25_400, 25_400))
    command = [sys.executable, "-m", "dlir_tf", "register", "fixed.tif", "moving.tif"]
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, "--output", "moved.tif"], cwd=folder, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    fixed, moving, moved = (
        np.asarray(Image.open(folder / f"{name}.tif").reduce(max(1, pixels // DRAWN)))
        for name in ("fixed", "moving", "moved")
    )
    return {
        "seconds": time.perf_counter() - start,
        "cpu seconds": after.ru_utime - before.ru_utime,
        "peak GB": after.ru_maxrss * 1024 / 1e9,
        "difference before": difference(fixed, moving),
        "after": difference(fixed, moved),
    }


def draw(*, warped: bool) -> np.ndarray:
    """Blobs on glass, `(DRAWN, DRAWN, 3)`, uint8."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:DRAWN, :DRAWN].astype(np.float32) / DRAWN
    if warped:
        x, y = x + 0.02 * np.sin(7 * y) + 0.01, y + 0.02 * np.cos(5 * x)
    colours = np.full((DRAWN, DRAWN, 3), 240, np.float32)
    for _ in range(60):
        (left, up), size = rng.uniform(0.15, 0.85, 2), rng.uniform(0.01, 0.05)
        blob = np.exp(-((x - left) ** 2 + (y - up) ** 2) / (2 * size**2))
        colours -= blob[..., None] * rng.uniform(10, 120, 3).astype(np.float32)
    return np.clip(colours, 0, 255).astype(np.uint8)


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """The mean absolute difference away from the rim, of 255."""
    return float(np.abs(first.astype(np.float32) - second)[INNER].mean())


if __name__ == "__main__":
    main()
