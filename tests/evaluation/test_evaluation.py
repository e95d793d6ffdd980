"""What evaluation measures, on pairs whose truth is known."""

import csv
import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.evaluation.evaluate import (
    PairEvaluation,
    check_pairs,
    evaluate,
    evaluate_pair,
)
from dlir_tf.evaluation.measures import Measures, measure, measure_registration
from dlir_tf.evaluation.report import summary_table, write_csv
from dlir_tf.images import Image, write_image
from dlir_tf.metrics import SurfaceDistances
from dlir_tf.models.folder import Model, make_model
from dlir_tf.models.model import build_model
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.pairs.manifest import Pair, read_manifest
from dlir_tf.registration import register
from dlir_tf.transforms import Affine, Transform
from dlir_tf.transforms.bspline import stage_bspline

SHAPE = (17, 22, 9)
SPACING = np.array([1.3, 0.8, 4.0])
SHIFT = np.array([2, -3, 1])  # in voxels, from fixed to moving


def oblique_affine() -> np.ndarray:
    """Rotated, anisotropic, and flipped along the second axis."""
    affine = np.eye(4)
    directions = Rotation.from_euler("xyz", [25, -40, 65], degrees=True).as_matrix()
    affine[:3, :3] = directions * SPACING * [1, -1, 1]
    affine[:3, 3] = [31.0, -52.0, 17.0]
    return affine


def world_transform(world: np.ndarray) -> Transform:
    return Transform((Affine(world),))


def identity(image: Image) -> Transform:
    return world_transform(np.eye(4))


def true_shift(image: Image) -> Transform:
    world = np.eye(4)
    world[:3, 3] = image.affine[:3, :3] @ SHIFT
    return world_transform(world)


def shifted_pair() -> LoadedPair:
    """The moving image is the fixed one, `SHIFT` voxels on; so are labels and points.

    Label 1 is one voxel, label 2 a box of 4 × 5 × 2; label 3 is only in the fixed
    image, label 4 only in the moving one, label 900 in a corner of both.
    """
    affine = oblique_affine()
    rng = np.random.default_rng(7)
    fixed, labels = np.zeros(SHAPE, np.int16), np.zeros(SHAPE, np.int32)
    fixed[4:13, 6:18, 2:6] = rng.integers(100, 1000, (9, 12, 4))
    labels[8, 10, 4] = 1
    labels[4:8, 12:17, 2:4] = 2
    labels[10:13, 14:16, 5] = 900
    moving, moving_labels = (np.roll(a, SHIFT, (0, 1, 2)) for a in (fixed, labels))
    labels[5, 7, 5] = 3
    moving_labels[12, 14, 2] = 4
    points = affine[:3, 3] + rng.uniform(4, 8, (6, 3)) @ affine[:3, :3].T
    return LoadedPair(
        Image(fixed, affine),
        Image(moving, affine),
        Image(labels, affine),
        Image(moving_labels, affine),
        (points, points + affine[:3, :3] @ SHIFT),
    )


def test_true_transform_brings_every_measure_to_its_best():
    pair = shifted_pair()
    measured = measure(pair, true_shift(pair.fixed))
    assert measured.ncc == pytest.approx(1)
    assert measured.dice == {1: 1, 2: 1, 3: 0, 4: 0, 900: 1}
    for label in (1, 2, 900):
        assert measured.surface[label] == SurfaceDistances(0, 0)
    np.testing.assert_allclose(measured.landmark_errors, 0, atol=1e-12)
    assert measured.folded_percent == 0
    assert measured.std_log_jacobian == pytest.approx(0, abs=1e-6)


def test_labels_are_moved_by_nearest_neighbour():
    pair = shifted_pair()
    world = np.eye(4)
    world[:3, 3] = pair.fixed.affine[:3, :3] @ np.add(SHIFT, [0.4, -0.3, 0.2])
    measured = measure(pair, world_transform(world))
    assert measured.dice == {1: 1, 2: 1, 3: 0, 4: 0, 900: 1}


def test_no_transform_gives_the_distances_of_the_shift_in_mm():
    pair = shifted_pair()
    measured = measure(pair, identity(pair.fixed))
    distance = np.linalg.norm(SHIFT * SPACING)
    np.testing.assert_allclose(measured.landmark_errors, distance)
    assert measured.surface[1] == pytest.approx((distance, distance))
    # Of the box, 2 of 4, 2 of 5 and 1 of 2 voxels overlap along the axes.
    assert measured.dice[2] == pytest.approx(2 * 2 * 1 / 40)
    overlap = np.corrcoef(pair.fixed.array.ravel(), pair.moving.array.ravel())[0, 1]
    assert measured.ncc == pytest.approx(overlap, abs=1e-6)


def test_label_in_one_image_only_has_no_overlap_and_no_distances():
    pair = shifted_pair()
    measured = measure(pair, identity(pair.fixed))
    for label in (3, 4):
        assert measured.dice[label] == 0
        assert np.isnan(measured.surface[label]).all()


