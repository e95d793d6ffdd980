"""A stand-in for TensorFlow Serving's binary, made of what that is made of.

TensorFlow's C++ loader and session run the SavedModel, in a process in which neither
dlir_tf nor Keras can be imported, behind the real gRPC services and the REST API. Codes
and messages of errors are those of TensorFlow Serving, and so is the form of its
answers. It's a script: `python model_server.py FOLDER [--loading NAME]` serves the
highest version of every model `FOLDER/NAME/VERSION`; the models named by `--loading`
stay in the state LOADING. A line of JSON says when it's ready, and its ports.
"""

import argparse
import json
import sys
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

# TensorFlow itself imports Keras if it's there; for this process there is none.
for name in ("dlir_tf", "keras", "tf_keras"):
    sys.modules[name] = None

import grpc  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

STATES = get_model_status_pb2.ModelVersionStatus
CODES = {code.value[0]: code for code in grpc.StatusCode}
HTTP_STATUS = {3: 400, 5: 404, 9: 412, 8: 429, 12: 501, 14: 503}
MAX_MESSAGE = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]


class RefusedError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code, self.message = code, message


class Model:
    """The highest version of a model, loaded as the C++ server loads it."""

    def __init__(self, home, loading):
        versions = [int(path.name) for path in home.iterdir() if path.name.isdigit()]
        self.version, self.state, self.error = max(versions), STATES.LOADING, ""
        self.num_warm_ups = 0
        if loading:
            return
        folder = home / str(self.version)
        try:
            self._session = tf.compat.v1.Session(graph=tf.Graph())
            load = tf.compat.v1.saved_model.loader.load
            meta_graph = load(self._session, ["serve"], str(folder))
            self.signatures = meta_graph.signature_def
            self.state = STATES.AVAILABLE
            self._warm_up(folder / "assets.extra" / "tf_serving_warmup_requests")
        except (OSError, tf.errors.OpError, RefusedError) as error:
            self.state, self.error = STATES.END, str(error)

    def _warm_up(self, path):
        if not path.is_file():
            return
        for record in tf.compat.v1.io.tf_record_iterator(str(path)):
            log = prediction_log_pb2.PredictionLog.FromString(record)
            request = log.predict_log.request
            arrays = {name: tf.make_ndarray(t) for name, t in request.inputs.items()}
            self.run(request.model_spec.signature_name, arrays)
            self.num_warm_ups += 1

    def run(self, name, inputs, output_filter=()):
        name = name or "serving_default"
        if name not in self.signatures:
            raise RefusedError(3, f'Serving signature key "{name}" not found.')
        signature = self.signatures[name]
        if set(inputs) != set(signature.inputs):
            sizes = f"{len(inputs)}!={len(signature.inputs)}"
            raise RefusedError(3, f"input size does not match signature: {sizes}")
        feeds = {}
        for key, info in signature.inputs.items():
            if inputs[key].dtype != tf.as_dtype(info.dtype).as_numpy_dtype:
                raise RefusedError(3, f"input {key} has another type than {info.dtype}")
            feeds[info.name] = inputs[key]
        outputs = {
            key: info.name
            for key, info in signature.outputs.items()
            if not output_filter or key in output_filter
        }
        try:
            return self._session.run(outputs, feeds)
        except tf.errors.OpError as error:
            raise RefusedError(error.error_code, error.message) from error
        except ValueError as error:  # shapes that the graph doesn't take
            raise RefusedError(3, str(error)) from error


class Models:
    def __init__(self, folder, loading):
        homes = [p for p in sorted(folder.iterdir()) if any(p.glob("[0-9]*/*.pb"))]
        self._models = {home.name: Model(home, home.name in loading) for home in homes}

    def known(self, name):
        if name not in self._models:
            raise RefusedError(5, f"Could not find any versions of model {name}")
        return self._models[name]

    def serving(self, name):
        model = self._models.get(name)
        if model is None or model.state != STATES.AVAILABLE:
            raise RefusedError(5, f"Servable not found for request: Latest({name})")
        return model

    def metadata(self, name):
        model = self.serving(name)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = name
        response.model_spec.version.value = model.version
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for key, signature in model.signatures.items():
            signatures.signature_def[key].CopyFrom(signature)
        response.metadata["signature_def"].Pack(signatures)
        return response

    def status(self, name):
        model = self.known(name)
        response = get_model_status_pb2.GetModelStatusResponse()
        version = response.model_version_status.add()
        version.version, version.state = model.version, model.state
        version.status.error_code = 2 if model.error else 0
        version.status.error_message = model.error
        return response

    def warm_ups(self):
        return {name: model.num_warm_ups for name, model in self._models.items()}


