"""The moment at which all workers of a training are there.

TensorFlow waits for them too, but within its C++ code: for an hour, without a word of
who is missing, and deaf to Ctrl-C. So they are met here first.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from dlir_tf.compute.machines import Cluster
from dlir_tf.errors import InputError

_BETWEEN_TRIES = 0.2


def wait_for_all(cluster: Cluster, seconds: float = 600.0) -> None:
    """Returns as soon as every worker of a cluster has been reached.

    Each listens at its own address meanwhile. Whoever has seen all goes on, and
    TensorFlow listens there in its place, which is as good to those who still wait.

    Args:
        cluster: The workers.
        seconds: How long they are waited for.

    Raises:
        InputError: If one can't be reached in that time, or this one can't listen.
    """
    own = cluster.addresses[cluster.index]
    missing = [address for address in cluster.addresses if address != own]
    deadline = time.monotonic() + seconds
    with _listening(own):
        while missing:
            missing = [address for address in missing if not _is_there(address)]
            if missing and time.monotonic() > deadline:
                raise InputError(
                    f"{len(missing)} of {len(cluster.addresses)} workers couldn't be "
                    f"reached within {seconds:g} s ({', '.join(missing[:4])}); start "
                    "all of them, each with the addresses of all, on ports that are "
                    "open between the machines"
                )
            if missing:
                time.sleep(_BETWEEN_TRIES)


def _is_there(address: str) -> bool:
    host, port = _split(address)
    with (
        contextlib.suppress(OSError),
        socket.create_connection((host, port), timeout=2.0),
    ):
        return True
    return False


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


@contextlib.contextmanager
def _listening(address: str) -> Iterator[None]:
    """Accepts whoever comes to an address within the block."""
    port = _split(address)[1]
    try:
        listener = socket.create_server(("", port), backlog=128)
    except OSError as error:
        raise InputError(
            f"{address}: this worker can't listen there ({error.strerror}); give it "
            "another port, in the addresses of all workers"
        ) from error
    listener.settimeout(_BETWEEN_TRIES)
    done = threading.Event()

    def accept() -> None:
        while not done.is_set():
            with contextlib.suppress(OSError):
                listener.accept()[0].close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        listener.close()
