"""Pairs are registered, measured, and refused with their place."""

import dataclasses

import numpy as np
import pytest
from shifted_pairs import (
    SHAPE,
    SHIFT,
    SPACING,
    identity,
    masked_pair,
    shifted_pair,
    true_shift,
)
from tables import rendered

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.evaluation.checking import check_pairs
from dlir_tf.evaluation.evaluate import (
    evaluate,
    evaluate_pair,
)
from dlir_tf.evaluation.measures import measure, measure_registration
from dlir_tf.images import Image, write_image
from dlir_tf.models.folder import make_model
from dlir_tf.models.model import build_model
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.pairs.manifest import Pair, read_manifest
from dlir_tf.registration import register
from dlir_tf.transforms import Transform


def test_masks_come_from_the_manifest_and_are_checked(tmp_path, untrained):
    loaded = masked_pair()
    pair = write_pair(tmp_path, loaded)
    names = {
        name: tmp_path / f"{name}.nii.gz" for name in ("fixed_mask", "moving_mask")
    }
    for name, path in names.items():
        mask = getattr(loaded, name)
        write_image(path, mask.with_array(mask.array.astype(np.uint8)))
    masked = dataclasses.replace(pair, **names)
    plain, with_masks = evaluate([pair, masked], untrained)
    expected = measure(loaded, identity(loaded.fixed)).ncc
    assert with_masks.before.ncc == pytest.approx(expected, abs=1e-6)
    assert with_masks.after.ncc == pytest.approx(expected, abs=1e-4)
    assert plain.before.ncc != pytest.approx(expected, abs=0.05)
    assert with_masks.before.dice == plain.before.dice
    assert "Similarity (NCC), masked" in "\n".join(rendered([plain, with_masks]))
    assert "masked" not in "\n".join(rendered([plain]))
    write_image(names["moving_mask"], Image(np.ones((3, 4, 5), np.uint8), np.eye(4)))
    with pytest.raises(InputError, match=r"line 2: .*moving_mask.* masks must lie"):
        check_pairs([masked], small_config())


def small_config(ndim=3, **changes):
    stage = {
        "transform": "bspline",
        "downsample": 2,
        "control_point_spacing": 8,
        "filters": [4, 4],
        "lattice_filters": 4,
    }
    return Config.model_validate(
        {"ndim": ndim, "spacing": 2.0, "stages": [stage], **changes}
    )


@pytest.fixture(scope="module")
def untrained():
    config = small_config()
    return make_model(config, build_model(config))


def write_pair(folder, pair):
    names = {}
    for side, image, labels, points in zip(
        ("fixed", "moving"),
        (pair.fixed, pair.moving),
        (pair.fixed_labels, pair.moving_labels),
        pair.points or (None, None),
        strict=True,
    ):
        names[side] = folder / f"{side}.nii.gz"
        write_image(names[side], image)
        if labels is not None:
            names[f"{side}_labels"] = folder / f"{side}_labels.nii.gz"
            write_image(names[f"{side}_labels"], labels)
        if points is not None:
            names[f"{side}_points"] = folder / f"{side}.csv"
            np.savetxt(
                names[f"{side}_points"],
                points,
                "%.6f",
                ",",
                header="x,y,z",
                comments="",
            )
    return Pair(place="pairs.csv, line 2", **names)


def test_untrained_model_leaves_everything_as_it_was(tmp_path, untrained):
    pair = write_pair(tmp_path, shifted_pair())
    evaluation = evaluate_pair(pair, untrained)
    before, after = evaluation.before, evaluation.after
    assert before.dice == after.dice
    np.testing.assert_equal(before.surface, after.surface)
    assert before.ncc == pytest.approx(after.ncc, abs=1e-6)
    distance = np.linalg.norm(SHIFT * SPACING)
    for measures in (before, after):
        np.testing.assert_allclose(measures.landmark_errors, distance, atol=1e-4)
    assert after.folded_percent == 0
    assert after.std_log_jacobian == pytest.approx(0, abs=1e-6)
    assert evaluation.seconds > 0


