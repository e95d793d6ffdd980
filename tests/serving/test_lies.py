"""Servers whose answers lie: a sentence, in time, and nothing of them on a terminal."""

import json
import time

import grpc
import numpy as np
import pytest
from lying_server import (
    ABOUT,
    CONFIG,
    GRID,
    LATTICE,
    SHAPE,
    described,
    failing,
    good_metadata,
    good_outputs,
    http,
    lying_by_grpc,
    lying_by_rest,
    predicted,
    tensor,
    trickling,
)

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.serving import Server, by_rest, register_remotely
from dlir_tf.serving.failures import ServerError

# What moves a terminal's cursor, changes colours, rings, or turns text around.
CONTROLS = "\x1b[2J\x1b]0;owned\x07 no \u202egnihton\u2069 \x9b31m \r\x00"
NEST = 100_000


@pytest.fixture
def pair(rng):
    voxels = rng.random(SHAPE).astype(np.float32)
    return Image(voxels, GRID), Image(voxels[::-1].copy(), GRID)


def refused(pair, address, timeout=20):
    """What is said of the server that lies."""
    with pytest.raises(ServerError) as caught:
        register_remotely(*pair, server=Server(address, timeout=timeout))
    told = str(caught.value)
    assert told.isprintable(), "one line, and nothing that a terminal obeys"
    assert len(told) < 1000
    return told


@pytest.mark.parametrize("lying", [lying_by_rest, lying_by_grpc])
def test_the_server_is_believed_when_it_tells_the_truth(lying, pair):
    with lying() as address:
        result = register_remotely(*pair, server=Server(address))
    np.testing.assert_array_equal(result.displacement, 0)


def without(name):
    return {key: each for key, each in good_outputs().items() if key != name}


def about(**instead):
    said = {"config": CONFIG, "provenance": {}, **instead}
    return {"model_json": [json.dumps(said)]}


ZEROS = np.zeros(LATTICE)
OUTPUTS = {
    "a list": [1],
    "null": None,
    "a text": "affine",
    "one number": 1.0,
    "nothing": {},
    **{f"without {name}": without(name) for name in good_outputs()},
    **{
        what: {**good_outputs(), **lie}
        for what, lie in {
            "affine a number": {"affine": 1.0},
            "affine true": {"affine": [[[True] * 4] * 4]},
            "affine empty": {"affine": []},
            "affine an empty pair": {"affine": [[]]},
            "affine ragged": {"affine": [[[1, 2], [3]]]},
            "affine 3 by 3": {"affine": [np.eye(3).tolist()]},
            "affine 5 by 5": {"affine": [np.eye(5).tolist()]},
            "affine of two pairs": {"affine": [np.eye(4).tolist()] * 2},
            "affine texts": {"affine": [[["a"] * 4] * 4]},
            "affine a mapping": {"affine": {"0": 1}},
            "affine nested": {"affine": eval("[" * 40 + "1" + "]" * 40)},  # noqa: S307
            "affine singular": {"affine": [np.diag([1.0, 0, 1, 1]).tolist()]},
            "affine all zeros": {"affine": [np.zeros((4, 4)).tolist()]},
            "affine projective": {"affine": [(np.eye(4) + GRID[::-1]).tolist()]},
            "affine huge": {"affine": [(np.eye(4) * 1e300).tolist()]},
            "affine beyond float64": {"affine": [[[10**400] * 4] * 4]},
            "affine NaN": {"affine": [(np.eye(4) * np.nan).tolist()]},
            "grid 3 by 3": {"grid_affine": [np.eye(3).tolist()]},
            "grid elsewhere": {"grid_affine": [(GRID + np.eye(4, k=3)).tolist()]},
            "grid infinite": {"grid_affine": [np.full((4, 4), np.inf).tolist()]},
            "control points NaN": {"control_points_2": (ZEROS + np.nan).tolist()},
            "control points far": {"control_points_2": (ZEROS + 1e30).tolist()},
            "control points 2-d": {"control_points_2": ZEROS[..., 0].tolist()},
            "control points of another lattice": {
                "control_points_2": ZEROS[:, 1:].tolist()
            },
            "control points of two components": {
                "control_points_2": ZEROS[..., :2].tolist()
            },
            "about a number": {"model_json": [1.0]},
            "about one text": {"model_json": ABOUT},
            "about texts and numbers": {"model_json": [ABOUT, 1]},
            "about two models": {"model_json": [ABOUT, ABOUT]},
            "about nothing": {"model_json": [""]},
            "about nested": {"model_json": ["[" * NEST]},
            "about long": {"model_json": [ABOUT + " " * 2**19]},
            "config null": about(config=None),
            "config a list": about(config=[1]),
            "config nested": about(config=eval("[" * 90 + "]" * 90)),  # noqa: S307
            "config controls": about(config={CONTROLS: CONTROLS}),
            "provenance a list": about(provenance=[1]),
            "digest a list": about(provenance={"weights_sha256": [CONTROLS]}),
            "digest controls": about(provenance={"weights_sha256": CONTROLS}),
        }.items()
    },
}


