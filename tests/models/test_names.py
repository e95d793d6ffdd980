"""Models that ship: which one a name means, and that it's the one that registers."""

from pathlib import Path

import numpy as np
import pytest
from shipped_models import CONFIGS, DATA, put_in_place, write_shipped

import dlir_tf
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.evaluation.evaluate import evaluate
from dlir_tf.images import Image, write_image
from dlir_tf.models.card import ModelCard
from dlir_tf.models.folder import load_model as load_folder
from dlir_tf.models.general import GeneralModel
from dlir_tf.models.loading import check_model
from dlir_tf.models.names import find_model, is_name, one_folder, shipped_names
from dlir_tf.pairs.manifest import Pair


@pytest.fixture(scope="session")
def every(tmp_path_factory):
    return write_shipped(tmp_path_factory.mktemp("shipped"))


@pytest.fixture
def shipped(every, monkeypatch, tmp_path):
    """The models that ship, asked for from an empty folder."""
    put_in_place(monkeypatch, every)
    monkeypatch.chdir(tmp_path)
    return every


def pair(rng, shape):
    """Two images of noise on one oblique grid; 3-d, of one slice, or 2-d."""
    ndim = len(shape)
    affine = np.diag([*[2.0, 1.5, 7.0][:ndim], 1.0])
    affine[:2, :2] = np.array([[0.96, -0.28], [0.28, 0.96]]) @ affine[:2, :2]
    affine[:ndim, ndim] = rng.uniform(-50, 50, ndim)
    arrays = rng.uniform(0, 900, (2, *shape)).astype(np.float32)
    return [Image(array, affine) for array in arrays]


def test_a_name_is_a_folder_of_the_package(shipped):
    assert shipped_names() == sorted(CONFIGS)
    for name in CONFIGS:
        assert is_name(name)
        assert find_model(name) == shipped / name
        loaded = dlir_tf.load_model(name)
        expected = load_folder(shipped / name)
        assert loaded.config == check_model(name) == expected.config
        assert loaded.provenance == expected.provenance
        for ours, theirs in zip(
            loaded.network.get_weights(), expected.network.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_a_folder_of_that_name_is_meant_by_a_path_only(shipped, tmp_path):
    """Wherever one stands, a name means one model; and one is told of the other."""
    write_shipped(tmp_path, ["cardiac-cine"])
    (tmp_path / "cardiac-cine").rename(tmp_path / "mine")
    write_shipped(tmp_path, ["general-2d"])
    (tmp_path / "general-2d").rename(tmp_path / "cardiac-cine")  # any other model
    with pytest.warns(UserWarning, match="ships with dlir-tf; the folder .*./card"):
        assert dlir_tf.load_model("cardiac-cine").config.ndim == 3
    for folder in ("./cardiac-cine", Path("cardiac-cine"), tmp_path / "cardiac-cine"):
        assert not is_name(folder)
        assert dlir_tf.load_model(folder).config.ndim == 2


def test_no_name_is_found_where_nothing_ships(tmp_path, monkeypatch):
    put_in_place(monkeypatch, tmp_path / "none")
    monkeypatch.chdir(tmp_path)
    assert shipped_names() == []
    for name in ("general", "cardiac-cine"):
        with pytest.raises(InputError, match=f"^{name}: no such model folder"):
            dlir_tf.load_model(name)


def test_what_ships_is_named_where_a_model_is_not_found(shipped):
    with pytest.raises(InputError, match="ship: cardiac-cine, general, general-2d, g"):
        dlir_tf.load_model("cardiac")


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        ((23, 19, 5), "general-3d"),
        ((23, 19), "general-2d"),
        ((23, 19, 1), "general-2d"),
    ],
)
def test_the_rank_of_a_pair_says_which_general_model(shipped, rng, shape, name):
    fixed, moving = pair(rng, shape)
    general = dlir_tf.load_model("general")
    assert isinstance(general, GeneralModel)
    found = dlir_tf.register(fixed, moving, model=general, do_no_harm=False)
    expected = dlir_tf.register(
        fixed, moving, model=load_folder(shipped / name), do_no_harm=False
    )
    np.testing.assert_array_equal(found.displacement, expected.displacement)
    assert np.abs(found.displacement).max() > 0.1
    config = general.config.of_pair(fixed.grid, moving.grid)
    assert config == Config.model_validate(CONFIGS[name])


def test_an_evaluation_may_have_pairs_of_both_ranks(shipped, rng, tmp_path):
    pairs = []
    for number, shape in enumerate([(23, 19, 5), (21, 18)]):
        files = [tmp_path / f"{number}_{side}.nii.gz" for side in ("fixed", "moving")]
        for path, image in zip(files, pair(rng, shape), strict=True):
            write_image(path, image)
        pairs.append(Pair(*files, f"pair {number}"))
    found = evaluate(pairs, dlir_tf.load_model("general"))
    for each, name in zip(found, ("general-3d", "general-2d"), strict=True):
        (expected,) = evaluate([each.pair], load_folder(shipped / name))
        assert each.after.ncc == expected.after.ncc


def test_a_rank_that_does_not_ship_is_refused(tmp_path, monkeypatch, rng):
    put_in_place(monkeypatch, write_shipped(tmp_path, ["general-2d"]))
    general = dlir_tf.load_model("general")
    fixed, moving = pair(rng, (23, 19, 5))
    with pytest.raises(InputError, match=r"^general: no such model ships for 3-d imag"):
        dlir_tf.register(fixed, moving, model=general)
    assert one_folder("general") == tmp_path / "general-2d"


def test_where_no_pair_tells_the_general_model_is_the_3d_one(shipped):
    with pytest.warns(UserWarning, match="general-3d here.*is meant by general-2d"):
        assert one_folder("general") == shipped / "general-3d"
    assert one_folder("general", 2) == shipped / "general-2d"


def test_a_card_tells_size_data_and_licence(shipped):
    card = ModelCard.of("cardiac-cine")
    assert card.config == Config.model_validate(CONFIGS["cardiac-cine"])
    files = (shipped / "cardiac-cine").iterdir()
    assert card.num_bytes == sum(len(path.read_bytes()) for path in files)
    assert card.attribution == "Thanks for cardiac-cine.\n"
    size = f"{card.num_bytes / 1e6:.1f} MB"
    assert card.summary == f"3-d, {size}, Apache-2.0; trained on {DATA}"
