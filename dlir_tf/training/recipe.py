"""Everything that decides where a training arrives, and what is said of it later."""

import hashlib
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import keras
import numpy as np

from dlir_tf._version import __version__
from dlir_tf.config import Config
from dlir_tf.config.plain_yaml import dump_yaml
from dlir_tf.training.devices import device_names
from dlir_tf.training.phases import Phase


@dataclass(frozen=True)
class Recipe:
    """What two trainings must share to give the same model.

    Attributes:
        config: Stages and training settings.
        phases: The phases in order.
        seed: Decides initial weights, order and augmentation.
        precision: Name of the dtype policy.
        data_digest: Of the training images.
        validation_digest: Of the validation images.
        num_replicas: Devices that train; each adds a batch to every step.
        initial_digest: Of the weights that it begins with; empty for random ones.
    """

    config: Config
    phases: tuple[Phase, ...]
    seed: int
    precision: str
    data_digest: str
    validation_digest: str
    num_replicas: int
    initial_digest: str = ""

    @property
    def identity(self) -> str:
        """SHA-256 of all of it."""
        # Without what images are judged or refined by, but nothing is trained by.
        refining = {"similarity", "networks_lattices"}
        untrained = {"intensity": {"hounsfield"}, "refinement": refining}
        trained = self.config.model_dump(mode="json", exclude=untrained)
        # What later versions added counts only where it is used, so that trainings
        # that older ones began go on.
        for part, key in (
            (trained, "longest_axis"),
            (trained, "channel"),
            (trained["training"], "synthesis"),
        ):
            if part[key] is None:
                del part[key]
        parts = (
            dump_yaml(trained),
            *(repr(phase) for phase in self.phases),
            str(self.seed),
            self.precision,
            self.data_digest,
            self.validation_digest,
            str(self.num_replicas),
            *filter(None, [self.initial_digest]),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def provenance(
        self, num_pairs: int, num_validation_pairs: int, seconds: float
    ) -> dict[str, Any]:
        """What the model folder says of its making."""
        first = self.initial_digest
        return {
            "dlir_tf": __version__,
            **backend_version(),
            "keras": keras.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "seed": self.seed,
            "data_sha256": self.data_digest,
            "validation_sha256": self.validation_digest,
            "num_pairs": num_pairs,
            "num_validation_pairs": num_validation_pairs,
            **({"initial_weights_sha256": first} if first else {}),
            "steps": {phase.name: phase.steps for phase in self.phases},
            "training_seconds": round(seconds, 1),
            "precision": self.precision,
            "devices": device_names(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def backend_version() -> dict[str, str]:
    """The version of what computes, by its name."""
    name = keras.backend.backend()
    return {name: metadata.version(name)}
