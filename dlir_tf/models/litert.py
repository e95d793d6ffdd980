"""LiteRTModel: a model that registers without TensorFlow."""

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.models.litert_file import PARAMETERS, Card, read_model_file
from dlir_tf.models.parameters import Parameters

# What only registering needs is imported then: a service is ready sooner.
if TYPE_CHECKING:
    from dlir_tf.numerics import Numerics
    from dlir_tf.pairs.working_pair import WorkingPair


class LiteRTModel:
    """A trained model in one file, run by LiteRT on all cores of the processor.

    `dlir_tf.register` takes it in the place of a model folder's `Model`. Its working
    grid has a fixed shape: smaller images are padded to it, larger ones are refused.

    Args:
        flatbuffer: The TFLite model.
        card: What its file says of it.

    Attributes:
        config: What it was built from.
        shape: Voxels per axis of the working grid.
        precision: Of its weights: `float32`, `float16` or `int8`.
        provenance: Versions, seed, data digest and the like.

    Raises:
        InputError: If `ai-edge-litert` isn't installed, or can't run the model.
    """

    def __init__(self, flatbuffer: bytes, card: Card) -> None:
        self.config: Config = card.config
        self.shape = card.shape
        self.precision = card.precision
        self.provenance: dict[str, Any] = card.provenance
        self._runner = _signature_runner(flatbuffer)
        self._check_shape()
        # An interpreter has one set of tensors.
        self._lock = threading.Lock()

    def _check_shape(self) -> None:
        details = self._runner.get_input_details()
        for name in ("fixed", "moving"):
            taken = tuple(int(n) for n in details[name]["shape"][1:-1])
            if taken != self.shape:
                raise InputError(
                    f"its card says that it takes {name} images of the shape "
                    f"{self.shape}, but the model in it takes {taken}; copy it again, "
                    "or export it again"
                )

    @property
    def numerics(self) -> "Numerics":
        """Transforms are evaluated and images warped by NumPy and SciPy.

        So neither Keras nor TensorFlow need be installed.
        """
        from dlir_tf.numerics import UNCOMPILED

        return UNCOMPILED

    def predict(self, pair: "WorkingPair") -> Parameters:
        """Returns the parameters of a pair's transform, in voxels of its grid.

        Raises:
            InputError: If the pair's working grid has another shape than the model's.
        """
        if pair.grid.shape != self.shape:
            raise InputError(
                f"the model's working grid has the shape {self.shape}; prepare the "
                f"pair with this shape. Received: {pair.grid.shape}"
            )
        spacing = np.asarray(pair.grid.spacing, np.float32)
        with self._lock:
            outputs = self._runner(
                fixed=pair.fixed[None, ..., None],
                moving=pair.moving[None, ..., None],
                spacing=spacing[None],
            )
        arrays = {name: tensor[0].astype(float) for name, tensor in outputs.items()}
        return Parameters.of(arrays, self.config)


def load_litert(path: str | Path) -> LiteRTModel:
    """Loads the file of a LiteRT model.

    Args:
        path: As `dlir-tf export --format tflite` wrote it.

    Raises:
        InputError: If it can't be used, or `ai-edge-litert` isn't installed.
    """
    flatbuffer, card = read_model_file(path)
    try:
        return LiteRTModel(flatbuffer, card)
    except InputError as error:
        raise error.within(path) from error


def _signature_runner(flatbuffer: bytes) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise InputError(
            "a .tflite model is run by ai-edge-litert, which isn't installed; "
            "`pip install dlir-tf[litert]` brings it"
        ) from error
    try:
        interpreter = Interpreter(
            model_content=flatbuffer, num_threads=os.cpu_count() or 1
        )
        interpreter.allocate_tensors()  # now, not within the first registration
        return interpreter.get_signature_runner(PARAMETERS)
    except (ValueError, RuntimeError) as error:
        raise InputError(
            "this version of ai-edge-litert can't run the model "
            f"({' '.join(str(error).split())}); upgrade it"
        ) from error
