"""Runs all signatures of a SavedModel by whatever TensorFlow this is.

`python -P run_savedmodel.py INPUTS OUTPUTS FOLDER...`. Both files are .npz, their
arrays are named `FOLDER'S NAME:SIGNATURE:NAME`. Nothing but NumPy and TensorFlow is
imported, so that the oldest of them can run it.
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf


def main(inputs_file, outputs_file, *folders):
    outputs = {"version": np.array(tf.__version__)}
    with np.load(inputs_file) as stored:
        inputs = dict(stored)
    for folder in map(pathlib.Path, folders):
        signatures = tf.saved_model.load(str(folder)).signatures
        for key in sorted({name.rsplit(":", 1)[0] for name in inputs}):
            name, signature = key.split(":")
            if name != folder.name:
                continue
            arguments = {
                name.rsplit(":", 1)[1]: tf.constant(array)
                for name, array in inputs.items()
                if name.startswith(key + ":")
            }
            for result, tensor in signatures[signature](**arguments).items():
                array = tensor.numpy()
                if array.dtype == object:  # texts
                    array = array.astype(bytes)
                outputs[f"{key}:{result}"] = array
    np.savez(outputs_file, **outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
