"""One small result of every kind, and what writes it to a path."""

import csv
import functools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from dlir_tf.evaluation.report import write_csv
from dlir_tf.figures.panels import registration_figure
from dlir_tf.images import (
    WRITABLE_SUFFIXES,
    Image,
    write_displacement,
    write_frames,
    write_image,
)
from dlir_tf.images.points import CsvPoints, MarkupPoints
from dlir_tf.quality import Report, write_report
from dlir_tf.transforms import Affine, BSpline, Transform, write_transform
from dlir_tf.transforms.files.dispatch import TRANSFORM_SUFFIXES

Writer = Callable[[Path], object]

SHAPE = (24, 20, 7)
AFFINE = np.array([[-2.0, 0, 0, 9], [0, 1.5, 0, -4], [0, 0, 3, 30], [0, 0, 0, 1]])
POINTS = "x,y,z,name\n" + "".join(f"{n}.5,{n},-{n},point {n}\n" for n in range(400))


def image(seed=0):
    """Noise, which no compression shortens."""
    generator = np.random.default_rng(seed)
    return Image(generator.integers(0, 30_000, SHAPE).astype(np.int16), AFFINE)


def transform():
    """An affine transform after a spline."""
    generator = np.random.default_rng(1)
    lattice = AFFINE @ np.diag([8.0, 8, 4, 1])
    spline = BSpline(generator.normal(size=(8, 7, 6, 3)), lattice)
    return Transform((spline, Affine(np.eye(4) + 0.1 * np.eye(4, k=3))))


def report():
    """Of a registration that went well."""
    return Report(
        verdict="PASS",
        reasons=(),
        similarity_kind="ncc",
        similarity_before=0.5,
        similarity_after=0.9,
        stages=(),
        refinement=None,
        initial_alignment="header",
        initial_shift=(0.0, 0.0, 0.0),
        affine_scales=None,
        smallest_jacobian=0.5,
        folded_percent=0.0,
        std_log_jacobian=0.1,
        largest_displacement=5.0,
        mean_displacement=1.0,
        extent=100.0,
        overlap_percent=95.0,
        masks=(),
        seconds=1.0,
        model=None,
        versions={},
    )


def writers():
    """By the names of the files, what writes them; all but a model's."""
    every: dict[str, Writer] = {
        f"image{suffix}": lambda path: write_image(path, image())
        for suffix in WRITABLE_SUFFIXES
    }
    every |= {
        f"frames{suffix}": lambda path: write_frames(path, [image(1), image(2)])
        for suffix in WRITABLE_SUFFIXES
    }
    every |= {
        f"transform{suffix}": lambda path: write_transform(
            path, transform(), reference=image()
        )
        for suffix in TRANSFORM_SUFFIXES
    }
    every["field.nii.gz"] = lambda path: write_displacement(
        path, transform().displacement(image()), image().grid
    )
    every["picture.png"] = lambda path: registration_figure(
        path, image(1), image(2), image(3)
    )
    every["report.json"] = lambda path: write_report(path, report())
    every["evaluation.csv"] = _write_evaluation
    every["points.csv"] = lambda path: _write_points(path, POINTS)
    every["points.mrk.json"] = _write_markups
    every["checkpoint.npz"] = _write_checkpoint
    every["model.weights.h5"] = _write_weights
    return every


def _write_evaluation(path):
    from dlir_tf.evaluation.evaluate import PairEvaluation
    from dlir_tf.evaluation.measures import Measures

    pair = SimpleNamespace(fixed="fixed.nii", moving="moving.nii")
    labels = dict.fromkeys(range(200), 0.5)
    measures = Measures(0.9, 0.0, 0.1, dice=labels)
    write_csv(path, [PairEvaluation(pair, measures, measures, report())])  # type: ignore[arg-type]


def _write_points(path, text):
    rows = list(csv.reader(text.splitlines()))
    points = np.array([[float(x) for x in row[:3]] for row in rows[1:]])
    CsvPoints(points, rows, [0, 1, 2], lps=False).write(path, points)


def _write_markups(path):
    points = [{"label": f"{n}", "position": [n, 0.5, -n]} for n in range(100)]
    document = {"markups": [{"type": "Fiducial", "controlPoints": points}]}
    positions = np.array([point["position"] for point in points])
    MarkupPoints(positions, document).write(path, positions)


def _write_checkpoint(path):
    from dlir_tf.training.checkpoint import Checkpoint, Progress, save_checkpoint

    weights = [np.ones((30, 30)), np.ones(30)]
    progress = Progress(0, 2, 1.0, 2, 1.0, "recipe")
    save_checkpoint(path, Checkpoint(progress, weights, weights, weights))


def _write_weights(path):
    from dlir_tf.models.folder import save_weights

    save_weights(path, _network())


@functools.cache
def _network():
    import keras

    inputs = keras.Input((30,))
    return keras.Model(inputs, keras.layers.Dense(40)(inputs))
