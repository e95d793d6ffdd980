"""The whole story on generated images: train, register, evaluate, export."""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from dlir_tf.config import load_config
from dlir_tf.evaluation.measures import measure_registration
from dlir_tf.export.savedmodel import export_savedmodel
from dlir_tf.figures.panels import registration_figure
from dlir_tf.files import check_new_folder, make_folder, replacing
from dlir_tf.images import write_displacement, write_image
from dlir_tf.metrics import dice
from dlir_tf.models.folder import load_model
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.phantoms import Phantom, beating_heart, write_phantoms
from dlir_tf.registration import Registration, register
from dlir_tf.training import train
from dlir_tf.training.trainer import Reporter

NUM_TRAIN, NUM_TEST = 24, 4
PICTURE, REPORT = "registration.png", "report.json"
UNSEEN_SEED = 424242


def run_demo(
    output: Path,
    *,
    steps: int | None = None,
    say: Callable[[str], None] = print,
    reporter: Reporter | None = None,
) -> dict[str, float]:
    """Trains on generated hearts and registers one that was never seen.

    Args:
        output: A new folder for the images, the model, the export and the picture.
        steps: Training steps of every stage, instead of the preset's; joint steps
            are at most as many.
        say: Is told what is being done.
        reporter: Is told how the training goes.

    Returns:
        What was measured on the unseen heart, as in `report.json`.

    Raises:
        InputError: If the folder is in use, or the disk doesn't take the files;
            nothing is left then.
    """
    check_new_folder(output)
    with _whole_or_not_at_all(output):
        return _run_demo(output, steps, say, reporter)


@contextlib.contextmanager
def _whole_or_not_at_all(output: Path) -> Iterator[None]:
    """Removes what the demo wrote if it fails, so that it can be run again."""
    made = [path for path in (output, *output.parents) if not path.exists()]
    try:
        yield
    except BaseException:
        for name in ("images", "model", "unseen", "export"):
            shutil.rmtree(output / name, ignore_errors=True)
        for name in (PICTURE, REPORT):
            (output / name).unlink(missing_ok=True)
        for folder in made:
            with contextlib.suppress(OSError):  # what isn't ours stays
                folder.rmdir()
        raise


def _run_demo(
    output: Path,
    steps: int | None,
    say: Callable[[str], None],
    reporter: Reporter | None,
) -> dict[str, float]:
    images = output / "images"
    say(f"1/5 making {NUM_TRAIN + NUM_TEST} beating hearts in {images}")
    make_folder(images)
    train_csv, test_csv = write_phantoms(images, num_train=NUM_TRAIN, num_test=NUM_TEST)

    say(f"2/5 training the preset 'demo' into {output / 'model'}")
    train(
        load_config("demo"),
        read_manifest(train_csv),
        output / "model",
        validation=read_manifest(test_csv),
        steps=steps,
        reporter=reporter,
    )

    say("3/5 registering a heart that was never seen")
    unseen = beating_heart(UNSEEN_SEED)
    model = load_model(output / "model")
    register(unseen.fixed, unseen.moving, model=model)  # the first call compiles
    result = register(unseen.fixed, unseen.moving, model=model)

    say("4/5 comparing with the true motion")
    measured = _compare(unseen, result)
    make_folder(output / "unseen")
    _write_results(output, unseen, result, measured)

    say(f"5/5 exporting to {output / 'export'} and checking the reloaded model")
    export_savedmodel(model, output / "export")
    return measured


def _compare(phantom: Phantom, result: Registration) -> dict[str, float]:
    """Measures, within the heart, how far the motion that was found is off."""
    truth = phantom.displacement_field()
    found = result.displacement
    heart = phantom.fixed_labels.array > 0
    pair = LoadedPair(
        phantom.fixed,
        phantom.moving,
        fixed_labels=phantom.fixed_labels,
        moving_labels=phantom.moving_labels,
    )
    after = measure_registration(pair, result)
    before = dice(phantom.fixed_labels.array, phantom.moving_labels.array)
    return {
        "motion_mm": float(np.linalg.norm(truth[heart], axis=-1).mean()),
        "error_mm": float(np.linalg.norm((found - truth)[heart], axis=-1).mean()),
        "dice_before": float(np.mean(list(before.values()))),
        "dice_after": float(np.mean(list(after.dice.values()))),
        "folded_percent": after.folded_percent,
        "seconds": result.seconds,
    }


def _write_results(
    output: Path, phantom: Phantom, result: Registration, measured: dict[str, float]
) -> None:
    for name in ("fixed", "moving", "fixed_labels", "moving_labels"):
        write_image(output / "unseen" / f"{name}.nii.gz", getattr(phantom, name))
    write_image(output / "unseen" / "moved.nii.gz", result.moved)
    field = result.displacement
    write_displacement(
        output / "unseen" / "displacement.nii.gz", field, phantom.fixed.grid
    )
    registration_figure(
        output / PICTURE,
        phantom.fixed,
        phantom.moving,
        result.moved,
        displacement=field,
        title=(
            f"An unseen heart in {result.seconds:.1f} s: Dice "
            f"{measured['dice_before']:.2f} to {measured['dice_after']:.2f}, error "
            f"{measured['error_mm']:.1f} of {measured['motion_mm']:.1f} mm of motion"
        ),
    )
    with replacing(output / REPORT) as unfinished:
        unfinished.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
