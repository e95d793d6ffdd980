"""Runs a SavedModel where neither dlir_tf nor Keras can be imported.

This is a script, which `dlir_tf.export.fresh_process` starts in a process of its own:
`python -P replay.py SAVEDMODEL INPUTS OUTPUTS`. Both files are .npz; the arrays of
the call number `n` are named `n/SIGNATURE/NAME`. The outputs hold `n/SIGNATURE/seconds`
besides, first call and later ones, and `peak_mb`, the memory of the whole process.
"""

import sys
import time
from typing import Any

NUM_TIMED = 3
# TensorFlow imports Keras by itself where it can; who needs either fails here.
FORBIDDEN = ("dlir_tf", "keras")


def main(folder: str, inputs_file: str, outputs_file: str) -> None:
    """Makes each call of the inputs."""
    for name in FORBIDDEN:
        sys.modules[name] = None  # type: ignore[assignment]
    import numpy as np
    import tensorflow as tf

    def plain(tensor: Any) -> Any:
        # Texts come as objects, which only pickle could store.
        array = tensor.numpy()
        return np.char.decode(array.astype("S")) if array.dtype == object else array

    signatures = tf.saved_model.load(folder).signatures
    with np.load(inputs_file) as stored:
        inputs = {name: tf.constant(stored[name]) for name in stored.files}
    outputs: dict[str, Any] = {}
    for call in sorted({name.rpartition("/")[0] for name in inputs}):
        prefix = f"{call}/"
        given = {
            name.removeprefix(prefix): tensor
            for name, tensor in inputs.items()
            if name.startswith(prefix)
        }
        serve = signatures[call.split("/")[1]]
        wanted = serve.structured_input_signature[1]
        given = {name: given[name] for name in wanted}
        times = []
        for _ in range(1 + NUM_TIMED):
            start = time.perf_counter()
            results = {name: plain(out) for name, out in serve(**given).items()}
            times.append(time.perf_counter() - start)
        outputs |= {prefix + name: array for name, array in results.items()}
        outputs[prefix + "seconds"] = np.array([times[0], np.median(times[1:])])
    outputs["peak_mb"] = np.float64(_peak_mb())
    np.savez(outputs_file, **outputs)


def _peak_mb() -> float:
    """The most memory that this process has had; 0 where the system doesn't tell."""
    # On Linux, ru_maxrss starts with that of the process which started this one.
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            peak = next(line for line in status if line.startswith("VmHWM:"))
        return float(peak.split()[1]) / 1024
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes, on a Mac


if __name__ == "__main__":
    main(*sys.argv[1:])
