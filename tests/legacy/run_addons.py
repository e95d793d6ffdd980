"""Warps by TensorFlow Addons, in the environment that has them.

`python -P run_addons.py INPUTS OUTPUTS`. Both files are .npz; case number `n` has
`n/image`, `n/ddf` (pulls back, in voxels) and `n/weights`, and of each function the
value and the gradients of the weighted sum to image and ddf come back.
"""

import sys

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa


def dense_image_warp(image, ddf):
    """It samples at the voxel minus its flow."""
    return tfa.image.dense_image_warp(image, -ddf)


def resampler(image, ddf):
    """It samples at points whose coordinates are in the order x, y."""
    return tfa.image.resampler(image, points(ddf)[..., ::-1])


def interpolate_bilinear(image, ddf):
    """It samples at a list of points, rows first."""
    queries = tf.reshape(points(ddf), (ddf.shape[0], -1, 2))
    return tf.reshape(tfa.image.interpolate_bilinear(image, queries), image.shape)


def points(ddf):
    """Where the voxels are taken to."""
    rows, columns = tf.meshgrid(*map(tf.range, ddf.shape[1:3]), indexing="ij")
    return tf.cast(tf.stack([rows, columns], -1), tf.float32) + ddf


def main(inputs_file, outputs_file):
    outputs = {}
    with np.load(inputs_file) as stored:
        inputs = {name: tf.constant(array) for name, array in stored.items()}
    for case in sorted({name.split("/")[0] for name in inputs}):
        image, ddf, weights = (
            inputs[f"{case}/{name}"] for name in ("image", "ddf", "weights")
        )
        for function in (dense_image_warp, resampler, interpolate_bilinear):
            with tf.GradientTape() as tape:
                tape.watch([image, ddf])
                value = function(image, ddf)
                total = tf.reduce_sum(value * weights)
            gradients = tape.gradient(total, [image, ddf])
            key = f"{case}/{function.__name__}"
            outputs[f"{key}/value"] = value.numpy()
            outputs[f"{key}/image"], outputs[f"{key}/ddf"] = (
                gradient.numpy() for gradient in gradients
            )
    np.savez(outputs_file, **outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
