"""A training at a full disk leaves nothing, or what --resume goes on from."""

import numpy as np
import pytest
from small_disks import largest_file

from dlir_tf.errors import WriteError
from dlir_tf.training import train

pytest.importorskip("resource", reason="Windows has no limits for a process")


@pytest.mark.slow
def test_full_at_any_moment(make_config, make_pairs, tmp_path):
    augmentation = {"rotation_degrees": 0, "scale": 0, "translation": 0}
    config = make_config("bspline", cache="disk", augmentation=augmentation)
    pairs, resumed = make_pairs(1), []
    reference = train(config, pairs, tmp_path / "whole", steps=2, seed=3)
    weights = (tmp_path / "whole" / "model.weights.h5").stat().st_size
    # From no room for the first pair to enough for all but the weights' own reserve.
    for number, limit in enumerate((10, 3000, weights // 4, 2 * weights, 2**20)):
        folder = tmp_path / f"{number}"
        with largest_file(limit), pytest.raises(WriteError, match=f"{folder}/"):
            train(config, pairs, folder, steps=2, seed=3)
        resumed.append((folder / "checkpoint.npz").exists())
        assert (
            resumed[-1]
            or not folder.exists()
            or {entry.name for entry in folder.iterdir()} == {"cache"}
        )
        model = train(config, pairs, folder, steps=2, seed=3, resume=resumed[-1])
        for a, b in zip(
            reference.network.get_weights(), model.network.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)
        left = {entry.name for entry in folder.iterdir()}
        assert left == {entry.name for entry in (tmp_path / "whole").iterdir()}
    assert set(resumed) == {False, True}
