"""Configs: what fits together is accepted, and what doesn't is named by its place."""

import copy
import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from dlir_tf.config import (
    AffineStage,
    Augmentation,
    BSplineStage,
    Config,
    Intensity,
    Similarity,
    Supervision,
    Training,
    dump_config,
    load_config,
    parse_config,
    preset_names,
    preset_text,
    read_config,
)
from dlir_tf.config.synthesis import Synthesis
from dlir_tf.errors import InputError

WRONG_KIND = "must be rigid, similarity, affine or bspline. Received: "
AFFINE = {"transform": "affine", "downsample": 2, "feature_spacing": 16}
COARSE = {
    "transform": "bspline",
    "downsample": [2, 2, 1],
    "control_point_spacing": [16, 16, 1],
}
FINE = {"transform": "bspline", "downsample": 1, "control_point_spacing": [4, 8, 1]}
VALID = {"ndim": 3, "spacing": [1.5, 2, None], "stages": [AFFINE, COARSE, FINE]}


def _changed(place, value):
    """The valid config as YAML, with one value changed; `place` as in a message."""
    data = copy.deepcopy(VALID)
    *path, last = [
        int(part) if part.isdigit() else part
        for part in place.replace("[", ".").replace("]", "").split(".")
    ]
    target = data
    for part in path:
        target = target[part] if isinstance(part, int) else target.setdefault(part, {})
    target[last] = value
    return yaml.safe_dump(data)


def _message(text):
    with pytest.raises(InputError) as caught:
        parse_config(text, "model.yaml")
    return str(caught.value)


def test_numbers_stand_for_all_axes():
    config = parse_config(yaml.safe_dump(VALID), "model.yaml")
    affine, coarse, fine = config.stages
    assert isinstance(affine, AffineStage)
    assert isinstance(coarse, BSplineStage)
    assert isinstance(fine, BSplineStage)
    assert affine.downsample == (2, 2, 2)
    assert affine.feature_spacing == affine.cell_spacing == (16, 16, 16)
    assert affine.pooling == (8, 8, 8)
    assert coarse.control_point_spacing == coarse.cell_spacing == (16, 16, 1)
    assert coarse.pooling == (8, 8, 1)
    assert fine.downsample == (1, 1, 1)
    assert config.multiple == (16, 16, 16)
    assert config.spacing == (1.5, 2.0, None)
    assert parse_config(_changed("spacing", 2), "").spacing == (2.0, 2.0, 2.0)
    own = parse_config(_changed("spacing", None), "").spacing
    assert own == (None, None, None)
    patch = parse_config(_changed("training.patch_size", 32), "").training.patch_size
    assert patch == (32, 32, 32)
    further = parse_config(_changed("refinement.stages", [FINE]), "").refinement
    assert further.stages == (fine,)


def test_multiple_is_common_to_all_stages():
    stages = [
        {"transform": "bspline", "downsample": [1, 3], "control_point_spacing": [8, 3]},
        {"transform": "bspline", "downsample": 1, "control_point_spacing": [2, 4]},
    ]
    config = Config.model_validate({"ndim": 2, "spacing": 1, "stages": stages})
    assert config.multiple == (8, 12)
    last = {"transform": "bspline", "downsample": 1, "control_point_spacing": [1, 8]}
    refined = {
        "ndim": 2,
        "spacing": 1,
        "stages": stages,
        "refinement": {"stages": [last]},
    }
    config = Config.model_validate(refined)
    assert config.multiple == (8, 24)
    again = config.stages  # the lattices of both, once more in a refinement
    assert config.all_stages == (*again, *again, *config.refinement.stages)


def test_what_the_caller_gave_stays_as_it_was():
    data = copy.deepcopy(VALID)
    data["training"] = {"patch_size": 32}
    data["refinement"] = {"stages": [copy.deepcopy(FINE)]}
    given = copy.deepcopy(data)
    Config.model_validate(data)
    assert data == given


def test_config_is_frozen():
    config = Config.model_validate(VALID)
    with pytest.raises(ValidationError):
        config.ndim = 2
    with pytest.raises(ValidationError):
        config.stages[0].downsample = (1, 1, 1)


@pytest.mark.parametrize(
    "description", ["größer: as much as\nYAML can quote", "1e-3", "true", "-2E+05"]
)
def test_yaml_comes_back_equal(description):
    data = copy.deepcopy(VALID)
    data |= {
        "description": description,
        "intensity": {"clip_percentiles": None, "clip_values": [-1000, 500.5]},
        "similarity": {"kind": "windowed_ncc", "window": 7},
        "training": {"learning_rate": 1e-7, "patch_size": [16, 32, 48]},
    }
    config = Config.model_validate(data)
    assert config != Config.model_validate(VALID)
    assert parse_config(dump_config(config), "dumped") == config


