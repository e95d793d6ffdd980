"""How soon does the page of a large CT pair open, and what does it weigh?

python benchmarks/page.py --output page.json
python benchmarks/page.py --picture docs/page.png

A pair of 512×512×300 voxels is made and written as a page, which Chromium opens from
the disk, without a GPU: seconds until all images can be seen. With --picture, a
generated heart is registered instead, and a picture of its page is taken.
"""

import argparse
import io
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import PIL.Image
from machine import load_average, num_cores, versions
from scipy import ndimage
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait
from timing import write_json

import dlir_tf
from dlir_tf.apply.pictures import page_contents
from dlir_tf.images import Image
from dlir_tf.page import PageContents, write_page
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.phantoms import beating_heart
from dlir_tf.transforms import Transform
from dlir_tf.transforms.bspline import BSpline

SPACING = (0.7, 0.7, 1.0)
ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--hide-scrollbars", "--use-gl=angle"),
    *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
)


def main() -> None:
    """Measures, or takes the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=3, default=[512, 512, 300])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    if options.picture:
        take_picture(options.picture)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        contents = ct_pair(tuple(options.shape))
        start = time.perf_counter()
        write_page(path, contents)
        written = time.perf_counter() - start
        opened = [seconds_to_open(path) for _ in range(options.repeats)]
        megabytes = path.stat().st_size / 1e6
    print(f"{options.shape} voxels: written in {written:.1f} s, {megabytes:.1f} MB")
    print("opened in " + ", ".join(f"{seconds:.1f}" for seconds in opened) + " s")
    print(f"load of the machine: {load_average():.1f}")
    if options.output:
        found = {
            "cores": num_cores(),
            "versions": versions(["dlir-tf", "numpy"]),
            "load": load_average(),
            "shape": options.shape,
            "megabytes": megabytes,
            "seconds_to_write": written,
            "seconds_to_open": opened,
        }
        write_json(options.output, found)


def ct_pair(shape: tuple[int, ...]) -> PageContents:
    """Smooth tissue with a scanner's noise, and the same after a smooth motion."""
    rng = np.random.default_rng(1)
    affine = np.diag([*SPACING, 1.0])
    coarse = rng.normal(0, 400, [-(-size // 8) for size in shape]).astype(np.float32)
    tissue = ndimage.zoom(coarse, 8, order=1)[tuple(slice(size) for size in shape)]
    noisy = [np.roll(tissue, shift, 0) + rng.normal(0, 20, shape) for shift in (0, 4)]
    images = [Image(np.rint(array).astype(np.int16), affine) for array in noisy]
    lattice = affine @ np.diag([64.0, 64.0, 40.0, 1.0])
    lattice[:3, 3] = -np.diag(lattice)[:3]
    points = 3 * rng.normal(size=(11, 11, 11, 3))
    transform = Transform((BSpline(points, lattice),))
    return PageContents(*images, transform=transform, moved=images[1])


def browser(width: int, height: int) -> webdriver.Chrome:
    """Chromium without a window."""
    options = webdriver.ChromeOptions()
    for argument in (*ARGUMENTS, f"--window-size={width},{height}"):
        options.add_argument(argument)
    # Named, so that Selenium looks for none in the network.
    options.binary_location = shutil.which("chromium") or ""
    return webdriver.Chrome(
        options, webdriver.ChromeService(shutil.which("chromedriver"))
    )


def wait_for(chrome: webdriver.Chrome) -> None:
    """Until all images can be seen: what is read back was drawn."""
    script = "return document.body.dataset.ready"
    WebDriverWait(chrome, 300, 0.05).until(lambda one: one.execute_script(script))
    chrome.execute_script(
        "for (const { nv: { gl } } of Object.values(page.panes))"
        " gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));"
    )


def seconds_to_open(path: Path) -> float:
    """In a browser that was just started."""
    chrome = browser(1400, 1000)
    try:
        start = time.perf_counter()
        chrome.get(path.as_uri())
        wait_for(chrome)
        return time.perf_counter() - start
    finally:
        chrome.quit()


def take_picture(target: Path) -> None:
    """Of a generated heart, registered by the model that ships."""
    heart = beating_heart(2019, shape=(160, 144, 12))
    pair = LoadedPair(
        heart.fixed, heart.moving, heart.fixed_labels, heart.moving_labels
    )
    model = dlir_tf.load_model("cardiac-cine")
    result = dlir_tf.register(pair.fixed, pair.moving, model=model, refine=40)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        write_page(path, page_contents(result, pair, "A generated heart"))
        chrome = browser(1360, 1060)
        try:
            chrome.get(path.as_uri())
            wait_for(chrome)
            chrome.execute_script("document.getElementById('draw-grid').click()")
            time.sleep(3)
            picture = PIL.Image.open(io.BytesIO(chrome.get_screenshot_as_png()))
            picture.convert("RGB").quantize(128).save(target, optimize=True)
        finally:
            chrome.quit()


if __name__ == "__main__":
    main()
