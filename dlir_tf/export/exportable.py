"""What of a config a SavedModel can't do."""

from dlir_tf.config import Config
from dlir_tf.errors import InputError


def check_exportable(config: Config) -> None:
    """Refuses a config whose initial alignment isn't one of the exported graph.

    Raises:
        InputError: If it's `search` or `pose`.
    """
    if config.initial_alignment in ("search", "pose"):
        raise InputError(
            f"initial_alignment: {config.initial_alignment} can't be done in a "
            "SavedModel's graph, only header, centers and mass can; export with "
            "--format tflite, which leaves it to dlir-tf, or train with one of the "
            "others"
        )
