"""How well are labels followed through whole series, and how long does it take?

python benchmarks/series.py DATA --json series.json --figure series.png

DATA is the folder with Sunnybrook's cine MRI of three patients (20 frames; labels
of the left ventricle at end-diastole and end-systole), and with livers and a lung.
From the label at end-diastole alone, the one at end-systole is carried by `track`: its
Dice with the manual one, and how far the ejection fraction is from that of both manual
labels, in percentage points. The cycle closes if points of the heart that are followed
to the last frame, and come back by a registration of their own from that frame to the
first, are where they were; the same is measured from end-systole back, and around
(neighbour to neighbour through all frames, every pair registered by itself). Livers and
lung are series of two frames, measured by landmarks.
"""

import argparse
import csv
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pages import markdown
from timing import write_json

from dlir_tf import load_config, load_model, read_image, read_labels
from dlir_tf.figures.over_time import curve_figure
from dlir_tf.images import Frames, Image, read_frames, read_mask_of, read_points
from dlir_tf.metrics import dice
from dlir_tf.series import track
from dlir_tf.series.labels import labels_in_frames, volumes
from dlir_tf.transforms import Affine, Transform

PATIENTS = ("SCD0000101", "SCD0000301", "SCD0000401")
REFINED = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with sunnybrook and liver")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--figure", type=Path, help="where a picture of volumes goes")
    parser.add_argument("--model", default="cardiac-cine", help="for the hearts")
    parser.add_argument("--only", choices=["hearts", "pairs"], help="a part of it")
    options = parser.parse_args()
    found: dict[str, list[dict]] = {}
    if options.only != "pairs":
        found["hearts"] = hearts(options)
    if options.only != "hearts":
        found["pairs"] = [*livers(options.data), *lung(options.data)]
    for rows in found.values():
        print(markdown(rows[0], [map(shown, row.values()) for row in rows]))
    write_json(options.json, found)


def hearts(options: argparse.Namespace) -> list[dict]:
    model, folder = load_model(options.model), options.data / "sunnybrook"
    # Once before, so that nothing is compiled while time is taken.
    frames = read_frames(folder / f"{PATIENTS[0]}_cine.nii.gz")
    track(Frames(frames[:2]), model=model)
    rows, curves = [], {}
    for steps in (None, REFINED):
        for patient in PATIENTS:
            row, curve = heart(folder, patient, model, steps)
            rows.append(row)
            how = f"refined in {steps} steps" if steps else "one shot"
            curves[f"{patient}, {how}"] = curve
            print(row, flush=True)
    if options.figure:
        curve_figure(options.figure, curves, value="left ventricle (ml)")
    return rows


def heart(folder: Path, patient: str, model, steps: int | None):
    frames = read_frames(folder / f"{patient}_cine.nii.gz")
    diastole, systole = (
        frame_of(frames, read_image(folder / f"{patient}_{phase}.nii.gz"))
        for phase in ("ED", "ES")
    )
    manual = [
        read_labels(folder / f"{patient}_{phase}_lv.nii.gz") for phase in ("ED", "ES")
    ]
    labels = frames[0].with_array(manual[0].array)
    options = {"model": model, "refine": steps}
    with Clock() as clock:
        tracking = track(frames, reference=diastole, periodic=True, **options)
    carried = labels_in_frames(tracking, labels, diastole)
    (curve,) = volumes(carried).values()
    fraction = 1 - curve[systole] / curve[diastole]
    truth = 1 - np.sum(manual[1].array > 0) / np.sum(manual[0].array > 0)
    wall = read_labels(folder / f"{patient}_ED_lv_and_myocardium.nii.gz")
    points = wall.grid.to_world(np.argwhere(wall.array))
    last = (diastole - 1) % len(frames)
    row = {
        "patient": patient,
        "steps": steps or 0,
        "dice_before": overlap(manual[0].array, manual[1].array),
        "dice": overlap(carried[systole].array, manual[1].array),
        "ef_manual": float(truth),
        "ef": float(fraction),
        "ef_error_points": float(100 * (fraction - truth)),
        "closed_last_mm": closing(tracking, frames, points, last, options),
        "closed_systole_mm": closing(tracking, frames, points, systole, options),
        "around_mm": around(frames, points, diastole, options),
        "seconds": clock.seconds,
        "cpu_seconds": clock.cpu,
        "from_neighbour": sum(o.start.startswith("frame") for o in tracking.outcomes),
    }
    return row, curve


