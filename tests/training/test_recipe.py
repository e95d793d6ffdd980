"""A training may only go on as what it began as."""

from dataclasses import replace

from dlir_tf.training.phases import training_phases
from dlir_tf.training.recipe import Recipe


def test_whatever_changes_the_steps_changes_the_identity(make_config):
    config = make_config("affine")
    recipe = Recipe(
        config,
        phases=tuple(training_phases(config, None)),
        seed=3,
        precision="float32",
        data_digest="a",
        validation_digest="b",
        num_replicas=1,
    )
    others = (
        {"config": make_config("affine", batch_size=1)},
        {"phases": tuple(training_phases(config, 7))},
        {"seed": 4},
        {"precision": "mixed_float16"},
        {"data_digest": "c"},
        {"validation_digest": "c"},
        {"num_replicas": 2},
        {"config": config.model_copy(update={"channel": 2})},
    )
    identities = [replace(recipe, **other).identity for other in others]
    assert len({recipe.identity, *identities}) == 1 + len(others)
    assert replace(recipe).identity == recipe.identity
