"""Which pairs can't be evaluated, told before any is registered."""

from collections.abc import Callable, Sequence

from dlir_tf.automatic import check_ranks
from dlir_tf.config import Config
from dlir_tf.errors import InputError, first_few
from dlir_tf.models.general import ConfigByRank, config_of_pair, usual_channel
from dlir_tf.pairs.loading import faults_of_pairs, load_pair
from dlir_tf.pairs.manifest import Pair


def check_pairs(
    pairs: Sequence[Pair],
    config: Config | ConfigByRank | None,
    on_progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Makes sure that all pairs can be read and suit the model, before any is used.

    Args:
        pairs: The files.
        config: The model's; of `general`, those of both; `None` where it is chosen for
            every pair.
        on_progress: Called with the number of pairs checked.

    Raises:
        InputError: If pairs are faulty; the first ones are named with their lines.
    """
    faults = find_faults(pairs, config, on_progress)
    if faults:
        raise InputError(first_few(list(faults.values())))


def find_faults(
    pairs: Sequence[Pair],
    config: Config | ConfigByRank | None,
    on_progress: Callable[[int], None] = lambda done: None,
    channel: int | None = None,
) -> dict[int, str]:
    """Tells which pairs can't be read or don't suit the model.

    Needs no TensorFlow, so that faulty files show before it is loaded.

    Args:
        pairs: The files.
        config: As for `check_pairs`.
        on_progress: Called with the number of pairs checked.
        channel: Of images with several, as in `dlir_tf.read_image`.

    Returns:
        For the index of every faulty pair, what is wrong with it and where.
    """

    def check(index: int) -> None:
        loaded = load_pair(
            pairs[index], channel=channel, usual_channel=usual_channel(config)
        )
        grids = loaded.fixed.grid, loaded.moving.grid
        if config is None:
            check_ranks(*grids)
        else:
            loaded.on_working_grid(config_of_pair(config, *grids))

    return faults_of_pairs(pairs, check, on_progress)
