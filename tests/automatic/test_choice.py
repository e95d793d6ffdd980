"""Start, similarity and settings of pairs whose truth is known."""

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.automatic import choose_for_pair
from dlir_tf.automatic.coarse import CoarsePair, make_coarse
from dlir_tf.automatic.starts import find_start_by_context
from dlir_tf.config import Intensity, dump_config, parse_config
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.phantoms import beating_heart
from dlir_tf.registration import register


def _blobs(rng, shape=(40, 36, 28), sigma=2.5):
    """A body of soft structures on a dark background."""
    inside = np.ones(shape)
    for axis, size in enumerate(shape):
        x = np.linspace(-1.25, 1.25, size)
        inside = inside * np.expand_dims(
            np.exp(-(x**6)), [a for a in range(len(shape)) if a != axis]
        )
    texture = ndimage.gaussian_filter(rng.normal(size=shape), sigma)
    texture = (texture - texture.min()) / np.ptp(texture)
    return (inside * (0.3 + 0.7 * texture)).astype(np.float32)


def _placed(array, origin=(0.0, 0.0, 0.0), spacing=(2.0, 2.0, 2.5)):
    affine = np.diag([*spacing[: array.ndim], 1.0])
    affine[:-1, -1] = origin[: array.ndim]
    return Image(array, affine)


@pytest.mark.parametrize("far", [(0.0, 0.0, 0.0), (700.0, -90.0, 333.0)])
def test_the_start_is_found_however_far_the_headers_are(rng, far):
    array = _blobs(rng)
    fixed, moving = _placed(array), _placed(np.roll(array, 3, axis=0), far)
    choice = choose_for_pair(fixed, moving)
    centre = fixed.grid.centre[None]
    found = choice.start.transform.map_points(centre) - centre
    np.testing.assert_allclose(found[0], np.add(far, (6.0, 0, 0)), atol=2.0)
    assert choice.config.similarity.kind == "windowed_ncc"


def test_a_part_is_found_in_the_whole(rng):
    """Its centre is far from that of the whole, and its header says nothing."""
    whole = _blobs(rng, (56, 48, 40))
    part = whole[26:54, 4:32, 12:36]
    fixed, moving = _placed(part, (-500.0, 0, 0)), _placed(whole)
    choice = choose_for_pair(fixed, moving)
    corner = fixed.grid.to_world(np.zeros((1, 3)))
    found = choice.start.transform.map_points(corner)
    expected = moving.grid.to_world([26, 4, 12])
    assert np.linalg.norm(found[0] - expected) < 5.0
    back = choose_for_pair(moving, fixed)
    found = back.start.transform.map_points(expected[None])
    assert np.linalg.norm(found[0] - corner[0]) < 5.0


def test_air_that_is_white_in_one_image_is_another_contrast(rng):
    array = _blobs(rng, (60, 52))
    white = np.where(array > 0.1, array, 1.2).astype(np.float32)
    kinds = {}
    for name, pair in {"one": (white, array), "both": (white, white)}.items():
        choice = choose_for_pair(*map(_placed, pair))
        kinds[name] = choice.config.similarity.kind
    assert kinds == {"one": "mind_ssc", "both": "windowed_ncc"}


def test_where_nothing_is_seen_of_both_a_start_by_context_is_refused(rng, monkeypatch):
    fixed, moving = _placed(_blobs(rng)), _placed(_blobs(rng), (900.0, 0, 0))
    pair = make_coarse(fixed, moving, Intensity())
    assert find_start_by_context(pair).transform is not None
    monkeypatch.setattr(CoarsePair, "agreement", lambda self, transform: -1.0)
    with pytest.raises(InputError, match="neither says anything about the other"):
        find_start_by_context(pair)


def test_images_of_two_contrasts_are_compared_by_context(rng):
    """Bright where the other one is dark, within the same outline."""
    array = _blobs(rng)
    other = np.where(array > 0.02, np.clip(1.15 - array, 0, 1) ** 1.5, 0)
    fixed, moving = _placed(array), _placed(np.roll(other, 2, axis=1), (0, 40.0, 0))
    choice = choose_for_pair(fixed, moving)
    assert choice.config.similarity.kind == "mind_ssc"
    found = choice.start.transform.map_points(fixed.grid.centre[None])[0]
    expected = np.add(fixed.grid.centre, (0, 44.0, 0))
    assert np.linalg.norm(found - expected) < 4.0
    by_hand = choose_for_pair(fixed, moving, modality="same")
    assert by_hand.config.similarity.kind == "windowed_ncc"
    assert any("asked for" in reason for reason in by_hand.reasons)


