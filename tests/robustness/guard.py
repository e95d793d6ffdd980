"""A process that reads files for another one, which it may not survive.

A line on stdin has a path and how to read it; a line on stdout says what came of it, in
how many seconds and with how much memory.
"""

import hashlib
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.config import load_config
from dlir_tf.errors import InputError
from dlir_tf.images import read_frames, read_image, read_labels, read_points
from dlir_tf.models.litert_file import read_model_file
from dlir_tf.transforms import read_transform

ADDRESS_SPACE = 12 << 30
_POINTS = np.array([[1.0, 2.0, 3.0], [-20.0, 15.0, 75.0]])


def _seen(image):
    channels = b"" if image.channels is None else image.channels.tobytes()
    return [
        channels,
        image.array.shape,
        str(image.array.dtype),
        image.array.tobytes(),
        image.affine,
    ]


def _transform(path):
    transform = read_transform(path)
    points = _POINTS[:, : transform.ndim]
    return [transform.map_points(points), transform.inverse().map_points(points)]


READERS: dict[str, Callable[[Path], list[Any]]] = {
    "image": lambda path: _seen(read_image(path)),
    "labels": lambda path: _seen(read_labels(path)),
    "frames": lambda path: [part for f in read_frames(path) for part in _seen(f)],
    "transform": _transform,
    "points": lambda path: [read_points(path)],
    "model": lambda path: [repr(read_model_file(path))],
    "config": lambda path: [repr(load_config(str(path)))],
}


def _digest(parts):
    whole = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            part = np.round(part.astype(np.float64), 6).tobytes()
        whole.update(part if isinstance(part, bytes) else repr(part).encode())
    return whole.hexdigest()


def _peak_megabytes():
    """The most memory since `_forget_peak`."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def _forget_peak():
    Path("/proc/self/clear_refs").write_text("5")


def _outcome(kind, path):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            digest = _digest(READERS[kind](path))
        except InputError as error:
            said = str(error)
            # A config has a line for each of its faults.
            if not said or ("\n" in said and kind not in ("model", "config")):
                return {"is": "wrong", "said": f"not one sentence: {said!r:.300}"}
            return {"is": "refused", "said": said[:500]}
        except BaseException as error:  # that is what is looked for
            return {"is": "wrong", "said": f"{type(error).__name__}: {error!s:.300}"}
    words = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    return {"is": "read", "digest": digest, "said": " | ".join(words)[:300]}


def main():
    """Answers lines until there are no more."""
    import SimpleITK  # noqa: F401  # not to be counted with the first file

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    answers = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        kind, path = json.loads(line)
        _forget_peak()
        before, start = _peak_megabytes(), time.monotonic()
        answer = _outcome(kind, Path(path))
        answer["seconds"] = round(time.monotonic() - start, 3)
        answer["megabytes"] = _peak_megabytes() - before
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