def test_label_moved_out_of_sight_still_counts():
    pair = shifted_pair()
    world = np.eye(4)
    world[:3, 3] = 500
    measured = measure(pair, world_transform(world))
    assert measured.dice == dict.fromkeys((1, 2, 3, 4, 900), 0)
    assert np.isnan(measured.ncc)


def test_labels_without_background_are_compared():
    pair = shifted_pair()
    ones = Image(np.full(SHAPE, 5, np.int32), pair.fixed.affine)
    pair = dataclasses.replace(pair, fixed_labels=ones, moving_labels=ones)
    measured = measure(pair, true_shift(pair.fixed))
    visible = np.prod(np.array(SHAPE) - np.abs(SHIFT)) / np.prod(SHAPE)
    assert list(measured.dice) == [5]
    assert measured.dice[5] == pytest.approx(2 * visible / (1 + visible))
    assert measured.surface[5].hd95 > 0


def test_images_on_different_grids_are_compared_in_the_world():
    """The moving image is stored with its axes permuted, one of them flipped."""
    pair = shifted_pair()
    permute = np.zeros((4, 4))
    permute[[0, 1, 2, 3], [1, 2, 0, 3]] = 1
    permute[2, [0, 3]] = -1, SHAPE[2] - 1

    def stored_otherwise(image: Image) -> Image:
        array = np.transpose(image.array, (2, 0, 1))[::-1]
        return Image(array, image.affine @ permute)

    other = dataclasses.replace(
        pair,
        moving=stored_otherwise(pair.moving),
        moving_labels=stored_otherwise(pair.moving_labels),
    )
    expected = measure(pair, identity(pair.fixed))
    measured = measure(other, identity(pair.fixed))
    assert measured.dice == expected.dice
    assert measured.ncc == pytest.approx(expected.ncc, abs=1e-3)


def masked_pair() -> LoadedPair:
    """As `shifted_pair`, with masks that differ, and garbage outside of them."""
    pair, rng = shifted_pair(), np.random.default_rng(8)
    fixed_mask, moving_mask = np.zeros((2, *SHAPE), bool)
    fixed_mask[3:11, 5:19, 1:7] = True
    moving_mask[7:16, 2:17, 2:9] = True
    images = [
        image.with_array(np.where(mask, image.array, rng.integers(0, 9000, SHAPE)))
        for image, mask in ((pair.fixed, fixed_mask), (pair.moving, moving_mask))
    ]
    return dataclasses.replace(
        pair,
        fixed=images[0],
        moving=images[1],
        fixed_mask=pair.fixed.with_array(fixed_mask),
        moving_mask=pair.moving.with_array(moving_mask),
    )


def test_similarity_counts_only_what_is_inside_both_masks():
    pair = masked_pair()
    measured = measure(pair, true_shift(pair.fixed))
    assert measured.ncc == pytest.approx(1)
    for name in ("fixed_mask", "moving_mask"):
        without = dataclasses.replace(pair, **{name: None})
        assert measure(without, true_shift(pair.fixed)).ncc < 0.9
    # Without a transform: the voxels where both masks lie on the same grid.
    both = pair.fixed_mask.array & pair.moving_mask.array
    expected = np.corrcoef(pair.fixed.array[both], pair.moving.array[both])[0, 1]
    assert measure(pair, identity(pair.fixed)).ncc == pytest.approx(expected, abs=1e-6)


def test_between_voxels_nothing_from_outside_the_moving_mask_shows():
    """By linear interpolation, half of a value at the mask's edge would be garbage."""
    pair, values = masked_pair(), []
    world = np.eye(4)
    world[:3, 3] = pair.fixed.affine[:3, :3] @ np.add(SHIFT, [0.5, -0.4, 0.3])
    for garbage in (0, 9000):
        moving = np.where(pair.moving_mask.array, pair.moving.array, garbage)
        other = dataclasses.replace(pair, moving=pair.moving.with_array(moving))
        values.append(measure(other, world_transform(world)).ncc)
    assert values[0] == pytest.approx(values[1], abs=1e-9)
    assert 0 < values[0] < 1


def test_masks_change_nothing_but_the_similarity():
    pair = masked_pair()
    plain = dataclasses.replace(pair, fixed_mask=None, moving_mask=None)
    masked, expected = (measure(p, true_shift(p.fixed)) for p in (pair, plain))
    for name in ("dice", "folded_percent", "std_log_jacobian"):
        assert getattr(masked, name) == getattr(expected, name)
    np.testing.assert_equal(masked.surface, expected.surface)
    np.testing.assert_array_equal(masked.landmark_errors, expected.landmark_errors)
    ones = pair.fixed.with_array(np.ones(SHAPE, bool))
    whole = dataclasses.replace(pair, fixed_mask=ones, moving_mask=ones)
    assert measure(whole, true_shift(pair.fixed)).ncc == expected.ncc


def test_masks_that_miss_each_other_give_no_similarity():
    pair = masked_pair()
    world = np.eye(4)
    world[:3, 3] = pair.fixed.affine[:3, :3] @ [-9, 0, 0]
    assert np.isnan(measure(pair, world_transform(world)).ncc)


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
    with pytest.raises(InputError, match=r"line 2: .*moving_mask.* \(3, 4, 5\)"):
        check_pairs([masked], small_config())


