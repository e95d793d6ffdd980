"""The weights that trainings of general models have come to so far."""

from pathlib import Path

import pytest

from dlir_tf.config import load_config, read_config
from dlir_tf.models.folder_files import CONFIG_FILE, LOG_FILE, check_model_folder
from dlir_tf.training.initial_weights import check_stages

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted((ROOT / "benchmarks" / "results" / "general").glob("*/"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_training_by_the_preset_can_begin_with_them(folder):
    provenance = check_model_folder(folder)
    assert "CC BY 4.0" in (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert {"licence", "training_data", "commands"} <= set(provenance)
    check_stages(load_config(folder.name), read_config(folder / CONFIG_FILE), "weights")
    steps = provenance["steps"]["joint"]
    last = (folder / LOG_FILE).read_text(encoding="utf-8").splitlines()[-1]
    assert last.startswith(f"joint,{steps},")
