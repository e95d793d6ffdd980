"""The model card's example must run as it stands there."""

from concurrent import futures
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import tensorflow as tf
import yaml

from dlir_tf.export.card import model_card
from dlir_tf.export.description import describe
from dlir_tf.export.parity import Parity, Timing

TIMING = Timing((2, 41, 44), (2, 37, 52), first_seconds=2.51, seconds=0.0581)
PARITY = Parity(3.1e-5, 2e-6, 1e-7, 4e-5, 0.0, 0.0, (TIMING,), peak_mb=901.4)


def card_of(model, **changed):
    described = describe(model, PARITY, name="hearts", version=7, xla=False)
    return model_card({**described, **changed})


def test_card_says_what_it_is_and_what_was_found(thick_model):
    card = card_of(thick_model)
    for part in (
        "# hearts, version 7\n\nrandom\n",
        "pairs of 3-d images",
        "a plain graph that every server runs",
        "after the initial alignment (`mass`)",
        "| output | `displacement` | float32 (batch, fixed_i, fixed_j, fixed_k, 3) "
        "| mm |",
        "at most 134217728 voxels, and 11585 along an axis",
        "| training data, SHA-256 | 0a1b2c |",
        "| displacement | 3.1e-05 mm |",
        "| time for 2×41×44 and 2×37×52 (batch×size) | 0.058 s; first call 2.5 s |",
    ):
        assert part in card, part
    config = card.split("```yaml\n")[1].split("```")[0]
    assert yaml.safe_load(config) == thick_model.config.model_dump(mode="json")
    assert "slice" not in card.split("## Limits")[1].split("##")[0]
    assert "(the server must have it)" in card_of(thick_model, xla=True)


def test_flat_card_leaves_slices_to_the_client(flat_model):
    assert "are a matter of the client" in card_of(flat_model)


@pytest.mark.parametrize("ndim", [2, 3])
def test_example_asks_a_server(
    ndim,
    flat_model,
    thick_model,
    tmp_path,
    monkeypatch,
):
    grpc = pytest.importorskip("grpc")
    apis = pytest.importorskip("tensorflow_serving.apis")
    from tensorflow_serving.apis import predict_pb2
    from tensorflow_serving.apis import prediction_service_pb2_grpc as service

    assert apis
    requests = []

    class Server(service.PredictionServiceServicer):  # type: ignore[misc]
        def Predict(self, request, _):  # noqa: N802 - gRPC's name
            requests.append(request)
            outputs = {
                "moved": tf.make_ndarray(request.inputs["moving"]) + 1,
                "displacement": np.zeros((1, 1200, 1000), np.float32),  # above 4 MB
            }
            protos = {key: tf.make_tensor_proto(a) for key, a in outputs.items()}
            return predict_pb2.PredictResponse(outputs=protos)

    voxels = np.arange(120, dtype=np.int16).reshape(
        (4, 5, 6)[:ndim] if ndim == 3 else (12, 10)
    )
    affine = np.diag([1.5, 2.0, 3.0, 1.0])
    affine[:3, 3] = [7, 8, 9]
    for name in ("fixed", "moving"):
        nib.save(nib.Nifti1Image(voxels, affine), tmp_path / f"{name}.nii.gz")
    monkeypatch.chdir(tmp_path)
    server = grpc.server(
        futures.ThreadPoolExecutor(1), options=[("grpc.max_send_message_length", -1)]
    )
    service.add_PredictionServiceServicer_to_server(Server(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        model = flat_model if ndim == 2 else thick_model
        example = card_of(model).split("```python\n")[1].split("```")[0]
        names: dict[str, Any] = {}
        exec(example.replace("localhost:8500", f"localhost:{port}"), names)  # noqa: S102
    finally:
        server.stop(None)
    np.testing.assert_array_equal(names["moved"], voxels + 1)
    (request,) = requests
    assert request.model_spec.name == "hearts"
    assert request.model_spec.signature_name == "serving_default"
    received = tf.make_ndarray(request.inputs["fixed_affine"])
    kept = [0, 1, 3] if ndim == 2 else [0, 1, 2, 3]
    np.testing.assert_array_equal(received[0], affine[np.ix_(kept, kept)])
    assert received.dtype == np.float32
