"""What must hold of a server's inputs, in sentences that its callers will read."""

from typing import Any

import tensorflow as tf

from dlir_tf.images.grid import LARGEST_SHEAR

Tensor = Any


def require(
    condition: Tensor,
    sentence: str,
    pair: Tensor | None = None,
    values: tuple[Tensor, ...] = (),
) -> Any:
    """An assertion that fails with one sentence.

    Args:
        condition: Scalar, bool.
        sentence: What must hold, and how to mend it; apostrophes would be escaped.
        pair: The number of the pair within the batch, if it's about one.
        values: What stands in the places of the sentence's `{}`.

    Returns:
        The operation, for `tf.control_dependencies`.
    """
    if pair is not None:
        sentence, values = "pair {} of the batch: " + sentence, (pair, *values)
    if values:
        return tf.debugging.Assert(condition, [tf.strings.format(sentence, values)])
    return tf.debugging.Assert(condition, [sentence])


def shape_checks(inputs: dict[str, Tensor]) -> list[Any]:
    """Asserts that a batch has as many of all, and labels the shape of their image."""
    batch = tf.shape(inputs["fixed"])[0]
    checks = [
        require(
            tf.equal(tf.shape(tensor)[0], batch),
            f"{name}: must have as many rows as fixed has images, one per pair",
        )
        for name, tensor in inputs.items()
    ]
    checks += [
        require(
            tf.reduce_all(tf.shape(inputs[name]) > 0),
            f"{name}: must hold at least one image of at least one voxel per axis",
        )
        for name in ("fixed", "moving")
    ]
    if "moving_labels" in inputs:
        same = tf.reduce_all(
            tf.equal(tf.shape(inputs["moving_labels"]), tf.shape(inputs["moving"]))
        )
        checks.append(
            require(
                same, "moving_labels: must have the shape of moving, whose they are"
            )
        )
    return checks


def voxel_check(image: Tensor, name: str, pair: Tensor) -> Any:
    """Asserts that no voxel is NaN or infinite."""
    return require(
        tf.reduce_all(tf.math.is_finite(image)),
        f"the {name} image has NaN or infinite voxels; replace them by a background "
        "value",
        pair,
    )


def affine_check(affine: Tensor, name: str, pair: Tensor) -> Any:
    """Asserts that a voxel-to-world matrix can be inverted.

    Args:
        affine: `(ndim + 1, ndim + 1)`, float64.
        name: Of the input.
        pair: The number of the pair.
    """
    size = affine.shape[-1]
    linear = affine[:-1, :-1]
    norms = tf.norm(linear, axis=0)
    volume = tf.abs(tf.linalg.det(linear / tf.maximum(norms, 1e-300)))
    last_row = tf.one_hot(size - 1, size, dtype=tf.float64)
    return require(
        tf.reduce_all(tf.math.is_finite(affine))
        & tf.reduce_all(norms > 0)
        & (volume > 1e-9)
        & tf.reduce_all(tf.equal(affine[-1], last_row)),
        f"{name}: must be a voxel-to-world matrix (mm) of finite numbers that can be "
        f"inverted, with the last row {' '.join(['0'] * (size - 1))} 1",
        pair,
    )


def perpendicular_check(affine: Tensor, name: str, pair: Tensor) -> Any:
    """Asserts that axes are perpendicular, for models that keep lengths or angles.

    Args:
        affine: `(ndim + 1, ndim + 1)`, float64.
        name: Of the input.
        pair: The number of the pair.
    """
    linear = affine[:-1, :-1]
    axes = linear / tf.norm(linear, axis=0)
    stray = tf.matmul(axes, axes, transpose_a=True) - tf.eye(
        axes.shape[-1], dtype=tf.float64
    )
    return require(
        tf.reduce_all(tf.abs(stray) <= LARGEST_SHEAR),
        f"{name}: must have axes that are perpendicular, because rigid and similarity "
        "stages turn its grid; resample an image of a tilted gantry first, or let "
        "dlir-tf register it",
        pair,
    )
