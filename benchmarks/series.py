"""How well are labels followed through whole series, and how long does it take?

python benchmarks/series.py DATA --json series.json --figure series.png

DATA is the folder with Sunnybrook's cine MRI of three patients (20 frames; labels
of the left ventricle at end-diastole and end-systole), and with livers and a lung.
From the label at end-diastole alone, the one at end-systole is carried by `track`: its
Dice with the manual one, and how far the ejection fraction is from that of both manual
labels, in percentage points. The cycle closes if points of the heart that are followed
to the last frame, and come back by a registration of their own from that frame to the
first, are where they were; the same is measured from end-systole back, and of both how
much of it lies in the plane of the slices, which are 8 to 10 mm thick. A row with a
period is smoothed in time. Livers and lung are series of two frames, measured by
landmarks.
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
from dlir_tf.phantoms import heartbeat
from dlir_tf.series import track
from dlir_tf.series.labels import labels_in_frames, volumes
from dlir_tf.series.notes import Notes
from dlir_tf.transforms import Affine, Transform

PATIENTS = ("SCD0000101", "SCD0000301", "SCD0000401")
REFINED, SMOOTH = 40, 4.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with sunnybrook and liver")
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument(
        "--figure", type=Path, help="a picture of a made heart's volumes"
    )
    parser.add_argument("--model", default="cardiac-cine", help="for the hearts")
    parser.add_argument("--only", choices=["hearts", "pairs", "none"], help="a part")
    options = parser.parse_args()
    found: dict[str, list[dict]] = {}
    if options.only in (None, "hearts"):
        found["hearts"] = hearts(options)
    if options.only in (None, "pairs"):
        found["pairs"] = [*livers(options.data), *lung(options.data)]
    if options.figure:
        picture(options.figure, load_model(options.model))
    for rows in found.values():
        print(markdown(rows[0], [map(shown, row.values()) for row in rows]))
    write_json(options.json, found)


def hearts(options: argparse.Namespace) -> list[dict]:
    model, folder = load_model(options.model), options.data / "sunnybrook"
    # Once before, so that nothing is compiled while time is taken.
    frames = read_frames(folder / f"{PATIENTS[0]}_cine.nii.gz")
    track(Frames(frames[:2]), model=model)
    rows = []
    for steps in (None, REFINED):
        for patient in PATIENTS:
            for row in heart(folder, patient, model, steps):
                rows.append(row)
                print(row, flush=True)
    return rows


def picture(path: Path, model) -> None:
    """The volumes of a generated heart, as they are and as they are followed."""
    beat = heartbeat(5)
    tracking = track(beat.frames, model=model, refine=REFINED, periodic=True)
    carried = labels_in_frames(tracking, beat.labels[0], 0)
    found, true = volumes(carried), volumes(beat.labels)
    names = {3: "left ventricle", 1: "right ventricle"}
    curves = {}
    for label, name in names.items():
        curves |= {f"{name}, followed": found[label], f"{name}, true": true[label]}
    curve_figure(path, curves, value="volume (ml)")


def heart(folder: Path, patient: str, model, steps: int | None):
    """A row as it was found, and one smoothed."""
    frames = read_frames(folder / f"{patient}_cine.nii.gz")
    diastole, systole = (
        frame_of(frames, read_image(folder / f"{patient}_{phase}.nii.gz"))
        for phase in ("ED", "ES")
    )
    first, second = (
        read_labels(folder / f"{patient}_{phase}_lv.nii.gz").array
        for phase in ("ED", "ES")
    )
    labels = frames[0].with_array(first)
    truth = 1 - np.sum(second > 0) / np.sum(first > 0)
    wall = read_labels(folder / f"{patient}_ED_lv_and_myocardium.nii.gz")
    points = wall.grid.to_world(np.argwhere(wall.array))
    options, notes = {"model": model, "refine": steps}, Notes()
    ends = {"last": (diastole - 1) % len(frames), "systole": systole}
    back = {
        name: track(Frames((frames[n], frames[diastole])), **options).transforms[1]
        for name, n in ends.items()
    }
    for smooth in (None, SMOOTH):
        with Clock() as clock:
            tracking = track(
                frames,
                reference=diastole,
                periodic=True,
                smooth=smooth,
                notes=notes,
                **options,
            )
        carried = labels_in_frames(tracking, labels, diastole)
        (curve,) = volumes(carried).values()
        fraction = 1 - curve[systole] / curve[diastole]
        row = {
            "patient": patient,
            "steps": steps or 0,
            "smooth": smooth or 0,
            "dice_before": overlap(first, second),
            "dice": overlap(carried[systole].array, second),
            "ef_manual": float(truth),
            "ef": float(fraction),
            "ef_error_points": float(100 * (fraction - truth)),
        }
        for name, n in ends.items():
            there = tracking.transforms[n].map_points(points)
            apart = (back[name].map_points(there) - points) @ frames[0].grid.directions
            row[f"closed_{name}_mm"] = length(apart)
            row[f"closed_{name}_in_plane_mm"] = length(apart[:, :2])
        if not smooth:
            row |= {"seconds": clock.seconds, "cpu_seconds": clock.cpu}
        yield row | {k: None for k in ("seconds", "cpu_seconds") if smooth}


def length(vectors: np.ndarray) -> float:
    return float(np.linalg.norm(vectors, axis=1).mean())


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
