"""What `dlir-tf breathe` does."""

from functools import partial
from pathlib import Path

import click

from dlir_tf.errors import InputError
from dlir_tf.images import (
    Image,
    OrientationSource,
    SpacingSource,
    check_choice,
    read_image,
    read_mask_of,
)
from dlir_tf.phantoms import Thorax, write_breathing_pairs


def run(
    images: tuple[Path, ...],
    masks: tuple[Path, ...],
    num: int,
    output: Path,
    seed: int,
    spacing_source: SpacingSource,
    orientation_source: OrientationSource,
) -> None:
    """Writes the pairs and prints their manifest."""
    if masks and len(masks) != len(images):
        raise InputError(
            "--mask must be given once for each image, or never. "
            f"Received: {len(images)} images and {len(masks)} masks"
        )
    check_choice((*images, *masks))
    read = partial(
        _read, spacing_source=spacing_source, orientation_source=orientation_source
    )
    thoraxes = [
        Thorax(str(image), partial(read, image, mask))
        for image, mask in zip(images, masks or [None] * len(images), strict=True)
    ]
    click.echo(
        write_breathing_pairs(output, num_pairs=num, thoraxes=thoraxes, seed=seed)
    )


def _read(
    path: Path,
    mask_path: Path | None,
    *,
    spacing_source: SpacingSource,
    orientation_source: OrientationSource,
) -> tuple[Image, Image | None]:
    """Reads a chest and, if there is one, the mask of its lungs."""
    image = read_image(
        path, spacing_source=spacing_source, orientation_source=orientation_source
    )
    if mask_path is None:
        return image, None
    mask = read_mask_of(
        mask_path,
        image,
        spacing_source=spacing_source,
        orientation_source=orientation_source,
    )
    return image, mask