def test_the_config_is_one_that_can_be_written_and_read():
    heart = beating_heart(1, shape=(48, 40, 6))
    choice = choose_for_pair(heart.fixed, heart.moving)
    assert parse_config(dump_config(choice.config), "chosen") == choice.config
    assert choice.config.axes == "slices_last"
    assert choice.config.spacing[2] is None
    assert len(choice.reasons) >= 5


def test_what_does_not_belong_together_is_refused(rng):
    volume, plane = _placed(_blobs(rng)), _placed(_blobs(rng, (40, 36)))
    with pytest.raises(InputError, match="give two images of one rank"):
        choose_for_pair(volume, plane)
    slice_ = Image(volume.array[:, :, :1], volume.affine)
    with pytest.raises(InputError, match="a single slice and the other isn't"):
        choose_for_pair(volume, slice_)


def test_register_needs_nothing_but_two_images(rng):
    """A known bending on a far header; the report says what was chosen."""
    array = _blobs(rng)
    moving = _placed(array, (300.0, 0, 0))
    x = np.indices(array.shape)
    bend = 2.0 * np.sin(np.pi * x[1] / array.shape[1])
    fixed = _placed(
        ndimage.map_coordinates(
            array, x + np.stack([bend, 0 * bend, 0 * bend]), order=1
        )
    )
    said = []
    result = register(fixed, moving, on_choice=said.extend)
    expected = np.stack([300 + 2.0 * bend, 0 * bend, 0 * bend], axis=-1)
    inner = (slice(8, -8),) * 3
    off = np.linalg.norm((result.displacement - expected)[inner], axis=-1).mean()
    assert off < 0.7
    assert result.report.choices == tuple(said)
    assert result.report.to_dict()["choices"] == said
    assert result.report.verdict != "FAIL"


def test_slices_in_space_are_registered_in_their_plane(rng):
    flat = _blobs(rng, (64, 56))
    affine = np.diag([1.5, 1.5, 8.0, 1.0])
    fixed = Image(flat[..., None], affine)
    elsewhere = affine.copy()
    elsewhere[:3, 3] = 90.0, 0.0, 16.0
    moving = Image(np.roll(flat, 4, axis=0)[..., None], elsewhere)
    result = register(fixed, moving)
    moved = result.displacement[20:-20, 20:-20, 0]
    np.testing.assert_allclose(moved.mean(axis=(0, 1)), (96.0, 0.0, 16.0), atol=0.5)


def test_labels_are_registered_as_such(rng):
    """They move by nearest neighbour, and the word is said."""
    array = _blobs(rng)
    mask = (array > 0.35).astype(np.uint8) * 7
    fixed, moving = _placed(mask), _placed(np.roll(mask, 3, axis=0), (50.0, 0, 0))
    result = register(fixed, moving)
    assert set(np.unique(result.moved.array)) <= {0, 7}
    both = (result.moved.array > 0) & (mask > 0)
    assert 2 * both.sum() / ((result.moved.array > 0).sum() + (mask > 0).sum()) > 0.95
    told = [choice for choice in result.report.choices if "a mask" in choice]
    assert len(told) == 2


def test_identical_images_stay_where_they_are(rng):
    image = _placed(_blobs(rng))
    result = register(image, image)
    assert np.abs(result.displacement).max() < 0.2
    assert result.report.verdict == "PASS"


def test_one_shot_needs_a_general_model_and_modality_no_model(rng, monkeypatch):
    from dlir_tf.automatic import picking

    image = _placed(_blobs(rng))
    monkeypatch.setattr(picking, "general_ranks", tuple)
    with pytest.raises(InputError, match="no general model ships"):
        register(image, image, refine=0)
    choice = choose_for_pair(image, image)
    with pytest.raises(InputError, match="modality: is for pairs"):
        register(image, image, config=choice.config, modality="same")
