"""The ablation of the synthesis: what is trained on, and what is shown."""

import argparse
import itertools
from pathlib import Path

import pytest
import synthesis

from dlir_tf.config import Config, load_config, read_config

GENERAL = load_config("general")


def test_each_variant_widens_the_one_before():
    configs = [synthesis.variant_config(GENERAL, name) for name in synthesis.VARIANTS]
    assert configs[-1] == GENERAL
    for narrow, wide in itertools.pairwise(configs):
        changed = {
            key
            for key, value in wide.training.synthesis
            if value != getattr(narrow.training.synthesis, key)
        }
        assert changed
        for config in (narrow, wide):
            whole = GENERAL.training.synthesis.sizes
            assert config.training.synthesis.sizes == whole
        # What was widened once stays so.
        for later in configs[configs.index(wide) :]:
            for key in changed:
                last = getattr(GENERAL.training.synthesis, key)
                assert getattr(later.training.synthesis, key) == last
    # What a user could have written.
    assert Config.model_validate(configs[0].model_dump(mode="json")) == configs[0]


@pytest.fixture
def options(tmp_path):
    return argparse.Namespace(
        config="general",
        atlases=Path("atlases"),
        pairs=[Path("brain.csv"), Path("lung.csv")],
        steps=7,
        seed=0,
        threads=1,
        output=tmp_path / "all",
    )


def test_all_variants_are_trained_and_evaluated_once(options, monkeypatch):
    calls = []

    def call(arguments, threads):
        calls.append(arguments)
        given = dict(zip(arguments[1::2], arguments[2::2], strict=True))
        output = Path(given["--output"])
        if arguments[0] == "train":
            assert given["--steps"] == "7"
            chosen = read_config(Path(given["--config"])).training.synthesis
            output.mkdir()
            (output / "provenance.json").write_text(str(chosen.atlases))
        elif "brain" in output.name:
            output.write_text("dice_before,dice_after\n0.25,0.5\n0.75,0.6\n")
        else:
            line = "landmark_error_before,landmark_error_after\n30,4.5\n"
            output.write_text(line)

    monkeypatch.setattr(synthesis, "call", call)
    rows = synthesis.run(options)
    assert len(calls) == 3 * len(synthesis.VARIANTS)
    assert list(rows) == ["no registration", *synthesis.VARIANTS]
    assert rows["no registration"] == {
        "brain, Dice": 0.5,
        "lung, landmarks (mm)": 30,
    }
    for name in synthesis.VARIANTS:
        assert rows[name] == pytest.approx(
            {"brain, Dice": 0.55, "lung, landmarks (mm)": 4.5}
        )
    shapes = options.output / "shapes" / "provenance.json"
    assert shapes.read_text() == "0.0"
    assert synthesis.run(options) == rows
    assert len(calls) == 3 * len(synthesis.VARIANTS)
    assert "| shapes | 0.550 | 4.500 |" in synthesis.table(rows)


def test_interrupted_trainings_are_gone_on_with(options, monkeypatch):
    (options.output / "shapes").mkdir(parents=True)
    (options.output / "shapes" / "checkpoint.npz").touch()
    calls = []
    monkeypatch.setattr(synthesis, "call", lambda arguments, _: calls.append(arguments))
    synthesis.train("shapes", synthesis.variant_config(GENERAL, "shapes"), options)
    assert calls[0][-1] == "--resume"