def test_strong_shrinking_folds_nothing_on_any_grid():
    """Displacements taken for voxels, which they aren't, would fold here."""
    pair = shifted_pair()
    world = np.diag([0.3, 0.3, 0.3, 1.0])
    assert measure(pair, world_transform(world)).folded_percent == 0
    world[0, 0] = -0.3
    assert measure(pair, world_transform(world)).folded_percent == 100


def test_jacobian_agrees_with_derivatives_in_the_world(rng):
    fixed = shifted_pair().fixed
    control_points = rng.uniform(-3, 3, (9, 9, 7, 3))
    grid = fixed.affine @ np.diag([0.5, 0.6, 0.5, 1.0])
    transform = Transform((stage_bspline(control_points, (8, 8, 8), grid),))
    voxels = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    points = voxels.reshape(-1, 3) @ fixed.affine[:3, :3].T + fixed.affine[:3, 3]
    columns = [
        (transform.map_points(points + e) - transform.map_points(points - e)) / 0.02
        for e in 0.01 * np.eye(3)
    ]
    true = np.log(np.linalg.det(np.stack(columns, -1))).std()
    measured = measure(LoadedPair(fixed, fixed), transform).std_log_jacobian
    assert true > 0.1
    assert measured == pytest.approx(true, rel=0.15)


def small_config(ndim: int = 3, **changes: object) -> Config:
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
def untrained() -> Model:
    config = small_config()
    return make_model(config, build_model(config))


def write_pair(folder: Path, pair: LoadedPair) -> Pair:
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


def made_up(name: str, **changes: object) -> PairEvaluation:
    """An evaluation with numbers of its own in every place."""
    before = Measures(0.25, 0, 0)
    after = Measures(0.75, 1.5, 0.125)
    pair = Pair(Path(f"{name}-fixed.nii"), Path(f"{name}-moving.nii"), "somewhere")
    report = SimpleNamespace(seconds=2.5, verdict="WARN")
    evaluation = PairEvaluation(pair, before, after, report)
    return dataclasses.replace(evaluation, **changes)


def with_labels(labels: list[int], dice: float) -> Measures:
    nan = float("nan")
    surface = {label: SurfaceDistances(1.5, 4.0) for label in labels}
    surface[labels[-1]] = SurfaceDistances(nan, nan)
    scores = dict.fromkeys(labels, dice) | {labels[-1]: 0.0}
    return Measures(0.5, 0, 0, scores, surface)


def test_csv_has_a_row_per_pair_and_columns_for_what_there_is(tmp_path):
    labelled = made_up(
        "b", before=with_labels([3, 21], 0.5), after=with_labels([3, 21], 0.75)
    )
    write_csv(tmp_path / "evaluation.csv", [made_up("a"), labelled])
    with (tmp_path / "evaluation.csv").open(newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["fixed"], first["moving"]) == ("a-fixed.nii", "a-moving.nii")
    assert (first["ncc_before"], first["ncc_after"]) == ("0.25", "0.75")
    assert (first["folded_percent"], first["std_log_jacobian"]) == ("1.5", "0.125")
    assert (first["seconds"], first["verdict"]) == ("2.5", "WARN")
    assert first["dice_after"] == first["dice_after_3"] == ""
    assert not any(name.startswith("landmark") for name in first)
    assert (second["dice_before_3"], second["dice_after_3"]) == ("0.5", "0.75")
    assert second["dice_after"] == "0.375"
    assert (second["hd95_after"], second["hd95_after_3"]) == ("4", "4")
    assert (second["surface_distance_before"], second["hd95_before_21"]) == (
        "1.5",
        "nan",
    )


def rendered(evaluations: list[PairEvaluation]) -> list[str]:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(summary_table(evaluations, plain=True))
    return capture.get().splitlines()


def test_table_shows_means_and_deviations_over_pairs():
    second = made_up("b", after=Measures(0.25, 0.5, 0.125))
    lines = rendered([made_up("a"), second])
    assert "2 pairs" in lines[0]
    row = next(line for line in lines if "NCC" in line)
    assert row.split()[-4:] == ["0.250", "(0.000)", "0.500", "(0.354)"]
    assert next(line for line in lines if "Folded" in line).split()[-2] == "1.0000"
    assert not any("Dice" in line or "Landmark" in line for line in lines)
    assert lines[-1].split() == ["Verdicts", "2", "WARN"]


@pytest.mark.parametrize(("num_labels", "shown"), [(10, 30), (11, 0)])
def test_table_lists_only_few_labels(num_labels, shown):
    measures = with_labels(list(range(1, num_labels + 1)), 0.8)
    lines = rendered([made_up("a", before=measures, after=measures)])
    assert sum("label " in line for line in lines) == shown
    assert any("mean over labels" in line for line in lines)
    hint = "11 labels: see the CSV file"
    assert (lines[-1].strip() == hint) == (shown == 0)
    assert any(hint in line for line in lines) == (shown == 0)


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
