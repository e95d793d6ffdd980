"""What is said of a model that ships: its size, what it was trained on, its licence."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlir_tf.config import Config, read_config
from dlir_tf.models.folder_files import CONFIG_FILE, check_model_folder
from dlir_tf.models.names import SHIPPED, find_model

ATTRIBUTION_FILE = "ATTRIBUTION.md"


@dataclass(frozen=True)
class ModelCard:
    """What one should know before using a model.

    Attributes:
        name: What it is asked for by.
        config: What it was built from.
        provenance: How it was made; `training_data` and `licence` are in it.
        num_bytes: Of all its files.
        attribution: Whom to name, and for what; empty where nobody asks for it.
    """

    name: str
    config: Config
    provenance: dict[str, Any]
    num_bytes: int
    attribution: str

    @classmethod
    def of(cls, name: str, ndim: int | None = None) -> "ModelCard":
        """Reads that of a model that ships; needs no TensorFlow.

        Args:
            name: Its name.
            ndim: As for `find_model`.

        Raises:
            InputError: If its folder is damaged.
        """
        folder = find_model(name, ndim)
        provenance = check_model_folder(folder)
        attribution = folder / ATTRIBUTION_FILE
        return cls(
            name=folder.name,
            config=read_config(folder / CONFIG_FILE),
            provenance=provenance,
            num_bytes=bytes_of(folder),
            attribution=(
                attribution.read_text(encoding="utf-8") if attribution.is_file() else ""
            ),
        )

    @property
    def summary(self) -> str:
        """One line: rank, size, licence, what it was trained on."""
        return (
            f"{self.config.ndim}-d, {self.num_bytes / 1e6:.1f} MB, "
            f"{self.provenance.get('licence', 'no licence stated')}; trained on "
            f"{self.provenance.get('training_data', 'what nobody has stated')}"
        )


def bytes_of(folder: Path = SHIPPED) -> int:
    """How much the files of a model, or of all that ship, take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
