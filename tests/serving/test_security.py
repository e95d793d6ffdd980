"""Conversations that others can't read, and servers that know who asks."""

import os

import numpy as np
import pytest
from certificates import make_certificate
from lying_server import GRID, SHAPE, http, lying_by_grpc, lying_by_rest

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.serving import Server, register_remotely
from dlir_tf.serving.failures import ServerError

TOKEN = "eyJhbGciOi.J9-_~+/="  # noqa: S105
BOTH = pytest.mark.parametrize(
    ("lying", "scheme"), [(lying_by_rest, "https"), (lying_by_grpc, "grpcs")]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def certificate(folder):
    """The server's own, for localhost."""
    return make_certificate(folder, "server")


@pytest.fixture
def pair(rng):
    voxels = rng.random(SHAPE).astype(np.float32)
    return Image(voxels, GRID), Image(voxels[::-1].copy(), GRID)


def named(address, scheme, host="localhost"):
    """The same address by TLS, of the host that the certificate names."""
    return f"{scheme}://{host}:{address.rpartition(':')[2]}"


def ask(pair, address, **options):
    return register_remotely(*pair, server=Server(address, timeout=20, **options))


@BOTH
def test_a_pair_is_registered_by_tls(lying, scheme, certificate, pair):
    with lying(tls=certificate) as address:
        result = ask(pair, named(address, scheme), ca_file=certificate[0])
    np.testing.assert_array_equal(result.displacement, 0)


@BOTH
def test_a_server_that_nobody_vouches_for_gets_no_image(
    lying, scheme, certificate, folder, pair
):
    seen = []
    other, _ = make_certificate(folder, "other")
    with lying(tls=certificate, seen=seen) as address:
        for ca_file in (None, other):
            with pytest.raises(ServerError, match=r"can't be trusted .* --ca-file"):
                ask(pair, named(address, scheme), ca_file=ca_file)
    assert not seen


@BOTH
def test_a_server_that_vouches_for_another_host_gets_no_image(
    lying, scheme, folder, pair
):
    seen = []
    elsewhere = make_certificate(folder, "elsewhere", host="pacs.clinic.example")
    with (
        lying(tls=elsewhere, seen=seen) as address,
        pytest.raises(ServerError, match="can't be trusted"),
    ):
        ask(pair, named(address, scheme), ca_file=elsewhere[0])
    assert not seen


@BOTH
def test_tls_with_a_server_of_plain_text_is_a_sentence(
    lying, scheme, certificate, pair
):
    with (
        lying() as address,
        pytest.raises(ServerError, match=r"doesn't speak TLS|no server answers"),
    ):
        ask(pair, named(address, scheme), ca_file=certificate[0])


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_plain_text_with_a_server_of_tls_is_a_sentence(scheme, certificate, pair):
    lying = lying_by_rest if scheme == "http" else lying_by_grpc
    with lying(tls=certificate) as address, pytest.raises(ServerError):
        ask(pair, named(address, scheme))


@pytest.mark.parametrize("tls", [False, True])
@BOTH
def test_the_token_is_sent_with_every_request(
    lying, scheme, tls, certificate, pair, tmp_path
):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    seen = []
    with lying(tls=certificate if tls else None, seen=seen) as address:
        place = named(address, scheme) if tls else address
        ca_file = certificate[0] if tls else None
        server = Server(place, ca_file=ca_file, token_file=tmp_path / "token")
        register_remotely(*pair, server=server)
        assert TOKEN not in repr(server) + str(server)
    assert seen == [f"Bearer {TOKEN}"] * 2


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("401 Unauthorized", r"wants to know who asks .*--token-file"),
        ("403 Forbidden", r"may not use the model 'dlir' there .*--token-file"),
    ],
)
@pytest.mark.parametrize("body", [b"<html>", b'{"error": "go away"}'])
def test_a_server_that_lets_nobody_in_is_told_from_others(status, told, body, pair):
    with (
        lying_by_rest(metadata=http(body, status)) as address,
        pytest.raises(ServerError, match=told),
    ):
        ask(pair, address)


@pytest.mark.parametrize(
    "token",
    [b"", b" \n", b"two words", b"two\nlines", b"\xff", b"a" * 9000, b"\x1b[2J"],
)
def test_what_is_no_token_is_refused_before_anything_is_sent(token, tmp_path):
    path = tmp_path / "token"
    path.write_bytes(token)
    with pytest.raises(InputError, match=r"--token-file: .*token") as caught:
        Server("localhost:8500", token_file=path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("option", ["token_file", "ca_file"])
def test_a_file_that_is_not_there_is_named(option, tmp_path):
    place = tmp_path / "nothing"
    with pytest.raises(InputError, match=r"_*file: .*nothing can't be read: No such"):
        Server("grpcs://localhost:8500", **{option: place})


@pytest.mark.parametrize("option", ["token_file", "ca_file"])
@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a device", "bytes, more than"])
def test_what_has_no_end_or_is_too_long_is_not_read(option, kind, tmp_path):
    path = tmp_path / "file"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as stream:
            stream.truncate(10**10)
    with pytest.raises(InputError, match=f"-file: .*{kind}.*; give a text file"):
        Server("grpcs://localhost:8500", **{option: path})


def test_what_is_no_certificate_is_refused(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(InputError, match=r"--ca-file: .* certificates in the form PEM"):
        Server("https://localhost:8501", ca_file=tmp_path / "ca.pem")
    with pytest.raises(InputError, match=r"--ca-file: is for .* TLS"):
        Server("localhost:8500", ca_file=tmp_path / "ca.pem")


@pytest.mark.parametrize(
    "address",
    ["pacs-1:8500", "grpc://10.0.0.7:8500", "http://pacs.clinic.example:8501"],
)
def test_images_leave_this_machine_as_plain_text_only_if_asked_to(address):
    with pytest.raises(InputError, match=r"another machine, .* plain text"):
        Server(address)
    Server(address, insecure=True)


@pytest.mark.parametrize(
    "address",
    ["localhost:8500", "127.0.0.1:8500", "127.3.0.1:80", "http://[::1]:8501"],
)
def test_what_stays_on_this_machine_needs_no_encryption(address):
    Server(address)


def test_a_proxy_does_not_get_what_is_meant_for_this_machine(pair, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with lying_by_grpc() as address:
        ask(pair, address)
