"""Runs a SavedModel where nothing is imported but NumPy and TensorFlow.

This is a script, which `dlir_tf.export.fresh_process` starts in a process of its own:
`python -P replay.py SAVEDMODEL INPUTS OUTPUTS`. Both files are .npz; the arrays of
the pair number `n` are named `n/NAME`. The outputs hold `n/seconds` besides.
"""

import sys
import time

NUM_TIMED = 3


def main(folder: str, inputs_file: str, outputs_file: str) -> None:
    """Calls the default signature on each pair of the inputs."""
    import numpy as np
    import tensorflow as tf

    serve = tf.saved_model.load(folder).signatures["serving_default"]
    with np.load(inputs_file) as stored:
        inputs = {name: tf.constant(stored[name]) for name in stored.files}
    outputs = {}
    for number in sorted({name.split("/")[0] for name in inputs}):
        prefix = f"{number}/"
        pair = {
            name.removeprefix(prefix): tensor
            for name, tensor in inputs.items()
            if name.startswith(prefix)
        }
        for name, tensor in serve(**pair).items():
            outputs[prefix + name] = tensor.numpy()
        outputs[prefix + "seconds"] = np.float64(_seconds(serve, pair))
    if "dlir_tf" in sys.modules:
        sys.exit("dlir_tf was imported to load or run the SavedModel")
    np.savez(outputs_file, **outputs)


def _seconds(serve, pair) -> float:  # type: ignore[no-untyped-def]
    """The median time of some calls; it went through a first one already."""
    times = []
    for _ in range(NUM_TIMED):
        start = time.perf_counter()
        for tensor in serve(**pair).values():
            tensor.numpy()
        times.append(time.perf_counter() - start)
    return sorted(times)[NUM_TIMED // 2]


if __name__ == "__main__":
    main(*sys.argv[1:])
