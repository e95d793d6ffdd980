"""`dlir-tf demo`."""

from pathlib import Path

import click

from dlir_tf.cli.options import Command


@click.command("demo", cls=Command)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="New folder for images, model, export and picture.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Training steps of every stage, instead of the preset's; joint_steps are at "
    "most as many.",
)
def command(output: Path, steps: int | None) -> None:
    """Go through the whole story on generated images.

    Makes beating hearts whose motion is known, trains on them, registers a heart
    that was never seen, compares with the true motion, exports the model, and
    leaves a picture. Takes a few minutes on two CPU cores.

    Example:
    dlir-tf demo --output demo
    """
    from dlir_tf.cli.quiet import load_keras

    load_keras()
    from dlir_tf.cli.progress import TrainingProgress
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