def test_exponents_without_a_point_are_numbers():
    """YAML 1.1 takes 1e-3 for a text."""
    text = yaml.safe_dump({**VALID, "spacing": 0})
    text = text.replace("spacing: 0\n", "spacing: 25E-1\n")
    config = parse_config(text + "training: {learning_rate: 1e-3}\n", "")
    assert config.spacing == (2.5, 2.5, 2.5)
    assert config.training.learning_rate == 1e-3


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("spcing", 1, "unknown key; `dlir-tf info --preset demo` shows the known ones"),
        ("affine", 1, "unknown key"),
        ("stages[1].affine", 1, "unknown key"),
        ("stages[0].bending_energy", 1, "unknown key"),
        ("training.augmentation.flip", True, "unknown key"),
        ("ndim", 4, "must be 2 or 3. Received: 4"),
        ("ndim", "three", "must be 2 or 3. Received: 'three'"),
        ("ndim", [3], "must be 2 or 3. Received: [3]"),
        ("spacing", [1, 1], "needs 3 values, one per axis. Received: [1.0, 1.0]"),
        ("spacing[1]", 0, "must be greater than 0. Received: 0"),
        ("spacing[1]", float("inf"), "must be a finite number. Received: inf"),
        ("spacing[2]", "thick", "must be a valid number"),
        (
            "initial_alignment",
            "eyes",
            "must be 'header', 'centers', 'mass', 'search' or 'pose'",
        ),
        (
            "similarity.kind",
            "mi",
            "must be 'ncc', 'windowed_ncc', 'mse', 'nmi' or 'mind_ssc'",
        ),
        ("similarity.bins", 3, "must be greater than or equal to 4"),
        ("stages", [], "must have at least 1. Received: []"),
        ("stages", 3, "must be a list. Received: 3"),
        ("stages[1]", 3, "must be a mapping. Received: 3"),
        ("stages[1].transform", "rigit", WRONG_KIND + "rigit"),
        ("stages[2].downsample", [1, 1], "needs 3 values, one per axis"),
        ("stages[0].feature_spacing", [8], "needs 3 values, one per axis"),
        (
            "stages[2].control_point_spacing",
            "4",
            "must be a number, or a list of one per axis. Received: '4'",
        ),
        ("spacing", True, "must be a number, or a list of one per axis"),
        ("spacing[0]", True, "must be a valid number. Received: True"),
        ("spacing[0]", "2", "must be a valid number. Received: '2'"),
        ("stages[0].downsample", True, "must be a number, or a list of one per axis"),
        ("stages[0].downsample", None, "must be a number, or a list of one per axis"),
        ("stages[0].max_shear", True, "must be a valid number. Received: True"),
        ("stages[1].bending_energy", "1", "must be a valid number. Received: '1'"),
        ("stages[1].filters", True, "must be a list. Received: True"),
        ("stages[1].injective", 1, "must be a valid boolean. Received: 1"),
        ("training.steps", True, "must be a valid integer. Received: True"),
        ("training.steps", "5", "must be a valid integer. Received: '5'"),
        ("training.joint_steps", False, "must be a valid integer. Received: False"),
        ("training.augmentation.noise", "0", "must be a valid number. Received: '0'"),
        ("similarity.weight", True, "must be a valid number. Received: True"),
        ("stages[2].filters", [], "must have at least 1"),
        ("refinement.stages", 3, "must be a list. Received: 3"),
        ("stages[0].max_rotation_degrees", 181, "must be less than or equal to 180"),
        (
            "stages[1].control_point_spacing",
            [12, 12, 1],
            "must be a power of two times `downsample` (2, 2, 1). "
            "Received: (12, 12, 1)",
        ),
        (
            "stages[1].control_point_spacing",
            [1, 8, 1],
            "must be a power of two times `downsample`",
        ),
        (
            "stages[0].feature_spacing",
            24,
            "must be a power of two times `downsample` (2, 2, 2)",
        ),
        ("training", 3, "must be a mapping. Received: 3"),
        ("training.steps", 0, "must be greater than 0. Received: 0"),
        ("training.steps", 1.5, "must be a valid integer"),
        ("training.mixed_precision", "maybe", "must be a valid boolean"),
        ("training.patch_size", [16, 16], "needs 3 values, one per axis"),
        (
            "training.patch_size",
            24,
            "must be a multiple of (16, 16, 16), what the stages need. "
            "Received: (24, 24, 24)",
        ),
        ("training.augmentation.scale", 1, "must be less than 1"),
        ("intensity.clip_percentiles", [1, 2, 3], "must have at most 2 values"),
    ],
)
def test_message_names_place_demand_and_what_came(place, value, expected):
    message = _message(_changed(place, value))
    assert message.startswith(f"model.yaml, {place}: {expected}")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("intensity", "expected"),
    [
        (
            {"clip_values": [0, 1]},
            "clip_values and clip_percentiles exclude each other; set "
            "clip_percentiles to null",
        ),
        (
            {"clip_values": [3, 1], "clip_percentiles": None},
            "the lower limit 3.0 isn't below the upper 1.0",
        ),
        ({"clip_percentiles": [-1, 50]}, "percentiles lie between 0 and 100"),
        ({"clip_percentiles": [50, 101]}, "percentiles lie between 0 and 100"),
    ],
)
def test_intensity_limits_must_make_sense(intensity, expected):
    message = _message(_changed("intensity", intensity))
    assert message == f"model.yaml, intensity: {expected}"


