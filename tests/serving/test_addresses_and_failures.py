"""Addresses as users give them, and what they are told when something fails."""

import socket
import threading

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.serving import Server, by_grpc, by_rest, register_remotely
from dlir_tf.serving.address import Address, parse_address
from dlir_tf.serving.failures import CallError, ServerError, explain
from dlir_tf.serving.server import as_float32

HERE = Address("grpc", "localhost", 8500)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:8500", Address("grpc", "localhost", 8500)),
        ("grpc://10.0.0.7:8500", Address("grpc", "10.0.0.7", 8500)),
        (
            "http://pacs-1.clinic.example:80/",
            Address("http", "pacs-1.clinic.example", 80),
        ),
        ("[2001:db8::1]:8500", Address("grpc", "2001:db8::1", 8500)),
        ("grpcs://pacs-1:443", Address("grpcs", "pacs-1", 443)),
        ("https://localhost:8501", Address("https", "localhost", 8501)),
    ],
)
def test_an_address_is_read_and_written_again(text, expected):
    assert parse_address(text) == expected
    assert parse_address(str(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        ":8500",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:http",
        "ftps://localhost:8501",
        "http://localhost:8501/v1/models/dlir",
        "http://name:secret@localhost:8501",
        "local host:8500",
        "::1:8500",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InputError, match=r"--server: must be HOST:PORT .* Received"):
        Server(text)


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan"), float("inf")])
def test_a_timeout_that_never_or_always_ends_is_refused(timeout):
    with pytest.raises(InputError, match="--timeout: must be above 0"):
        Server("localhost:8500", timeout=timeout)


NO_ROUTE = "failed to connect; last error: UNKNOWN: ipv4:1.2.3.4:8500: No route to host"
FULL = "The batch scheduling queue to which this task was submitted is full"
ASSERTION = (
    "assertion failed: [pair 0 of the batch: it's [0, 1]; mend it]\n\t [[{{node a}}]]"
)
SEVERAL = (
    "2 root error(s) found.\n  (0) INVALID_ARGUMENT: assertion failed: [it\\'s [0, 1];]"
    " [mend it]\n\t [[{{node b}}]]\n0 successful operations."
)


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        (
            "UNAVAILABLE",
            NO_ROUTE,
            r"no server answers there \(No route to host\); start",
        ),
        ("UNAVAILABLE", FULL, r"the server is busy \(.*queue.* is full\); ask again"),
        (
            "RESOURCE_EXHAUSTED",
            "OOM in a tensor\nmore",
            r"of this size \(OOM in a t.*r\)",
        ),
        ("UNIMPLEMENTED", "", r"isn't TensorFlow Serving \(no reason given\)"),
        ("INTERNAL", "a bug\n[[node]]", r"the server failed \(INTERNAL\): a bug$"),
    ],
)
def test_each_failure_is_one_sentence_that_names_the_server(code, message, told):
    error = explain(CallError(code, message), HERE, "dlir", 5)
    assert isinstance(error, ServerError)
    assert str(error).startswith("localhost:8500: ")
    assert "\n" not in str(error)
    with pytest.raises(ServerError, match=told):
        raise error


@pytest.mark.parametrize("message", [ASSERTION, SEVERAL])
def test_what_the_model_says_of_the_images_is_passed_on(message):
    error = explain(CallError("INVALID_ARGUMENT", message), HERE, "dlir", 5)
    assert not isinstance(error, ServerError)
    assert str(error) == "it's [0, 1]; mend it"


@pytest.fixture
def pair():
    return [Image(np.ones((5, 4, 3), np.int16), np.eye(4))] * 2


@pytest.mark.parametrize("form", ["{}", "http://{}"])
def test_a_server_that_is_down_is_said_to_be(form, pair):
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ServerError, match=r"no server answers there \(.*refused\)"):
            register_remotely(*pair, server=Server(form.format(address)))


@pytest.mark.parametrize("form", ["{}", "http://{}"])
def test_a_server_that_says_nothing_is_waited_for_no_longer_than_asked(form, pair):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        server = Server(form.format(address), timeout=0.3)
        with pytest.raises(ServerError, match=r"no answer within 0\.3 s"):
            register_remotely(*pair, server=server)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "isn't TensorFlow Serving .it doesn't speak HTTP"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n<html>", "isn't TensorFlow Serving .*404"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "isn't TensorFlow Serving .* lacks metadata"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "no server answers there .*502"),
        (b"", "isn't TensorFlow Serving"),
    ],
)
def test_another_server_than_tensorflow_serving_is_recognised(answer, told, pair):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        def reply():
            channel, _ = other.accept()
            with channel:
                channel.recv(10_000)
                channel.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        server = Server(f"http://127.0.0.1:{other.getsockname()[1]}", timeout=5)
        with pytest.raises(ServerError, match=told):
            register_remotely(*pair, server=server)
        thread.join()


def test_more_than_a_message_can_hold_is_not_sent(monkeypatch):
    monkeypatch.setattr(by_grpc, "MAX_BYTES", 99)
    connection = by_grpc.GrpcConnection(HERE, "dlir", 1.0)
    with pytest.raises(InputError, match="can't hold more than 2; crop them"):
        connection.predict("parameters", {"fixed": np.ones(25, np.float32)})


def test_more_than_memory_holds_as_text_is_not_made(monkeypatch):
    monkeypatch.setattr(by_rest, "free_memory", lambda: 1599)
    connection = by_rest.RestConnection(HERE, "dlir", 1.0)
    with pytest.raises(InputError, match=r"have 25 voxels, .* ask by gRPC"):
        connection.predict("parameters", {"fixed": np.ones(25, np.float32)})


def test_values_that_float32_cannot_hold_are_refused_and_infinite_ones_left():
    with pytest.raises(InputError, match=r"the moving image has values up to 1e\+200"):
        as_float32(np.array([0, -1e200]), "moving")
    assert np.isinf(as_float32(np.array([0, np.inf]), "moving")).any()
