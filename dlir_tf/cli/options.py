"""Options that several commands have."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path)


class OneOf(click.Choice[str]):
    """A choice that says in one line what there is, if none was made."""

    def get_missing_message(
        self, param: click.Parameter, ctx: click.Context | None
    ) -> str:
        """Names all choices."""
        return f"Choose {' or '.join(self.choices)}."


model_option = click.option(
    "--model",
    type=FILE,
    default=Path("model"),
    show_default=True,
    metavar="MODEL",
    help="Model folder, from dlir-tf train; to register and to evaluate, also a "
    ".tflite file, from dlir-tf export.",
)

spacing_source_option = click.option(
    "--spacing-source",
    type=click.Choice(["auto", "affine", "pixdim"]),
    default="auto",
    show_default=True,
    help="Where voxel sizes are read if a file states two; auto decides and warns.",
)
