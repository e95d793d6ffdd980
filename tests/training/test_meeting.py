"""Workers go on when all are there, and are told who isn't."""

import socket
import threading
import time

import pytest

from dlir_tf.compute.machines import Cluster
from dlir_tf.errors import InputError
from dlir_tf.training.meeting import wait_for_all


@pytest.fixture
def addresses():
    """Three addresses at which nobody listens."""
    listeners = [socket.create_server(("localhost", 0)) for _ in range(3)]
    found = [f"localhost:{each.getsockname()[1]}" for each in listeners]
    for listener in listeners:
        listener.close()
    return tuple(found)


def test_none_goes_on_before_the_last_has_come(addresses):
    gone_on = []

    def come(index, after):
        time.sleep(after)
        wait_for_all(Cluster(addresses, index, "test"), 60)
        gone_on.append((index, time.monotonic()))
        # As TensorFlow does, in the place of those who have seen all.
        with socket.create_server(("", int(addresses[index].split(":")[1]))):
            stay.wait()

    stay, began = threading.Event(), time.monotonic()
    threads = [
        threading.Thread(target=come, args=(index, after))
        for index, after in enumerate((0.0, 0.1, 0.6))
    ]
    for thread in threads:
        thread.start()
    while len(gone_on) < 3 and time.monotonic() < began + 60:
        time.sleep(0.05)
    stay.set()
    for thread in threads:
        thread.join()
    assert sorted(index for index, _ in gone_on) == [0, 1, 2]
    assert min(moment for _, moment in gone_on) >= began + 0.6


def test_who_is_missing_is_named(addresses):
    with pytest.raises(InputError, match="2 of 3 workers") as caught:
        wait_for_all(Cluster(addresses, 1, "test"), 0.3)
    assert f"({addresses[0]}, {addresses[2]})" in str(caught.value)


def test_an_address_that_is_taken(addresses):
    with (
        socket.create_server(("", int(addresses[0].split(":")[1]))),
        pytest.raises(InputError, match=f"{addresses[0]}: this worker can't listen"),
    ):
        wait_for_all(Cluster(addresses, 0, "test"), 0.3)
