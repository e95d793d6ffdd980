"""Says in a sentence what was given from Python in the place of something else.

A path in the place of an image, or a model's name in the place of the model, would end
somewhere inside with an error that names neither.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.pairs.manifest import Pair
from dlir_tf.transforms import Transform

_IMAGE = "an image, as dlir_tf.read_image(path) or dlir_tf.Image(array, affine) gives"


def check_images(**images: Any) -> None:
    """Refuses what is no image of real numbers.

    Args:
        images: By the names of the arguments; masks may be `None`, and bool.

    Raises:
        InputError: If one is something else.
    """
    for name, image in images.items():
        is_mask = name.endswith("mask")
        if image is None and is_mask:
            continue
        if not isinstance(image, Image):
            raise _other(name, _IMAGE, image)
        kind = image.array.dtype
        if kind.kind not in ("iufb" if is_mask else "iuf"):
            raise InputError(
                f"{name}: voxels must be real numbers, but are of type {kind}; change "
                "their type (array.astype(np.uint8), of bool)"
            )


def check_means(
    model: Any = None, config: Any = None, transform: Any = None, refine: Any = None
) -> None:
    """Refuses what can't be a model, a config, a transform or a number of steps.

    Args:
        model: What registers; or `None`, as for all others.
        config: Instead of it.
        transform: What it starts from.
        refine: Steps of a refinement.

    Raises:
        InputError: If one is something else.
    """
    if model is not None and not hasattr(model, "config"):
        raise _other("model", "a model, as dlir_tf.load_model(name) gives", model)
    if config is not None and not isinstance(config, Config):
        raise _other("config", "a config, as dlir_tf.load_config(name) gives", config)
    if transform is not None and not isinstance(transform, Transform):
        told = "a transform, as dlir_tf.read_transform(path) gives"
        raise _other("initial_transform", told, transform)
    if refine is not None and int(refine) != refine:
        raise InputError(f"refine: must be a whole number of steps. Received: {refine}")


def check_cohort(pairs: Sequence[Any], model: Any, config: Any) -> None:
    """Refuses what can't be pairs, or register them, in processes of their own.

    Args:
        pairs: As `read_manifest` gives them.
        model: A folder, a file or a name, which every process loads; or `None`.
        config: Instead of it.

    Raises:
        InputError: If one is something else.
    """
    for pair in pairs:
        if not isinstance(pair, Pair):
            raise _other(
                "pairs", "a manifest's path, or what read_manifest gives", pair
            )
    if not isinstance(model, str | Path | None):
        raise _other("model", "a folder, a file or the name of a model", model)
    check_means(config=config)


def _other(name: str, expected: str, received: object) -> InputError:
    """An error that says what was given instead."""
    said = f" {received!r}" if isinstance(received, str) else ""
    kind = type(received).__name__
    return InputError(f"{name}: must be {expected}. Received: {kind}{said}")
