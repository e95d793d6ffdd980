"""What the disk refuses TensorFlow, as the errors that Python has for it."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Raises TensorFlow's errors of writing as `OSError`, of this place.

    Raises:
        OSError: If the block can't write.
    """
    import tensorflow as tf

    full = (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError)
    try:
        yield
    except tf.errors.OpError as error:
        code, reason = errno.EIO, error.message
        if "File too large" in error.message:
            code, reason = errno.EFBIG, os.strerror(errno.EFBIG)
        elif isinstance(error, full):
            code, reason = errno.ENOSPC, os.strerror(errno.ENOSPC)
        raise OSError(code, reason, str(place)) from error
