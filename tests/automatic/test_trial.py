"""Coarse lattices are left out of pairs that they do harm, and of no others."""

import pytest

from dlir_tf.automatic import choose_for_pair
from dlir_tf.automatic.trial import TrialPair, fine_at_once_is_better
from dlir_tf.pairs.loading import load_pair
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.phantoms import beating_heart


def _spacings(config):
    """Of all lattices, along the finest axis, in voxels of the working grid."""
    stages = config.deformable_stages
    return [max(stage.stage.control_point_spacing) for stage in stages]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("manifest", "expected", "word"),
    [
        ("brain_val.csv", [8, 8, 4, 4], "did harm"),  # two people
        ("liver.csv", [64, 32, 16, 8, 4], "a quarter of the extent"),  # one
    ],
)
def test_what_differs_between_people_is_bent_finely_at_once(
    manifest, expected, word, shared_data
):
    loaded = load_pair(read_manifest(shared_data / manifest)[0])
    choice = choose_for_pair(loaded.fixed, loaded.moving)
    assert _spacings(choice.config) == expected
    assert any(word in reason for reason in choice.reasons)


def test_a_pair_that_an_affine_part_nearly_aligns_is_not_tried_further(monkeypatch):
    heart = beating_heart(1, shape=(72, 64, 6))
    choice = choose_for_pair(heart.fixed, heart.moving)
    assert len(choice.config.deformable_stages) >= 3
    refined, configs = TrialPair.refined, []

    def spy(self, config, start):
        configs.append(config)
        return refined(self, config, start)

    monkeypatch.setattr(TrialPair, "refined", spy)
    pair = TrialPair(heart.fixed, heart.moving, (None, None))
    assert not fine_at_once_is_better(pair, choice.config, choice.start.transform)
    assert [len(config.stages) for config in configs] == [1]
    assert configs[0].spacing[0] == 2 * choice.config.spacing[0]
    assert configs[0].spacing[2] is None  # thick slices stay


@pytest.mark.parametrize("losses", [(0.5, 0.3, 0.2), (0.5, 0.2, 0.3)])
def test_the_way_with_the_lower_loss_is_kept(losses, monkeypatch):
    heart = beating_heart(1, shape=(72, 64, 6))
    choice = choose_for_pair(heart.fixed, heart.moving)
    left, ways = iter(losses), []

    def pretend(self, config, start):
        ways.append(_spacings(config))
        return next(left), start

    monkeypatch.setattr(TrialPair, "refined", pretend)
    pair = TrialPair(heart.fixed, heart.moving, (None, None))
    better = fine_at_once_is_better(pair, choice.config, choice.start.transform)
    assert better == (losses[2] < losses[1])
    whole = _spacings(choice.config)
    assert ways == [[], [n // 2 for n in whole[:-1]], [whole[-2] // 2] * 2]
