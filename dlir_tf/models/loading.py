"""Loading a model, whatever it's kept in: a model folder, or a LiteRT file."""

from pathlib import Path
from typing import TYPE_CHECKING, Union

from dlir_tf.compute.settings import check_backend
from dlir_tf.config import Config, read_config
from dlir_tf.models.folder_files import CONFIG_FILE, check_model_folder
from dlir_tf.models.litert_file import SUFFIX, read_model_file

if TYPE_CHECKING:
    from dlir_tf.models.folder import Model
    from dlir_tf.models.litert import LiteRTModel


def load_model(path: str | Path) -> Union["Model", "LiteRTModel"]:
    """Loads a trained model, to be given to `dlir_tf.register`.

    Nothing in it is executed.

    Args:
        path: A model folder, as `dlir-tf train` left it; or a `.tflite` file, as
            `dlir-tf export --format tflite` wrote it, for which neither TensorFlow
            nor Keras is imported.

    Returns:
        A `Model` of a folder, which has the Keras model too; a `LiteRTModel` of a file.

    Raises:
        InputError: If it's missing, incomplete, damaged or of another version; or if
            it's a file and `ai-edge-litert` isn't installed.
    """
    if is_litert(path):
        from dlir_tf.models.litert import load_litert

        return load_litert(path)
    check_backend()
    from dlir_tf.models.folder import load_model as load_folder

    return load_folder(path)


def check_model(path: str | Path) -> Config:
    """Refuses what can't be loaded, as far as a look at the files tells.

    Returns:
        What the model was built from.

    Raises:
        InputError: If it's missing, incomplete, damaged or of another version.
    """
    if is_litert(path):
        return read_model_file(path)[1].config
    check_model_folder(Path(path))
    return read_config(Path(path) / CONFIG_FILE)


def is_litert(path: str | Path) -> bool:
    """Whether a model is a LiteRT file, by its name; folders may be called anything."""
    return Path(path).suffix == SUFFIX and not Path(path).is_dir()
