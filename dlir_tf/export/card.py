"""`model_card.md`: what an exported model is, for people."""

from pathlib import Path
from typing import Any

import yaml

CARD_FILE = "model_card.md"

_TEMPLATE = """\
# {name}, version {version}

{description}

A model that registers pairs of {ndim}-d images in one shot: it finds the transform
that lays the moving image onto the fixed one. Exported by dlir-tf {dlir_tf} as a
TensorFlow SavedModel, {compiled}. It takes what the scanner
gave, on any grid, and needs nothing of dlir-tf. Everything here is also in
`signature.json`.

## Signatures

All inputs are raw: no scaling, no resampling, no channel axis. All pairs of a batch
have the same shapes; affines may differ. Sizes are free at every call. A transform
pulls back: it tells every voxel of the fixed image where in the moving image it
belongs.

{signatures}

## How to call it

Start a server on the folder above this version:

    tensorflow_model_server --port=8500 --model_name={name} \\
        --model_base_path=/path/to/{name}

and ask it, with `tensorflow-serving-api`, `nibabel` and TensorFlow installed:

```python
{example}
```

Images of more than 4 MB need the client's message sizes raised, as it is done here. An
image that doesn't fit is refused with the status INVALID_ARGUMENT and a sentence.

## Limits

- It registers images like those it was trained on; of others it knows nothing. It's no
  medical device: look at the result, and at the signature `quality`.
- Images must overlap after the initial alignment (`{alignment}`), have no NaN or
  infinite voxels, and not be constant. Headers that lie about the spacing give wrong
  millimetres.
- Its working grid has at most {max_voxels} voxels, and {longest} along an axis, like
  the images; what needs more is refused. Affines in micrometres do.
- Affines are float32: with a world's origin 10 m away they hold to 0.001 mm.
- `moved` is linear interpolation in float32, 0 outside the moving image.
- `parameters` needs all pairs of a batch on working grids of one shape.
{slices}
## Where it comes from

{provenance}

## What was checked

After the export it was loaded in a fresh process, without dlir-tf and Keras, and
compared with dlir-tf itself on generated images of several shapes, spacings and
orientations.
Allowed are {mm_tolerance} mm and {fraction_tolerance} of a range.

{parity}

## Config

```yaml
{config}```
"""

_EXAMPLE = """\
import grpc
import nibabel
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

fixed, moving = nibabel.load("fixed.nii.gz"), nibabel.load("moving.nii.gz")
inputs = {{
    "fixed": fixed.get_fdata(),
    "moving": moving.get_fdata(),
    "fixed_affine": {fixed_affine},
    "moving_affine": {moving_affine},
}}
request = predict_pb2.PredictRequest()
request.model_spec.name = "{name}"
request.model_spec.signature_name = "serving_default"
for key, array in inputs.items():
    tensor = tf.make_tensor_proto(array[np.newaxis].astype(np.float32))
    request.inputs[key].CopyFrom(tensor)
unlimited = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]
with grpc.insecure_channel("localhost:8500", options=unlimited) as channel:
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    response = stub.Predict(request, timeout=60)
moved = tf.make_ndarray(response.outputs["moved"])[0]
displacement = tf.make_ndarray(response.outputs["displacement"])[0]  # mm, RAS+"""

_SLICES = """\
- It takes 2-d images. A slice that is stored as a 3-d image with one voxel along an
  axis, and its place in space, are a matter of the client: `dlir-tf register` does it.
"""


def write_card(folder: Path, described: dict[str, Any]) -> None:
    """Writes `model_card.md` from what `dlir_tf.export.description` says."""
    (folder / CARD_FILE).write_text(model_card(described), encoding="utf-8")


def model_card(described: dict[str, Any]) -> str:
    """Returns the text of the card, in Markdown."""
    config, ndim = described["config"], described["ndim"]
    tolerances = described["parity"]["tolerances"]
    return _TEMPLATE.format(
        name=described["name"],
        version=described["version"],
        ndim=ndim,
        dlir_tf=described["dlir_tf"],
        description=config["description"] or "(its config has no description)",
        compiled=_compiled(described["xla"]),
        signatures="\n\n".join(_signature(*each) for each in _signatures(described)),
        example=_example(described["name"], ndim),
        alignment=config["initial_alignment"],
        max_voxels=described["max_voxels"],
        longest=described["max_voxels_along_an_axis"],
        slices=_SLICES if ndim == 2 else "",
        provenance=_provenance(described["provenance"]),
        parity=_parity(described["parity"]),
        mm_tolerance=tolerances["mm"],
        fraction_tolerance=tolerances["fraction"],
        config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
    )


def _compiled(xla: bool) -> str:
    if xla:
        return "its transforms compiled by XLA (the server must have it)"
    return "a plain graph that every server runs"


def _signatures(described: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(described["signatures"].items())


def _signature(name: str, signature: dict[str, Any]) -> str:
    lines = [f"### `{name}`", "", f"{signature['about'].capitalize()}.", ""]
    lines += ["| | name | type and shape | unit | |", "| --- | --- | --- | --- | --- |"]
    for kind in ("inputs", "outputs"):
        for key, tensor in signature[kind].items():
            shape = ", ".join(map(str, tensor["shape"]))
            lines.append(
                f"| {kind[:-1]} | `{key}` | {tensor['dtype']} ({shape}) "
                f"| {tensor['unit']} | {tensor['about']} |"
            )
    return "\n".join(lines)


def _example(name: str, ndim: int) -> str:
    # NIfTI files of 2-d images have a matrix for three axes all the same.
    plane = "" if ndim == 3 else "[[0, 1, 3]][:, [0, 1, 3]]"
    return _EXAMPLE.format(
        name=name,
        fixed_affine=f"fixed.affine{plane}",
        moving_affine=f"moving.affine{plane}",
    )


def _provenance(provenance: dict[str, Any]) -> str:
    if not provenance:
        return "Unknown: the model has no provenance."
    names = {
        "data_sha256": "training data, SHA-256",
        "validation_sha256": "validation data, SHA-256",
        "weights_sha256": "weights, SHA-256",
    }
    rows = [
        f"| {names.get(key, key.replace('_', ' '))} | {_cell(value)} |"
        for key, value in provenance.items()
    ]
    return "\n".join(["| | |", "| --- | --- |", *rows])


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _parity(parity: dict[str, Any]) -> str:
    rows = [
        ("displacement", f"{parity['displacement_mm']:.2g} mm"),
        ("moved image", f"{parity['moved']:.2g} of its range"),
        ("affine", f"{parity['affine_mm']:.2g} mm at the corners of the image"),
        ("control points", f"{parity['control_points_mm']:.2g} mm"),
        ("labels", f"{100 * parity['labels']:.2g} % of voxels"),
        ("similarities, smallest Jacobian", f"{parity['quality']:.2g}"),
        ("peak memory, TensorFlow included", f"{parity['peak_mb']:.0f} MB"),
    ]
    for timing in parity["timings"]:
        fixed, moving = ("×".join(map(str, timing[key])) for key in ("fixed", "moving"))
        later, first = timing["seconds"], timing["first_seconds"]
        name = f"time for {fixed} and {moving} (batch×size)"
        rows.append((name, f"{later:.2g} s; first call {first:.2g} s"))
    table = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join(["| largest difference, and cost | |", "| --- | --- |", *table])
