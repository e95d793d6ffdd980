"""What `dlir-tf demo` does."""

from pathlib import Path

import click

from dlir_tf.cli.work.progress import TrainingProgress
from dlir_tf.cli.work.quiet import load_keras
from dlir_tf.files import check_new_folder


def run(output: Path, steps: int | None) -> None:
    """Trains, registers, evaluates and exports, and prints what was measured."""
    check_new_folder(output)  # before TensorFlow is loaded, which takes long
    load_keras()
    from dlir_tf.demo import run_demo

    def say(text: str) -> None:
        click.echo(text, err=True)

    with TrainingProgress() as progress:
        measured = run_demo(output, steps=steps, say=say, reporter=progress)
    labels = {
        "motion_mm": "true motion of the heart, mean (mm)",
        "error_mm": "error after registration, mean (mm)",
        "dice_before": "mean Dice before",
        "dice_after": "mean Dice after",
        "folded_percent": "folded voxels (%)",
        "seconds": "seconds for the registration",
    }
    for name, label in labels.items():
        click.echo(f"{label:38} {measured[name]:8.3f}")
    click.echo(f"picture: {output / 'registration.png'}")