def test_a_registration_is_measured_without_computing_it_again(untrained, monkeypatch):
    loaded = dataclasses.replace(shifted_pair(), fixed_labels=None)
    result = register(loaded.fixed, loaded.moving, model=untrained, do_no_harm=False)
    result = dataclasses.replace(result, transform=true_shift(loaded.fixed))
    for name in ("displacement", "resample"):
        monkeypatch.setattr(Transform, name, lambda *_, **__: pytest.fail("again"))
    measured = measure_registration(loaded, result)
    monkeypatch.undo()
    expected = measure(loaded, identity(loaded.fixed))
    assert measured.ncc == pytest.approx(expected.ncc, abs=1e-6)
    assert measured.std_log_jacobian == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(measured.landmark_errors, 0, atol=1e-12)


def test_slices_are_evaluated_with_a_2d_model(tmp_path):
    """As in 3-d, on the fixed slice's own grid."""
    whole = shifted_pair()

    def cut(image, steps=0):
        return Image(np.roll(image.array[:, :, 4:5], steps, axis=0), image.affine)

    labels = whole.fixed_labels
    loaded = LoadedPair(
        cut(whole.fixed), cut(whole.fixed, 1), cut(labels), cut(labels, 1)
    )
    pair = write_pair(tmp_path, loaded)
    config = small_config(ndim=2)
    check_pairs([pair], config)
    evaluation = evaluate_pair(pair, make_model(config, build_model(config)))
    assert evaluation.before.dice == evaluation.after.dice
    # One voxel of label 1, one voxel away.
    assert evaluation.after.surface[1].mean == pytest.approx(SPACING[0])
    assert evaluation.after.folded_percent == 0
    assert evaluation.after.ncc == pytest.approx(evaluation.before.ncc, abs=1e-6)


def test_labels_and_points_are_optional(tmp_path, untrained):
    loaded = dataclasses.replace(shifted_pair(), fixed_labels=None, points=None)
    evaluation = evaluate_pair(write_pair(tmp_path, loaded), untrained)
    assert evaluation.after.dice == evaluation.after.surface == {}
    assert evaluation.after.landmark_errors is None
    assert np.isfinite(evaluation.after.ncc)


def test_every_faulty_pair_is_named_before_any_is_registered(tmp_path, untrained):
    good = write_pair(tmp_path, shifted_pair())
    damaged, few = tmp_path / "damaged.nii.gz", tmp_path / "few.csv"
    damaged.write_bytes(good.fixed.read_bytes()[:300])
    few.write_text("x,y,z\n1,2,3\n")
    pairs = [
        good,
        dataclasses.replace(good, moving=damaged, place="pairs.csv, line 3"),
        dataclasses.replace(good, moving_points=few, place="pairs.csv, line 4"),
    ]
    done: list[int] = []
    with pytest.raises(InputError) as caught:
        evaluate(pairs, untrained, done.append)
    assert not done
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"pairs.csv, line 3: {damaged}: ")
    assert second.startswith("pairs.csv, line 4: ")
    assert "few.csv" in second
    assert "6 and 1" in second


def test_model_of_another_rank_is_refused_with_the_place(tmp_path):
    pair = write_pair(tmp_path, shifted_pair())
    with pytest.raises(InputError, match=r"^pairs.csv, line 2: the fixed .* 3-d"):
        check_pairs([pair], small_config(2))


def test_labels_of_another_shape_or_place_are_refused(tmp_path):
    pair = write_pair(tmp_path, shifted_pair())
    labels = Image(np.ones((3, 4, 5), np.int32), np.eye(4))
    assert pair.moving_labels is not None
    write_image(pair.moving_labels, labels)
    with pytest.raises(InputError, match=r"line 2: .*moving_labels.* \(3, 4, 5\)"):
        check_pairs([pair], small_config())
    write_image(pair.moving_labels, Image(np.ones(SHAPE, np.int32), np.eye(4)))
    with pytest.raises(InputError, match=r"line 2: .*moving_labels.*lie elsewhere"):
        check_pairs([pair], small_config())


def test_liver_landmarks_lie_as_far_apart_as_published(shared_data):
    """20.1, 22.1, 6.1 and 5.5 mm before registration."""
    config = small_config(
        spacing=6.0, intensity={"clip_percentiles": None, "clip_values": [0, 1e4]}
    )
    model = make_model(config, build_model(config))
    evaluations = evaluate(read_manifest(shared_data / "liver.csv"), model)
    for side in ("before", "after"):
        errors = [getattr(e, side).landmark_errors.mean() for e in evaluations]
        assert [round(float(error), 1) for error in errors] == [20.1, 22.1, 6.1, 5.5]
