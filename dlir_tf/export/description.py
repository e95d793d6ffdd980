"""`signature.json`: what an exported model takes and gives, for programs."""

import json
from pathlib import Path
from typing import Any

from dlir_tf._version import __version__
from dlir_tf.config import MATRIX, Config
from dlir_tf.export.graph.size import longest_axis
from dlir_tf.export.parity import Parity
from dlir_tf.export.version_folder import DESCRIPTION_FILE
from dlir_tf.metrics.similarity import most_alike
from dlir_tf.models.folder import Model
from dlir_tf.pairs.size import MAX_SERVED_VOXELS

# Changes with names, shapes or units of the signatures.
SIGNATURE_VERSION = 1

Tensor = dict[str, Any]


def describe(
    model: Model,
    parity: Parity,
    *,
    name: str,
    version: int,
    xla: bool,
    max_voxels: int = MAX_SERVED_VOXELS,
) -> dict[str, Any]:
    """Returns what is known of an exported model, as JSON can hold it."""
    return {
        "signature_version": SIGNATURE_VERSION,
        "name": name,
        "version": version,
        "dlir_tf": __version__,
        "xla": xla,
        "ndim": model.config.ndim,
        "max_voxels": max_voxels,
        "max_voxels_along_an_axis": longest_axis(max_voxels),
        "signatures": describe_signatures(model.config),
        "config": model.config.model_dump(mode="json"),
        "provenance": model.provenance,
        "parity": parity.as_dict(),
    }


def write_description(folder: Path, described: dict[str, Any]) -> None:
    """Writes `signature.json`."""
    text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
    (folder / DESCRIPTION_FILE).write_text(text, encoding="utf-8")


def describe_signatures(config: Config) -> dict[str, Any]:
    """Names, shapes and units of all signatures' inputs and outputs.

    In a shape, names stand for sizes that are free; the same name for the same size.
    """
    inputs = _inputs(config.ndim)
    labels = {
        "moving_labels": _tensor(
            inputs["moving"]["shape"], "label", "labels of the moving image", "int32"
        )
    }
    about = {
        "serving_default": "registers a pair and resamples the moving image",
        "parameters": "registers a pair; only the numbers that define the transform",
        "moved_labels": "registers a pair and carries labels of the moving image along",
        "quality": "registers a pair and measures how well",
    }
    outputs = {
        "serving_default": _registered(config.ndim),
        "parameters": _parameters(config),
        "moved_labels": {
            "moved_labels": _tensor(
                inputs["fixed"]["shape"],
                "label",
                "nearest label on the grid of fixed; 0 outside the moving image",
                "int32",
            )
        },
        "quality": _quality(config),
    }
    return {
        name: {
            "about": about[name],
            "inputs": {**inputs, **(labels if name == "moved_labels" else {})},
            "outputs": outputs[name],
        }
        for name in about
    }


def _tensor(shape: list[Any], unit: str, about: str, dtype: str = "float32") -> Tensor:
    return {"dtype": dtype, "shape": shape, "unit": unit, "about": about}


def _size(name: str, ndim: int) -> list[str]:
    return [f"{name}_{axis}" for axis in "ijk"[:ndim]]


def _inputs(ndim: int) -> dict[str, Tensor]:
    inputs = {}
    for name in ("fixed", "moving"):
        shape = ["batch", *_size(name, ndim)]
        about = f"voxels of the {name} image as they were stored, any range"
        inputs[name] = _tensor(shape, "any", about)
    for name in ("fixed", "moving"):
        about = f"voxel-to-world matrix of the {name} image, RAS+"
        inputs[f"{name}_affine"] = _tensor(["batch", ndim + 1, ndim + 1], "mm", about)
    return inputs


def _registered(ndim: int) -> dict[str, Tensor]:
    shape = ["batch", *_size("fixed", ndim)]
    return {
        "moved": _tensor(
            shape,
            "as moving",
            "the moving image on the grid of fixed, interpolated once, linearly; 0 "
            "where it comes from outside the moving image",
        ),
        "displacement": _tensor(
            [*shape, ndim],
            "mm",
            "for every voxel of fixed, where it comes from in moving minus where it "
            "is, along the world's axes, RAS+",
        ),
        MATRIX: _affine(ndim),
    }


def _affine(ndim: int) -> Tensor:
    return _tensor(
        ["batch", ndim + 1, ndim + 1],
        "mm",
        "world-to-world matrix from fixed to moving, RAS+, the initial alignment "
        "included; splines come before it",
    )


def _parameters(config: Config) -> dict[str, Tensor]:
    ndim = config.ndim
    outputs = {
        MATRIX: _affine(ndim),
        "grid_affine": _tensor(
            ["batch", ndim + 1, ndim + 1],
            "mm",
            "voxel-to-world matrix of the working grid, RAS+",
        ),
        "model_json": _tensor(
            ["batch"], "none", "the model's config and provenance, JSON", "string"
        ),
    }
    for number, name, stage in config.deformable_stages:
        outputs[name] = _tensor(
            ["batch", *_size(f"lattice_{number}", ndim), ndim],
            "voxels of the working grid",
            f"cubic B-spline of stage {number}; control point m lies at working voxel "
            "s m + (s - 1) / 2 - 2 s, where s is the spacing; points go through the "
            "last stage's spline first",
        )
        outputs[stage.spacing_name(number)] = _tensor(
            ["batch", ndim],
            "voxels of the working grid",
            f"between neighbouring control points of stage {number}",
        )
    return outputs


def _quality(config: Config) -> dict[str, Tensor]:
    kind = config.similarity.kind
    distances = {
        "mse": "minus the mean squared difference",
        "mind_ssc": "minus the distance of self-similarity contexts",
    }
    what = distances.get(kind, kind)
    best = f"{most_alike(kind):.0f} for equal images"
    alike = f"{what} on the working grid, where both images have voxels; {best}"
    return {
        "similarity_before": _tensor(
            ["batch"], "none", f"{alike}; after the initial alignment only"
        ),
        "similarity_after": _tensor(["batch"], "none", f"{alike}; registered"),
        "smallest_jacobian": _tensor(
            ["batch"],
            "none",
            "the smallest determinant of the transform's derivatives on the grid of "
            "fixed; 0 or less where it folds",
        ),
        "largest_displacement": _tensor(
            ["batch"], "mm", "on the grid of fixed, beyond the initial alignment"
        ),
    }