@pytest.mark.parametrize("kind", ["rigid", "similarity", "affine"])
def test_linear_stages_come_first(kind):
    linear = AFFINE | {"transform": kind}
    message = _message(_changed("stages", [COARSE, linear]))
    assert message == (
        f"model.yaml, stages[1]: {kind} stages come before all bspline stages"
    )


def test_shears_are_no_setting_of_a_rigid_stage():
    rigid = AFFINE | {"transform": "rigid", "max_shear": 0.1}
    message = _message(_changed("stages", [rigid]))
    assert message.startswith("model.yaml, stages[0].max_shear: unknown key")


@pytest.mark.parametrize("num_between", [0, 1])
def test_no_stage_is_too_coarse_for_any_field_before(num_between):
    """Earlier fields are expanded on the grid that a later stage sees."""
    first = {"transform": "bspline", "downsample": 4, "control_point_spacing": 4}
    between = {"transform": "bspline", "downsample": 4, "control_point_spacing": 8}
    last = {"transform": "bspline", "downsample": 8, "control_point_spacing": 8}
    message = _message(_changed("stages", [first, *[between] * num_between, last]))
    assert message == (
        f"model.yaml, stages[{1 + num_between}].downsample: must divide the "
        "control_point_spacing of every stage before, (4, 4, 4): stages go from "
        "coarse to fine. Received: (8, 8, 8)"
    )


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("transform", "affine", "must be 'bspline'. Received: 'affine'"),
        ("transform", None, "must be 'bspline'. Received: None"),
        ("control_point_spacing", [4, 4], "needs 3 values, one per axis"),
        ("downsample", [8, 1, 1], "must divide the control_point_spacing of every"),
    ],
)
def test_stages_of_the_refinement_are_checked_as_the_others(key, value, expected):
    further = {"transform": "bspline", "downsample": 1, "control_point_spacing": 8}
    message = _message(_changed("refinement.stages", [FINE, further | {key: value}]))
    assert message.startswith(f"model.yaml, refinement.stages[1].{key}: {expected}")
    assert "\n" not in message


def test_a_spacing_is_given_or_fitted():
    text = yaml.safe_dump({**VALID, "longest_axis": 64})
    assert _message(text).startswith(
        "model.yaml, longest_axis: fits the spacing to each pair, so `spacing` has to "
        "be null. Received: ["
    )
    free = {**VALID, "spacing": None, "longest_axis": 64}
    assert Config.model_validate(free).longest_axis == 64


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ([64, 64], "needs 3 values, one per axis. Received: [64, 64]"),
        ([65, 64, 64], "must be a multiple of ("),
    ],
)
def test_synthetic_images_fit_the_stages(size, expected):
    training = {"synthesis": {"sizes": [size]}}
    message = _message(yaml.safe_dump({**VALID, "training": training}))
    place = "model.yaml, training.synthesis.sizes[0]: "
    assert message.startswith(place + expected)


def test_something_has_to_be_trained():
    text = yaml.safe_dump({**VALID, "training": {"steps": 0}})
    assert _message(text) == (
        "model.yaml, training.steps: must be greater than 0. Received: 0, which trains "
        "nothing unless training.joint_steps says how long all stages train together"
    )


