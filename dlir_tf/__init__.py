"""Deep learning image registration, affine and deformable, in TensorFlow and Keras.

The names below are imported when they are first used, so that `import dlir_tf`
takes no time; TensorFlow alone would need seconds.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlir_tf import layers as layers
    from dlir_tf import losses as losses
    from dlir_tf.cohort import PairResult as PairResult
    from dlir_tf.cohort import register_pairs as register_pairs
    from dlir_tf.config import Config as Config
    from dlir_tf.config import load_config as load_config
    from dlir_tf.images import Image as Image
    from dlir_tf.images import read_image as read_image
    from dlir_tf.images import read_labels as read_labels
    from dlir_tf.images import write_image as write_image
    from dlir_tf.models.folder import Model as Model
    from dlir_tf.models.litert import LiteRTModel as LiteRTModel
    from dlir_tf.models.loading import load_model as load_model
    from dlir_tf.models.model import build_model as build_model
    from dlir_tf.quality import Report as Report
    from dlir_tf.quality import write_report as write_report
    from dlir_tf.refinement import refine as refine
    from dlir_tf.registration import Registration as Registration
    from dlir_tf.registration import register as register
    from dlir_tf.series import Tracking as Tracking
    from dlir_tf.series import track as track
    from dlir_tf.training import train as train
    from dlir_tf.transforms import Transform as Transform
    from dlir_tf.transforms import read_transform as read_transform
    from dlir_tf.transforms import write_transform as write_transform

from dlir_tf._version import __version__ as __version__

_HOMES = {
    "Config": "config",
    "Image": "images",
    "LiteRTModel": "models.litert",
    "Model": "models.folder",
    "PairResult": "cohort",
    "Registration": "registration",
    "Report": "quality",
    "Tracking": "series",
    "Transform": "transforms",
    "build_model": "models.model",
    "load_config": "config",
    "load_model": "models.loading",
    "read_image": "images",
    "read_labels": "images",
    "read_transform": "transforms",
    "refine": "refinement",
    "register": "registration",
    "register_pairs": "cohort",
    "track": "series",
    "train": "training",
    "write_image": "images",
    "write_report": "quality",
    "write_transform": "transforms",
}

_MODULES = ("layers", "losses")

__all__ = sorted([*_HOMES, *_MODULES, "__version__"])


# What can't be imported without Keras.
_KERAS = {"Model", "build_model", "refine", "train", *_MODULES}


def __getattr__(name: str) -> Any:
    if name in _KERAS:
        from dlir_tf.compute.settings import check_backend

        check_backend()
    if name in _MODULES:
        return importlib.import_module(f"dlir_tf.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'dlir_tf' has no attribute {name!r}")
    return getattr(importlib.import_module(f"dlir_tf.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
