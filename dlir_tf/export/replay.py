"""Runs an exported model where nothing of ours can be imported.

This is a script, which `dlir_tf.export.fresh_process` starts in a process of its own:
`python -P replay.py EXPORTED INPUTS OUTPUTS`. EXPORTED is the folder of a SavedModel,
which TensorFlow runs, or a TFLite file, which LiteRT runs. INPUTS and OUTPUTS are
.npz files. The arrays of the call number `n` are named `n/SIGNATURE/NAME`; `timed`
holds the numbers of the calls whose time counts. The outputs hold of each call besides
`n/SIGNATURE/peak_mb`, the most memory that the process has had until then, and of a
timed one `n/SIGNATURE/seconds`: of the first call, and the median of some later ones.
If they can't be written, the last thing on stderr is the number of the system's error,
and the exit code is NOT_WRITTEN.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

NUM_TIMED = 3
NOT_WRITTEN = 74  # as `sysexits.h` has it
Call = Callable[[dict[str, Any]], dict[str, Any]]


def main(exported: str, inputs_file: str, outputs_file: str) -> None:
    """Makes each call of the inputs, one after another."""
    open_exported = _saved_model if os.path.isdir(exported) else _litert_file
    signature = open_exported(exported)
    import numpy as np

    with np.load(inputs_file) as stored:
        inputs = dict(stored)
    timed = inputs.pop("timed", ())
    outputs: dict[str, Any] = {}
    calls = {tuple(name.split("/")[:2]) for name in inputs}
    for number, name in sorted(calls, key=lambda call: int(call[0])):
        prefix = f"{number}/{name}/"
        given = {
            key.removeprefix(prefix): array
            for key, array in inputs.items()
            if key.startswith(prefix)
        }
        call = signature(name)
        results, first = _timed(call, given)
        outputs |= {prefix + key: array for key, array in results.items()}
        outputs[prefix + "peak_mb"] = np.float64(_peak_mb())
        if int(number) in timed:
            later = [_timed(call, given)[1] for _ in range(NUM_TIMED)]
            outputs[prefix + "seconds"] = np.array([first, np.median(later)])
    try:
        np.savez(outputs_file, **outputs)
    except OSError as error:
        print(error.errno, file=sys.stderr)
        sys.exit(NOT_WRITTEN)


def _timed(call: Call, given: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Makes a call; returns its outputs and the seconds that it took."""
    start = time.perf_counter()
    results = call(given)
    return results, time.perf_counter() - start


def _saved_model(folder: str) -> Callable[[str], Call]:
    """Loads a SavedModel; the function returned gives a signature by its name."""
    # TensorFlow imports Keras by itself where it can; what needs either fails here.
    _forbid("dlir_tf", "keras")
    import numpy as np
    import tensorflow as tf

    signatures = tf.saved_model.load(folder).signatures

    def plain(tensor: Any) -> Any:
        # Texts come as objects, which only pickle could store.
        array = tensor.numpy()
        return np.char.decode(array.astype("S")) if array.dtype == object else array

    def signature(name: str) -> Call:
        serve = signatures[name]
        wanted = serve.structured_input_signature[1]

        def call(given: dict[str, Any]) -> dict[str, Any]:
            tensors = {key: tf.constant(given[key]) for key in wanted}
            return {key: plain(out) for key, out in serve(**tensors).items()}

        return call

    return signature


def _litert_file(path: str) -> Callable[[str], Call]:
    """Opens a TFLite file; the function returned gives a signature by its name."""
    _forbid("dlir_tf", "keras", "tensorflow")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=os.cpu_count())

    @cache
    def signature(name: str) -> Call:
        run = interpreter.get_signature_runner(name)
        return lambda given: run(**given)

    return signature


def _forbid(*packages: str) -> None:
    """Lets every later import of these packages fail."""
    for name in packages:
        sys.modules[name] = None  # type: ignore[assignment]


def _peak_mb() -> float:
    """The most memory that this process has had; 0 where the system doesn't tell."""
    # On Linux, ru_maxrss starts with that of the process which started this one.
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            peak = next(line for line in status if line.startswith("VmHWM:"))
        return float(peak.split()[1]) * 1024 / 1e6
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes, on a Mac


if __name__ == "__main__":
    main(*sys.argv[1:])
