"""What must hold of a server's answer before anything is made of it."""

import json
from typing import Any

import numpy as np

from dlir_tf.config import MATRIX, Config
from dlir_tf.config.reading import parse_config
from dlir_tf.errors import InputError
from dlir_tf.serving.connection import Arrays
from dlir_tf.serving.failures import AnswerError

# A config and where its model comes from are some three kilobytes.
_MAX_ABOUT = 2**18
# No stage moves points by more than this many times the working grid's extent, and no
# affine stage squeezes by more; what does can't be inverted, nor said in mm.
_FARTHEST = 10.0
_FLATTEST = 1e-6


def of_one_pair(outputs: Arrays) -> Arrays:
    """Takes a batch of one pair apart.

    Raises:
        AnswerError: If it isn't one, or has numbers that aren't finite.
    """
    for name, array in outputs.items():
        if array.ndim < 1 or len(array) != 1:
            raise AnswerError(f"{name} isn't that of one pair")
        if array.dtype != object and not np.isfinite(array).all():
            raise AnswerError(f"{name} has numbers that aren't finite")
    return {name: array[0] for name, array in outputs.items()}


def described_model(answer: Arrays, source: str) -> tuple[Config, dict[str, Any]]:
    """Reads what the answer says of the model.

    Args:
        answer: For one pair.
        source: Whose it is, for messages.

    Returns:
        Its config and its provenance.

    Raises:
        AnswerError: If it isn't a text of the right form.
        InputError: If it's the config of another version of dlir-tf.
    """
    text = answer.get("model_json")
    if not isinstance(text, str) or len(text) > _MAX_ABOUT:
        raise AnswerError("model_json isn't a short text")
    try:
        about = json.loads(text)
        config, provenance = about["config"], about["provenance"]
        if not isinstance(provenance, dict):
            raise TypeError
        digest = provenance.get("weights_sha256")
        if digest is not None and not (isinstance(digest, str) and digest.isalnum()):
            raise TypeError
        return parse_config(json.dumps(config), source), provenance
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise AnswerError("model_json doesn't describe a model") from error


def check_parameters(answer: Arrays, config: Config) -> None:
    """Refuses an answer without the parameters that the config's stages have.

    Args:
        answer: For one pair, of finite numbers.
        config: The model's.

    Raises:
        AnswerError: If one is missing, or of a shape that it can't have.
    """
    ndim = config.ndim
    ranks = {name: ndim + 1 for _, name, _ in config.deformable_stages}
    for name, rank in {MATRIX: 2, "grid_affine": 2, **ranks}.items():
        array = answer.get(name)
        if array is None:
            raise AnswerError(f"{name} is missing")
        if not isinstance(array, np.ndarray) or array.dtype == object:
            raise AnswerError(f"{name} isn't made of numbers")
        square = rank != 2 or array.shape == (ndim + 1, ndim + 1)
        if array.ndim != rank or not square or array.shape[-1] < ndim:
            raise AnswerError(f"{name} has the shape {array.shape}")
    for name in (MATRIX, "grid_affine"):
        if not _is_map(answer[name].astype(np.float64)):
            raise AnswerError(f"{name} isn't a matrix from world to world")


def _is_map(matrix: np.ndarray) -> bool:
    last = np.eye(len(matrix))[-1]
    singular = np.linalg.svd(matrix[:-1, :-1], compute_uv=False)
    ratio = singular[-1] / singular[0] if singular[0] > 0 else 0.0
    return bool(ratio > _FLATTEST) and np.allclose(matrix[-1], last, atol=1e-6)


def is_too_far(control_points: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether a spline moves points to where no model would.

    Args:
        control_points: In voxels of the working grid.
        shape: Of that grid.
    """
    return bool(np.abs(control_points).max(initial=0) > _FARTHEST * max(shape))
