"""A server that answers whatever it's told to, in this process.

By REST it writes bytes as they are, status line and all, so that no library mends a
lie; by gRPC it answers bytes of messages, or with a status. What nobody lies about is
answered well: a model of an affine and a deformable stage that moves nothing.
"""

import contextlib
import json
import re
import socket
import ssl
import threading
import time
from concurrent import futures

import grpc
import numpy as np

from dlir_tf.serving.messages import MESSAGES

GRID = np.diag([2.0, 2.0, 3.0, 1.0])
SHAPE = (24, 20, 8)
LATTICE = (1, 7, 9, 12, 3)
CONFIG = {
    "ndim": 3,
    "spacing": [None] * 3,
    "stages": [
        {"transform": "affine", "downsample": 1, "feature_spacing": [8, 4, 1]},
        {"transform": "bspline", "downsample": 1, "control_point_spacing": [8, 4, 1]},
    ],
}
ABOUT = json.dumps({"config": CONFIG, "provenance": {"weights_sha256": "ab"}})
INPUTS = {"fixed": 4, "moving": 4, "fixed_affine": 3, "moving_affine": 3}


def good_outputs():
    return {
        "affine": [np.eye(4).tolist()],
        "grid_affine": [GRID.tolist()],
        "model_json": [ABOUT],
        "control_points_2": np.zeros(LATTICE).tolist(),
    }


def good_metadata():
    signature = {
        "inputs": {
            name: {"tensor_shape": {"dim": [{}] * n}} for name, n in INPUTS.items()
        },
        "outputs": {name: {} for name in good_outputs()},
    }
    signatures = {"signature_def": {"parameters": signature}}
    return {"metadata": {"signature_def": signatures}}


def http(body, status="200 OK", length=None):
    """An answer by HTTP as bytes; its length may be a lie."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    length = len(text) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n".encode() + text


@contextlib.contextmanager
def lying_by_rest(metadata=None, outputs=None, *, tls=None, seen=None):
    """Serves lies, each the bytes of an answer or a function that sends them.

    Args:
        metadata: In the place of the model's description.
        outputs: In the place of what it finds.
        tls: The files of a certificate and its key, if others mustn't listen.
        seen: A list that gets what each request says of who asks.
    """
    answers = {
        False: http(good_metadata()) if metadata is None else metadata,
        True: http({"outputs": good_outputs()}) if outputs is None else outputs,
    }
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                channel, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(channel,), daemon=True).start()

    context = None if tls is None else ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if tls is not None:
        context.load_cert_chain(*tls)

    def talk(channel):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            stack.enter_context(channel)
            if context is not None:
                channel = context.wrap_socket(channel, server_side=True)
                stack.enter_context(channel)
            request = _read_request(channel)
            if seen is not None:
                said = re.findall(rb"(?i)\r\nauthorization: ([^\r]*)", request)
                seen.extend(each.decode() for each in said or [b""])
            answer = answers[request.startswith(b"POST")]
            answer(channel) if callable(answer) else channel.sendall(answer)
            channel.shutdown(socket.SHUT_WR)
            channel.recv(1)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.close()


def _read_request(channel):
    head, _, body = _until_blank_line(channel)
    lines = dict(n.lower().split(b": ") for n in head.split(b"\r\n")[1:])
    missing = int(lines.get(b"content-length", 0)) - len(body)
    while missing > 0:
        missing -= len(channel.recv(2**16))
    return head


def _until_blank_line(channel):
    text = b""
    while b"\r\n\r\n" not in text:
        part = channel.recv(2**16)
        if not part or part.startswith(b"\x16"):  # a greeting by TLS is no request
            raise OSError
        text += part
    return text.partition(b"\r\n\r\n")


def trickling(first, rest=b" ", every=0.1):
    """Sends a beginning, and then a byte now and then, for long."""

    def send(channel):
        channel.sendall(first)
        for _ in range(300):
            channel.sendall(rest)
            time.sleep(every)

    return send


def tensor(dims, dtype=1, **values):
    shape = MESSAGES["TensorShape"](dim=[{"size": size} for size in dims])
    return MESSAGES["Tensor"](dtype=dtype, tensor_shape=shape, **values)


def good_tensors():
    return {
        "affine": tensor((1, 4, 4), float_val=np.eye(4).ravel()),
        "grid_affine": tensor((1, 4, 4), float_val=GRID.ravel()),
        "model_json": tensor((1,), 7, string_val=[ABOUT.encode()]),
        "control_points_2": tensor(LATTICE, float_val=[0.0]),
    }


def predicted(**instead):
    """The bytes of an answer to Predict; tensors that are `None` are left out."""
    response = MESSAGES["PredictResponse"]()
    for name, value in {**good_tensors(), **instead}.items():
        if value is not None:
            response.outputs.add(key=name, value=value)
    return response.SerializeToString()


def described(signatures=None):
    """The bytes of an answer to GetModelMetadata."""
    found = MESSAGES["SignatureMap"]()
    entry = found.signature_def.add(key="parameters")
    for name, rank in INPUTS.items():
        dims = [{"size": -1}] * rank
        shape = MESSAGES["TensorShape"](dim=dims)
        entry.value.inputs.add(key=name).value.tensor_shape.CopyFrom(shape)
    for name in good_tensors():
        entry.value.outputs.add(key=name)
    value = found.SerializeToString() if signatures is None else signatures
    response = MESSAGES["MetadataResponse"]()
    response.metadata.add(key="signature_def", value=MESSAGES["Any"](value=value))
    return response.SerializeToString()


def failing(code, details):
    """A call that ends with a status."""
    return lambda context: context.abort(code, details)


@contextlib.contextmanager
def lying_by_grpc(
    metadata=None, outputs=None, status=None, compression=None, *, tls=None, seen=None
):
    """Serves lies, each the bytes of a message or a function that fails a call."""

    def handler(lie, truth):
        def answer(_, context):
            if seen is not None:
                said = dict(context.invocation_metadata())
                seen.append(said.get("authorization", ""))
            made = truth() if lie is None else lie
            return made(context) if callable(made) else made

        return grpc.unary_unary_rpc_method_handler(answer)

    methods = {
        "PredictionService": {
            "Predict": handler(outputs, predicted),
            "GetModelMetadata": handler(metadata, described),
        },
        "ModelService": {"GetModelStatus": handler(status, lambda: b"")},
    }
    server = grpc.server(
        futures.ThreadPoolExecutor(2),
        options=[("grpc.max_send_message_length", -1)],
        compression=compression,
    )
    for service, handlers in methods.items():
        name = f"tensorflow.serving.{service}"
        generic = grpc.method_handlers_generic_handler(name, handlers)
        server.add_generic_rpc_handlers((generic,))
    if tls is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        certificate, key = (file.read_bytes() for file in tls)
        credentials = grpc.ssl_server_credentials([(key, certificate)])
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)