def test_deformations_need_a_lattice():
    training = {"augmentation": {"deformation": 0.5}}
    text = yaml.safe_dump({**VALID, "stages": [AFFINE], "training": training})
    assert _message(text) == (
        "model.yaml, training.augmentation.deformation: needs a bspline stage, whose "
        "lattice it takes; set it to 0"
    )
    with_lattice = {**VALID, "stages": [AFFINE, COARSE], "training": training}
    config = Config.model_validate(with_lattice)
    assert config.coarsest_lattice == config.stages[1].control_point_spacing


def test_several_problems_are_all_named():
    message = _message("ndim: 3\nspcing: 1\nstages: []\n")
    assert message.splitlines() == [
        "model.yaml, spacing: is missing",
        "model.yaml, stages: must have at least 1. Received: []",
        "model.yaml, spcing: unknown key; `dlir-tf info --preset demo` shows the "
        "known ones",
    ]


def test_everything_that_does_not_fit_together_is_named():
    """Also beside values that are too few to be compared with anything."""
    short = {"transform": "bspline", "downsample": [1, 1], "control_point_spacing": 8}
    coarse = {"transform": "bspline", "downsample": 32, "control_point_spacing": 96}
    text = yaml.safe_dump(
        {
            **VALID,
            "spacing": [1, 2],
            "stages": [COARSE, short, coarse, AFFINE],
            "training": {"patch_size": [8]},
        }
    )
    assert [line.partition(": ")[0] for line in _message(text).splitlines()] == [
        "model.yaml, spacing",
        "model.yaml, stages[1].downsample",
        "model.yaml, stages[2].control_point_spacing",
        "model.yaml, stages[2].downsample",
        "model.yaml, stages[3]",
        "model.yaml, training.patch_size",
    ]


def test_stage_without_transform_is_one_problem():
    message = _message("ndim: 3\nspacing: 1\nstages: [{downsample: 1}]\n")
    assert message == f"model.yaml, stages[0].transform: {WRONG_KIND}nothing"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "model.yaml: expected a mapping"),
        ("- 1\n- 2\n", "model.yaml: expected a mapping"),
        ("ndim: 3\nstages: [\n", "model.yaml, line 3: not valid YAML"),
        ("a: b: c", "model.yaml, line 1: not valid YAML"),
        ("\x00", "model.yaml: not valid YAML"),
    ],
)
def test_what_is_no_mapping_is_named(text, expected):
    assert _message(text).startswith(expected)


def test_file_is_read_and_named(tmp_path):
    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump(VALID), encoding="utf-8")
    assert read_config(path) == load_config(path) == Config.model_validate(VALID)
    path.write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(InputError, match=r"model\.yaml: can't be read as a config"):
        read_config(path)
    with pytest.raises(InputError, match="can't be read as a config"):
        load_config(tmp_path)
    with pytest.raises(InputError, match=r"nothing\.yaml: no such config file$"):
        read_config(tmp_path / "nothing.yaml")
    with pytest.raises(InputError, match=r"no such config file; rigid is a preset"):
        read_config(Path("rigid"))
    with pytest.raises(InputError, match=r"; a file is printed by --config$"):
        preset_text(str(path))
    with pytest.raises(InputError, match="neither a file nor a preset"):
        load_config("no-such-preset")
    with pytest.raises(InputError, match="no preset is called 'no-such-preset'"):
        preset_text("no-such-preset")


@pytest.mark.parametrize("name", preset_names())
def test_preset_parses_and_comes_back_equal(name):
    config = load_config(name)
    assert config.description
    assert parse_config(dump_config(config), name) == config
    assert not Path(name).exists()


def test_every_key_is_documented():
    page = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
    words = set(re.findall(r"\w+", page.read_text(encoding="utf-8")))
    models = [Config, Intensity, Similarity, Training, Augmentation, Supervision]
    for model in [*models, AffineStage, BSplineStage]:
        assert set(model.model_fields) <= words, model.__name__


def test_every_key_of_the_synthesis_is_documented():
    page = Path(__file__).resolve().parents[2] / "docs" / "general-model.md"
    words = set(re.findall(r"\w+", page.read_text(encoding="utf-8")))
    assert set(Synthesis.model_fields) <= words


def test_bspline_stage_knows_its_cells():
    stage = BSplineStage(
        transform="bspline", downsample=(2, 1), control_point_spacing=(8, 1)
    )
    assert (stage.cell_spacing, stage.pooling) == ((8, 1), (4, 1))


def test_a_refinement_without_the_networks_lattices_has_some_of_its_own():
    assert _message(_changed("refinement.networks_lattices", False)) == (
        "model.yaml, refinement.networks_lattices: false leaves a refinement the "
        "lattices of refinement.stages alone, and there are none; add some, or set it "
        "to true"
    )