@pytest.mark.parametrize("lie", OUTPUTS.values(), ids=OUTPUTS)
def test_outputs_by_rest_that_lie(lie, pair):
    with lying_by_rest(outputs=http({"outputs": lie})) as address:
        refused(pair, address)


def signature(**instead):
    (found,) = good_metadata()["metadata"]["signature_def"]["signature_def"].values()
    signatures = {"parameters": {**found, **instead}}
    return {"metadata": {"signature_def": {"signature_def": signatures}}}


METADATA = {
    "null": {"metadata": None},
    "a list": [1],
    "signatures a list": {"metadata": {"signature_def": {"signature_def": [1]}}},
    "signatures a text": {"metadata": {"signature_def": "signature_def"}},
    "signature null": {
        "metadata": {"signature_def": {"signature_def": {"parameters": None}}}
    },
    "inputs a list": signature(inputs=["fixed"]),
    "inputs null": signature(inputs=None),
    "input null": signature(inputs=dict.fromkeys(("fixed", "moving"))),
    "shape a list": signature(inputs={"fixed": {"tensor_shape": []}}),
    "dim a number": signature(inputs={"fixed": {"tensor_shape": {"dim": 3}}}),
    "outputs a number": signature(outputs=3),
    "outputs missing": signature(outputs={}),
}


@pytest.mark.parametrize("lie", METADATA.values(), ids=METADATA)
def test_descriptions_by_rest_that_lie(lie, pair):
    with lying_by_rest(metadata=http(lie)) as address:
        refused(pair, address)


MANY = b"0123456789abcdef" * 2**14
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def endless(channel):
    channel.sendall(CHUNKED)
    while True:
        channel.sendall(b"%x\r\n%s\r\n" % (len(MANY), MANY))


WIRE = {
    "nothing": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "no JSON": http(b"<html>"),
    "JSON cut": http(json.dumps({"outputs": good_outputs()}).encode()[:-40]),
    "JSON nested": http(b"[" * NEST),
    "JSON nested in a mapping": http(b'{"outputs":' * NEST),
    "a number of many digits": http(b'{"outputs": {"affine": ' + b"9" * 9999 + b"}}"),
    "not UTF-8": http(b'{"outputs": "\xff\xfe\xfd"}'),
    "half a surrogate": http(b'{"error": "\\ud83d"}', "500 Oops"),
    "shorter than said": http({"outputs": good_outputs()}, length=10**6),
    "longer than said": http({"outputs": good_outputs()}, length=99),
    "of negative length": http({"outputs": []}, length=-5),
    "of a length of words": http({"outputs": []}, length="many"),
    "of a gigantic length": http({"outputs": good_outputs()}, length=10**15),
    "endless": endless,
    "chunks of no length": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "chunks cut": CHUNKED + b"ff\r\n{}",
    "a gigantic header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10**6,
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10**4 + b"\r\n",
    "a redirect": http(b"", "302 Found\r\nLocation: http://127.0.0.1:1/"),
    "a redirect of JSON": http({}, "307 Found\r\nLocation: file:///etc/passwd"),
    "a status of words": b"HTTP/1.1 two OK\r\n\r\n",
    "compressed": http(b"\x1f\x8b\x08\x00", "200 OK\r\nContent-Encoding: gzip"),
    "an error of controls": http({"error": CONTROLS}, "500 Oops"),
    "an error that is none": http({"error": {"a": [1]}}, "400 Bad Request"),
    "an error that is long": http({"error": "long " * 10**5}, "503 Busy"),
    "a reason of controls": http({}, f"500 {CONTROLS[:8]}"),
}


@pytest.mark.parametrize("lie", WIRE.values(), ids=WIRE)
@pytest.mark.parametrize("place", ["metadata", "outputs"])
def test_bytes_by_rest_that_lie(lie, place, pair, monkeypatch):
    monkeypatch.setattr(by_rest, "_MAX_TEXT", 2**22)
    with lying_by_rest(**{place: lie}) as address:
        refused(pair, address)


