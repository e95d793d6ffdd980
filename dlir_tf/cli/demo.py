"""`dlir-tf demo`."""

from pathlib import Path
from typing import Any

import click

from dlir_tf.cli.options import Command, steps_option


@click.command("demo", cls=Command)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="New folder for images, model, export and picture.",
)
@steps_option
def command(**options: Any) -> None:
    """Go through the whole story on generated images.

    Makes beating hearts whose motion is known, trains on them, registers a heart
    that was never seen, compares with the true motion, exports the model, and
    leaves a picture. Takes a few minutes on two CPU cores.

    Example:
    dlir-tf demo --output demo
    """
    from dlir_tf.cli.work.demo import run

    run(**options)
