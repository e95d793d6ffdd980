"""Loading a model, whatever it's kept in: a model folder, or a LiteRT file.

A model that ships with the package is a model folder, too, and has a name.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Union

from dlir_tf.compute.settings import check_backend
from dlir_tf.config import Config, read_config
from dlir_tf.models.folder_files import CONFIG_FILE, check_model_folder
from dlir_tf.models.general import ConfigByRank, GeneralModel, general_config
from dlir_tf.models.litert_file import SUFFIX, read_model_file
from dlir_tf.models.names import find_model, is_general, is_name, warn_of_folder

if TYPE_CHECKING:
    from dlir_tf.models.folder import Model
    from dlir_tf.models.litert import LiteRTModel


def load_model(
    path: str | Path,
) -> Union["Model", "LiteRTModel", GeneralModel]:
    """Loads a trained model, to be given to `dlir_tf.register`.

    Nothing in it is executed.

    Args:
        path: A model folder, as `dlir-tf train` left it; or a `.tflite` file, as
            `dlir-tf export --format tflite` wrote it, for which neither TensorFlow
            nor Keras is imported; or the name of a model that ships with the package,
            such as `"cardiac-cine"`. A string that is such a name is that model; a
            folder of the same name is meant by a `Path`, or by `"./cardiac-cine"`.

    Returns:
        A `Model` of a folder, which has the Keras model too; a `LiteRTModel` of a file;
        of `"general"` a `GeneralModel`, which is loaded when the rank of a pair says
        which of the two is meant.

    Raises:
        InputError: If it's missing, incomplete, damaged or of another version; or if
            it's a file and `ai-edge-litert` isn't installed.
    """
    if isinstance(path, str) and is_name(path):
        warn_of_folder(path)
    if is_litert(path):
        from dlir_tf.models.litert import load_litert

        return load_litert(path)
    check_backend()
    if is_general(path):
        return GeneralModel()
    from dlir_tf.models.folder import load_model as load_folder

    return load_folder(find_model(path))


def check_model(path: str | Path) -> Config | ConfigByRank:
    """Refuses what can't be loaded, as far as a look at the files tells.

    Returns:
        What the model was built from; of `general`, for each rank of images.

    Raises:
        InputError: If it's missing, incomplete, damaged or of another version.
    """
    if is_litert(path):
        return read_model_file(path)[1].config
    if is_general(path):
        return general_config()
    folder = find_model(path)
    check_model_folder(folder)
    return read_config(folder / CONFIG_FILE)


def is_litert(path: str | Path) -> bool:
    """Whether a model is a LiteRT file, by its name; folders may be called anything."""
    return Path(path).suffix == SUFFIX and not Path(path).is_dir()
