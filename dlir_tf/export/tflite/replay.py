"""Runs a model's file where nothing is imported but NumPy and LiteRT.

This is a script, which `dlir_tf.export.tflite.parity` starts in a process of its own:
`python -P replay.py FILE INPUTS OUTPUTS`. INPUTS and OUTPUTS are .npz files;
the arrays of the pair number `n` are named `n/NAME`, what a signature makes of them
`n/SIGNATURE/NAME`. The outputs hold `seconds/SIGNATURE` besides, and
`peak_bytes/SIGNATURE`, the most memory so far.
"""

import os
import sys
import time

NUM_TIMED = 3
UNWANTED = ("dlir_tf", "keras", "tensorflow")


def main(model_file: str, inputs_file: str, outputs_file: str) -> None:
    """Calls every signature on each pair of the inputs."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model_file, num_threads=os.cpu_count())
    with np.load(inputs_file) as stored:
        inputs = {name: stored[name] for name in stored.files}
    numbers = sorted({name.split("/")[0] for name in inputs})
    outputs = {}
    # The one that needs less memory comes first in the alphabet.
    for signature in sorted(interpreter.get_signature_list()):
        run = interpreter.get_signature_runner(signature)
        for number in numbers:
            prefix = f"{number}/"
            pair = {
                name.removeprefix(prefix): array
                for name, array in inputs.items()
                if name.startswith(prefix)
            }
            for name, array in run(**pair).items():
                outputs[f"{prefix}{signature}/{name}"] = array
        outputs[f"seconds/{signature}"] = np.float64(_seconds(run, pair))
        outputs[f"peak_bytes/{signature}"] = np.float64(_peak_bytes())
    imported = [name for name in UNWANTED if name in sys.modules]
    if imported:
        sys.exit(f"{', '.join(imported)} was imported to run the model's file")
    np.savez(outputs_file, **outputs)


def _seconds(run, pair) -> float:  # type: ignore[no-untyped-def]
    """The median time of some calls; it went through a first one already."""
    times = []
    for _ in range(NUM_TIMED):
        start = time.perf_counter()
        run(**pair)
        times.append(time.perf_counter() - start)
    return sorted(times)[NUM_TIMED // 2]


def _peak_bytes() -> float:
    """The most memory that this process has had; 0 where the system doesn't tell."""
    # On Linux, ru_maxrss starts with that of the process which started this one.
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            peak = next(line for line in status if line.startswith("VmHWM:"))
        return 1024 * float(peak.split()[1])
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes, on a Mac


if __name__ == "__main__":
    main(*sys.argv[1:])