def answering(method):
    def answer(self, request, context):
        try:
            return method(self, request)
        except RefusedError as error:
            context.abort(CODES[error.code], error.message)

    return answer


class Service(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    def __init__(self, models):
        self._models = models

    @answering
    def Predict(self, request):  # noqa: N802
        model = self._models.serving(request.model_spec.name)
        inputs = {name: tf.make_ndarray(t) for name, t in request.inputs.items()}
        signature = request.model_spec.signature_name
        outputs = model.run(signature, inputs, request.output_filter)
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for name, array in outputs.items():
            response.outputs[name].CopyFrom(as_tensor(array))
        return response

    @answering
    def GetModelMetadata(self, request):  # noqa: N802
        return self._models.metadata(request.model_spec.name)

    @answering
    def GetModelStatus(self, request):  # noqa: N802
        return self._models.status(request.model_spec.name)


def as_tensor(array):
    """As the C++ server does by default: one field entry per number."""
    dtype = tf.as_dtype(array.dtype) if array.dtype != object else tf.string
    shape = tf.TensorShape(array.shape).as_proto()
    tensor = predict_pb2.PredictResponse().outputs["x"]
    tensor.dtype = dtype.as_datatype_enum
    tensor.tensor_shape.CopyFrom(shape)
    field = {tf.float32: "float_val", tf.int32: "int_val", tf.string: "string_val"}
    getattr(tensor, field[dtype]).extend(array.ravel().tolist())
    return tensor


def rest_handler(models):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self._answer(self._get)

        def do_POST(self):
            self._answer(self._predict)

        def _answer(self, make):
            try:
                status, answer = 200, make()
            except RefusedError as error:
                status = HTTP_STATUS.get(error.code, 500)
                answer = {"error": error.message}
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _get(self):
            _, version, kind, name, *rest = self.path.split("/")
            if (version, kind) != ("v1", "models") or rest not in ([], ["metadata"]):
                raise RefusedError(3, f"Malformed request: GET {self.path}")
            message = models.metadata(name) if rest else models.status(name)
            return json_format.MessageToDict(
                message,
                preserving_proto_field_name=True,
                always_print_fields_with_no_presence=True,
            )

        def _predict(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            name, _, verb = self.path.rpartition("/")[2].partition(":")
            if verb != "predict":
                raise RefusedError(3, f"Malformed request: POST {self.path}")
            model, request = models.serving(name), json.loads(body)
            signature = model.signatures[
                request.get("signature_name", "serving_default")
            ]
            inputs = {
                key: np.array(
                    value, tf.as_dtype(signature.inputs[key].dtype).as_numpy_dtype
                )
                for key, value in request["inputs"].items()
            }
            outputs = model.run(request.get("signature_name", ""), inputs)
            listed = {
                key: (array.astype(str) if array.dtype == object else array).tolist()
                for key, array in outputs.items()
            }
            return {
                "outputs": listed if len(listed) > 1 else next(iter(listed.values()))
            }

        def log_message(self, *_):
            pass

    return Handler


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--loading", action="append", default=[])
    options = parser.parse_args()
    models = Models(options.folder, options.loading)
    server = grpc.server(futures.ThreadPoolExecutor(8), options=MAX_MESSAGE)
    service = Service(models)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    rest = ThreadingHTTPServer(("127.0.0.1", 0), rest_handler(models))
    Thread(target=rest.serve_forever, daemon=True).start()
    hello = {
        "grpc": f"127.0.0.1:{port}",
        "rest": f"http://127.0.0.1:{rest.server_port}",
        "warm_ups": models.warm_ups(),
    }
    print(json.dumps(hello), flush=True)
    sys.stdin.read()  # until whoever started this goes away


if __name__ == "__main__":
    main()