TRICKLES = {
    "a status line": trickling(b"HTTP/1.1 20", b"0"),
    "headers": trickling(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", every=0.2),
    "more to wait for": trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": trickling(http(b"", length=10**5)),
    "a body without a length": trickling(b"HTTP/1.1 200 OK\r\n\r\n"),
    "chunks": trickling(CHUNKED, b"1\r\n \r\n"),
}


@pytest.mark.parametrize("lie", TRICKLES.values(), ids=TRICKLES)
@pytest.mark.parametrize("place", ["metadata", "outputs"])
def test_time_limits_hold_while_bytes_trickle(lie, place, pair):
    with lying_by_rest(**{place: lie}) as address:
        start = time.perf_counter()
        assert "no answer within 0.6 s" in refused(pair, address, timeout=0.6)
    assert time.perf_counter() - start < 3


def eye(**values):
    return tensor((1, 4, 4), **values)


TENSORS = {
    **{f"{name} missing": {name: None} for name in good_outputs()},
    "bytes that aren't floats": {"affine": eye(tensor_content=b"abc")},
    "too few bytes": {"affine": eye(tensor_content=bytes(60))},
    "too many numbers": {"affine": eye(float_val=[1.0] * 17)},
    "no numbers": {"affine": eye()},
    "another type": {"affine": tensor((1, 4, 4), 2, tensor_content=bytes(128))},
    "a type that isn't": {"affine": tensor((1, 4, 4), -7, float_val=[1.0])},
    "texts": {"affine": tensor((1, 4, 4), 7, string_val=[b"1"] * 16)},
    "negative sizes": {"affine": tensor((-1, -1), float_val=[1.0])},
    "65 axes": {"affine": tensor((1,) * 65, float_val=[1.0])},
    "no batch": {"affine": tensor((), float_val=[1.0])},
    "an empty batch": {"affine": tensor((0, 4, 4))},
    "two pairs": {"affine": tensor((2, 4, 4), float_val=[1.0])},
    "a gigantic shape": {"affine": tensor((1, 2**40, 4), float_val=[1.0])},
    "a shape beyond 64 bits": {"affine": tensor((2**62, 2**62), float_val=[1.0])},
    "NaN": {"affine": eye(float_val=[float("nan")])},
    "infinite": {"control_points_2": tensor(LATTICE, float_val=[float("inf")])},
    "far": {"control_points_2": tensor(LATTICE, float_val=[3e38])},
    "another lattice": {"control_points_2": tensor((1, 8, 9, 12, 3), float_val=[0])},
    "not UTF-8": {"model_json": tensor((1,), 7, string_val=[b"\xff"])},
    "no text": {"model_json": tensor((1,), 7)},
    "two texts": {"model_json": tensor((2,), 7, string_val=[ABOUT.encode()] * 2)},
    "numbers for a text": {"model_json": tensor((1,), float_val=[1.0])},
    "nested": {"model_json": tensor((1,), 7, string_val=[b"[" * NEST])},
}
MESSAGES_OF_LIES = {
    **{what: predicted(**lie) for what, lie in TENSORS.items()},
    "nothing": b"",
    "garbled": b"\xff\xff\xff\xff",
    "cut": predicted()[:-7],
    "names that aren't UTF-8": predicted().replace(b"affine", b"\xff\xfeffin"),
    "gigantic": bytes(2**25),
    "a status of controls": failing(grpc.StatusCode.INTERNAL, CONTROLS),
    "a long status": failing(grpc.StatusCode.UNAVAILABLE, "long " * 1000),
    "a status that isn't": failing(grpc.StatusCode.DATA_LOSS, ""),
}


@pytest.mark.parametrize("lie", MESSAGES_OF_LIES.values(), ids=MESSAGES_OF_LIES)
def test_outputs_by_grpc_that_lie(lie, pair, capfd):
    with lying_by_grpc(outputs=lie) as address:
        refused(pair, address)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("lie", [b"", b"\xff\xff", described(b"\xff\xff\xff")])
def test_descriptions_by_grpc_that_lie(lie, pair, capfd):
    with lying_by_grpc(metadata=lie) as address:
        refused(pair, address)
    assert "Traceback" not in capfd.readouterr().err


def test_an_answer_that_unpacks_to_a_thousand_times_its_size_is_not_unpacked(pair):
    zeros = bytes(2**28)
    gzip = grpc.Compression.Gzip
    with lying_by_grpc(outputs=zeros, compression=gzip) as address:
        refused(pair, address)


def test_why_a_model_is_missing_is_told_without_control_characters(pair):
    missing = failing(grpc.StatusCode.NOT_FOUND, CONTROLS)
    garbled = b"\xff\xff"
    with lying_by_grpc(metadata=missing, status=garbled) as address:
        assert "there is no model 'dlir'" in refused(pair, address)


def test_what_a_model_says_of_images_is_told_without_control_characters(pair):
    failed = failing(
        grpc.StatusCode.INVALID_ARGUMENT, f"assertion failed: [mend {CONTROLS}it]"
    )
    with lying_by_grpc(outputs=failed) as address, pytest.raises(InputError) as caught:
        register_remotely(*pair, server=Server(address))
    assert str(caught.value).startswith("mend ")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("timeout", [1e9, 1e300])
@pytest.mark.parametrize("lying", [lying_by_rest, lying_by_grpc])
def test_a_long_time_is_waited_for_and_does_not_end_at_once(lying, timeout, pair):
    with lying() as address:
        register_remotely(*pair, server=Server(address, timeout=timeout))