def closing(tracking, frames: Frames, points: np.ndarray, frame: int, options) -> float:
    """How far points end from their start, by the series and back by one pair, mm."""
    pair = Frames((frames[frame], frames[tracking.reference_frame]))
    back = track(pair, **options).transforms[1]
    there = tracking.transforms[frame].map_points(points)
    return float(np.linalg.norm(back.map_points(there) - points, axis=1).mean())


def around(frames: Frames, points: np.ndarray, start: int, options) -> float:
    """The same from neighbour to neighbour, once around; too long when refined."""
    if options["refine"]:
        return float("nan")
    moved = points
    for n in range(len(frames)):
        this, following = ((start + n + more) % len(frames) for more in (0, 1))
        pair = Frames((frames[this], frames[following]))
        moved = track(pair, **options).transforms[1].map_points(moved)
    return float(np.linalg.norm(moved - points, axis=1).mean())


def livers(data: Path) -> list[dict]:
    rows = []
    with (data / "liver.csv").open() as stream:
        pairs = list(csv.DictReader(stream))
    for pair in pairs:
        images = [read_image(data / pair[side]) for side in ("fixed", "moving")]
        points = [read_points(data / pair[f"{s}_points"]) for s in ("fixed", "moving")]
        config = load_config("liver-mr")
        rows.append(pair_of(pair["moving"], images, points, config=config))
    return rows


def lung(data: Path) -> list[dict]:
    """On the fixed grid, the second date laid onto the first by their centres."""
    with (data / "lung.csv").open() as stream:
        (pair,) = csv.DictReader(stream)
    fixed, moving = (read_image(data / pair[side]) for side in ("fixed", "moving"))
    matrix = np.eye(4)
    matrix[:3, 3] = moving.grid.centre - fixed.grid.centre
    shift = Transform((Affine(matrix),))
    second = shift.resample(moving, fixed, fill_value=-2048)
    points = [read_points(data / pair[f"{s}_points"]) for s in ("fixed", "moving")]
    points[1] = shift.inverse().map_points(points[1])
    mask = read_mask_of(data / pair["fixed_mask"], fixed)
    options = {"config": load_config("lung-ct"), "mask": mask}
    return [pair_of(pair["moving"], [fixed, second], points, **options)]


def pair_of(name: str, images: list[Image], points: list[np.ndarray], **options):
    first, second = images
    second = first.with_array(second.array.astype(first.array.dtype))
    with Clock() as clock:
        tracking = track(Frames((first, second)), **options)
    found = tracking.points_in_frames(points[0], 0)[1]
    row = {
        "pair": name,
        "before_mm": float(np.linalg.norm(points[0] - points[1], axis=1).mean()),
        "after_mm": float(np.linalg.norm(found - points[1], axis=1).mean()),
        "seconds": clock.seconds,
        "cpu_seconds": clock.cpu,
    }
    print(row, flush=True)
    return row


class Clock:
    """Seconds by the clock and of the processor, all its cores together."""

    def __enter__(self) -> "Clock":
        self.seconds, self.cpu = -time.perf_counter(), -processor()
        return self

    def __exit__(self, *_) -> None:
        self.seconds += time.perf_counter()
        self.cpu += processor()


def processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def frame_of(frames: Frames, image: Image) -> int:
    same: Callable[[int], bool] = lambda n: np.array_equal(  # noqa: E731
        frames[n].array, image.array
    )
    return next(filter(same, range(len(frames))))


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return float(dice(first > 0, second > 0)[1])


def shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
