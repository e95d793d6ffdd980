"""The models that the tests of serving ask for, written to be served.

A script: `python served_models.py FOLDER` writes them as `FOLDER/NAME/1`, and a
configuration of TensorFlow Serving that serves them all, `FOLDER/models.config`. What
`known` and `known-2d` give for a pair is known from a few lines of NumPy,
`known_parameters`.
"""

import json
import sys
from pathlib import Path

import numpy as np

SPACINGS = {2: {2: (8, 4), 3: (2, 2)}, 3: {2: (8, 4, 1), 3: (4, 2, 1)}}
# World to world, neither symmetric nor near the identity.
AFFINE = {
    2: [[1.05, 0.08, -3.0], [-0.02, 0.97, 2.5], [0, 0, 1]],
    3: [
        [1.05, 0.08, 0.0, -3.0],
        [-0.02, 0.97, 0.03, 2.5],
        [0, 0.01, 1, 4],
        [0, 0, 0, 1],
    ],
}


def config(ndim):
    """Of a model whose working grid is the fixed image's own, if its axes are RAS."""
    deformable = [
        {
            "transform": "bspline",
            "downsample": 1,
            "control_point_spacing": list(spacing),
        }
        for spacing in SPACINGS[ndim].values()
    ]
    affine = {
        "transform": "affine",
        "downsample": 1,
        "feature_spacing": [8, 4, 1][:ndim],
    }
    return {"ndim": ndim, "spacing": [None] * ndim, "stages": [affine, *deformable]}


def lattice_shape(size, spacing):
    return [-(-n // s) + 4 for n, s in zip(size, spacing, strict=True)]


def known_parameters(fixed, moving, fixed_affine):
    """What the model finds, in NumPy: waves whose height the images set."""
    ndim = fixed.ndim
    height = (moving.max() - fixed.min()) / 1000
    splines = {}
    for number, spacing in SPACINGS[ndim].items():
        shape = (*lattice_shape(fixed.shape, spacing), ndim)
        wave = np.sin(0.7 * np.arange(np.prod(shape)) + number).reshape(shape)
        splines[number] = height * wave, spacing
    return np.array(AFFINE[ndim]), splines, fixed_affine


def write_known_model(folder, ndim):
    import tensorflow as tf

    shapes = {"fixed": [None] * (ndim + 1), "fixed_affine": [None, ndim + 1, ndim + 1]}
    specs = [
        tf.TensorSpec(shapes[name.replace("moving", "fixed")], tf.float32, name)
        for name in ("fixed", "moving", "fixed_affine", "moving_affine")
    ]
    # Held by a variable, so that there is something to restore.
    module = tf.Module()
    module.affine = tf.Variable(AFFINE[ndim], dtype=tf.float32)

    def splines_of(fixed, moving):
        outputs = {}
        axes = list(range(1, ndim + 1))
        height = tf.reduce_max(moving, axes) - tf.reduce_min(fixed, axes)
        for number, spacing in SPACINGS[ndim].items():
            shape = [-(-tf.shape(fixed)[a + 1] // s) + 4 for a, s in enumerate(spacing)]
            steps = tf.cast(tf.range(tf.reduce_prod(shape) * ndim), tf.float64)
            wave = tf.sin(0.7 * steps + float(number))
            heights = tf.cast(height, tf.float64)[:, None] / 1000
            points = tf.cast(heights * wave[None], tf.float32)
            whole = tf.concat([tf.shape(fixed)[:1], shape, [ndim]], axis=0)
            outputs[f"control_points_{number}"] = tf.reshape(points, whole)
            outputs[f"control_point_spacing_{number}"] = tf.repeat(
                tf.constant([spacing], tf.float32), tf.shape(fixed)[0], axis=0
            )
        return outputs

    about = json.dumps({"config": config(ndim), "provenance": {"weights_sha256": "ab"}})

    @tf.function(input_signature=specs, autograph=False)
    def parameters(fixed, moving, fixed_affine, moving_affine):
        finite = tf.reduce_all(tf.math.is_finite(moving))
        sentence = (
            "pair {} of the batch: the 'moving' image has NaN [or infinite] voxels"
        )
        check = tf.debugging.Assert(finite, [tf.strings.format(sentence, [0])])
        with tf.control_dependencies([check]):
            batch = tf.shape(fixed)[0]
            affine = tf.repeat(module.affine[None], batch, axis=0)
            return {
                "affine": affine,
                "grid_affine": tf.identity(fixed_affine),
                "model_json": tf.repeat(tf.constant([about]), batch),
                **splines_of(fixed, moving),
            }

    tf.saved_model.save(module, str(folder), signatures={"parameters": parameters})


def write_other_model(folder):
    """One that has nothing to do with registration."""
    import tensorflow as tf

    module = tf.Module()
    module.half = tf.Variable(0.5)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def plus_two(x):
        return {"y": module.half * x + 2.0}

    tf.saved_model.save(module, str(folder), signatures=plus_two)


def write_known(folder):
    write_known_model(folder / "known" / "1", 3)
    write_known_model(folder / "known-2d" / "1", 2)
    write_other_model(folder / "other" / "1")
    write_other_model(folder / "slow" / "1")
    broken = folder / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "saved_model.pb").write_bytes(b"not a graph")


def write_config(folder):
    """For a real server; it would refuse to start with a model that is broken."""
    names = sorted(path.name for path in folder.iterdir() if path.name != "broken")
    config = "".join(
        f'  config {{ name: "{name}" base_path: "/models/{name}" '
        'model_platform: "tensorflow" }\n'
        for name in names
    )
    (folder / "models.config").write_text(f"model_config_list {{\n{config}}}\n")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write_known(target)
    write_config(target)
