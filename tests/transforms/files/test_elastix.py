"""elastix' own files: transformix maps points alike, where it's installed."""

import numpy as np
import pytest
from itk_judge import points_within, random_parameters, reference_within
from transformix import by_transformix

from dlir_tf.errors import InputError
from dlir_tf.images import flip_ras_lps
from dlir_tf.images.frame import flip_affine
from dlir_tf.transforms import read_transform

FINE = {2: (0.25, 0.2), 3: (0.3, 0.4, 0.5)}
SHAPE = {2: (23, 31), 3: (17, 14, 19)}
CENTRE = [12.0, -7.5, 30.25]


def text(kind, ndim, parameters, **entries):
    """As elastix writes a file, with the image of `_frame`."""
    rows = {
        "Transform": f'"{kind}"',
        "NumberOfParameters": len(parameters),
        "TransformParameters": " ".join(map(repr, map(float, parameters))),
        "InitialTransformParametersFileName": '"NoInitialTransform"',
        "HowToCombineTransforms": '"Compose"',
        "FixedImageDimension": ndim,
        "MovingImageDimension": ndim,
        "FixedInternalImagePixelType": '"float"',
        "MovingInternalImagePixelType": '"float"',
        "Size": " ".join(["20"] * ndim),
        "Index": " ".join(["0"] * ndim),
        "Spacing": " ".join(["1.0"] * ndim),
        "Origin": " ".join(["0.0"] * ndim),
        "Direction": " ".join(map(str, np.eye(ndim).ravel())),
        "UseDirectionCosines": '"true"',
        "ResampleInterpolator": '"FinalBSplineInterpolator"',
        "Resampler": '"DefaultResampler"',
    }
    rows |= {name: value for name, value in entries.items() if value is not None}
    lines = [f"({name} {value})" for name, value in rows.items()]
    return "\n".join(["// as elastix has it", "", *lines, ""])


def centre(ndim):
    return " ".join(map(str, CENTRE[:ndim]))


def linear(rng, kind, ndim):
    """Its parameters, and its map of LPS points by its definition."""
    turns = rng.uniform(-0.7, 0.7, 3)
    shift = rng.uniform(-9, 9, ndim)
    about = np.array(CENTRE[:ndim])
    matrix, numbers = np.eye(ndim), [*shift]
    if ndim == 2:
        turn = _turn(2, turns[0], 0, 1)
    else:  # first about y, then x, then z
        turn = _turn(3, turns[2], 0, 1) @ _turn(3, turns[0], 1, 2)
        turn = turn @ _turn(3, turns[1], 2, 0)
    if kind == "EulerTransform":
        matrix = turn
        numbers = [*(turns[:1] if ndim == 2 else turns), *shift]
    if kind == "SimilarityTransform" and ndim == 2:
        matrix, numbers = 1.3 * turn, [1.3, turns[0], *shift]
    if kind == "SimilarityTransform" and ndim == 3:
        matrix, numbers = 1.3 * _turn(3, turns[0], 0, 1), [0, 0, np.sin(turns[0] / 2)]
        numbers += [*shift, 1.3]
    if kind == "AffineTransform":
        matrix = np.eye(ndim) + 0.2 * rng.normal(size=(ndim, ndim))
        numbers = [*matrix.ravel(), *shift]
    return numbers, lambda x: (x - about) @ matrix.T + about + shift


def _turn(ndim, angle, first, second):
    matrix = np.eye(ndim)
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix[[first, second], [first, second]] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


def spline(rng, ndim):
    """A lattice as elastix writes it; and our own map of it."""
    parameters = random_parameters(rng, ndim, 1, size={2: 0.3, 3: 0.06}[ndim])
    ours = parameters.ours().components[0]
    lps = flip_affine(ours.lattice)
    steps = np.linalg.norm(lps[:-1, :-1], axis=0)
    coefficients = flip_ras_lps(ours.control_points)
    columns = [coefficients[..., axis].ravel(order="F") for axis in range(ndim)]
    entries = {
        "GridSize": " ".join(map(str, ours.control_points.shape[:-1])),
        "GridIndex": " ".join(["0"] * ndim),
        "GridSpacing": " ".join(map(repr, map(float, steps))),
        "GridOrigin": " ".join(map(repr, map(float, lps[:-1, -1]))),
        "GridDirection": " ".join(
            map(repr, map(float, (lps[:-1, :-1] / steps).ravel(order="F")))
        ),
        "BSplineTransformSplineOrder": 3,
        "UseCyclicTransform": '"false"',
    }
    reference = reference_within(rng, parameters.grid, FINE[ndim], SHAPE[ndim])
    return np.concatenate(columns), entries, ours, reference


KINDS = [
    *("TranslationTransform", "EulerTransform", "SimilarityTransform"),
    "AffineTransform",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_linear_transforms_by_their_definition(rng, tmp_path, kind, ndim):
    numbers, truth = linear(rng, kind, ndim)
    entries = {"CenterOfRotationPoint": centre(ndim), "ComputeZYX": '"false"'}
    (tmp_path / "t.0.txt").write_text(text(kind, ndim, numbers, **entries))
    points = rng.uniform(-50, 50, (60, ndim))
    ours = read_transform(tmp_path / "t.0.txt").map_points(flip_ras_lps(points))
    np.testing.assert_allclose(flip_ras_lps(ours), truth(points), atol=1e-9)


@pytest.mark.parametrize("ndim", [2, 3])
def test_splines_and_what_they_go_on_from(rng, tmp_path, ndim):
    """The initial transform first; its file lies beside, wherever it once was."""
    coefficients, entries, ours, reference = spline(rng, ndim)
    numbers, affine = linear(rng, "TranslationTransform", ndim)
    (tmp_path / "t.0.txt").write_text(text("TranslationTransform", ndim, numbers))
    entries["InitialTransformParametersFileName"] = '"/long/gone/t.0.txt"'
    written = text("BSplineTransform", ndim, coefficients, **entries)
    (tmp_path / "t.1.txt").write_text(written)
    points = points_within(rng, reference, 80)
    before = flip_ras_lps(flip_ras_lps(points) - numbers)
    found = read_transform(tmp_path / "t.1.txt").map_points(before)
    expected = ours.map_points(flip_ras_lps(affine(flip_ras_lps(before))))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert np.abs(expected - points).max() > 0.05


@pytest.mark.parametrize("zyx", ["false", "true"])
@pytest.mark.parametrize("kind", [*KINDS, "BSplineTransform"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_transformix_maps_points_alike(rng, tmp_path, kind, ndim, zyx):
    if kind == "BSplineTransform":
        numbers, entries, _, reference = spline(rng, ndim)
        points = flip_ras_lps(points_within(rng, reference, 30))
    else:
        numbers, _ = linear(rng, kind, ndim)
        entries = {"CenterOfRotationPoint": centre(ndim), "ComputeZYX": f'"{zyx}"'}
        points = rng.uniform(-50, 50, (30, ndim))
    (tmp_path / "t.0.txt").write_text(text(kind, ndim, numbers, **entries))
    expected = by_transformix(tmp_path, ["t.0.txt"], points)
    ours = read_transform(tmp_path / "t.0.txt").map_points(flip_ras_lps(points))
    np.testing.assert_allclose(flip_ras_lps(ours), expected, atol=1e-4)
    assert np.abs(expected - points).max() > 0.01


GOOD = {"CenterOfRotationPoint": "0 0 0"}


@pytest.mark.parametrize(
    ("kind", "count", "entries", "message"),
    [
        (
            "SplineKernelTransform",
            6,
            GOOD,
            "must be TranslationTransform, .*, but this",
        ),
        (
            "EulerTransform",
            5,
            GOOD,
            "TransformParameters must have 6 numbers, but has 5",
        ),
        ("EulerTransform", 6, {}, "CenterOfRotationPoint is missing"),
        (
            "EulerTransform",
            6,
            {**GOOD, "InitialTransformParametersFileName": '"a/gone.txt"'},
            r"goes on from a/gone\.txt, which must lie beside it",
        ),
        (
            "EulerTransform",
            6,
            {**GOOD, "InitialTransformParametersFileName": '"t.txt"'},
            "must come to an end, but lead back",
        ),
        (
            "EulerTransform",
            6,
            {
                **GOOD,
                "InitialTransformParametersFileName": '"t.txt"',
                "HowToCombineTransforms": '"Add"',
            },
            "HowToCombineTransforms must be Compose, but is Add",
        ),
        ("AffineTransform", 12, {**GOOD, "MovingImageDimension": 4}, "3-d to 4-d"),
        (
            "EulerTransform",
            6,
            {**GOOD, "UseBinaryFormatForTransformationParameters": '"true"'},
            "its parameters are in a binary file",
        ),
        (
            "BSplineTransform",
            6,
            {"BSplineTransformSplineOrder": 2},
            "of order 3 and not cyclic, but this one is of order 2",
        ),
        ("BSplineTransform", 6, {"GridSize": "900 900 900"}, "GridSize is"),
        ("AffineTransform", 12, {**GOOD, "Size": '1 2"'}, "isn't of the form"),
        (
            "AffineTransform",
            12,
            {**GOOD, "CenterOfRotationPoint": "0 nan 0"},
            "3 numbers",
        ),
        ("SimilarityTransform", 7, GOOD, "can't be used"),
        (
            "AffineTransform",
            12,
            {
                **GOOD,
                "UseDirectionCosines": '"false"',
                "Direction": "0 1 0 -1 0 0 0 0 1",
            },
            "elastix left out how its images are turned.*set it to true",
        ),
    ],
)
def test_what_is_not_read_is_said(tmp_path, kind, count, entries, message):
    (tmp_path / "t.txt").write_text(text(kind, 3, np.zeros(count), **entries))
    with pytest.raises(InputError, match=rf"t\.txt: .*{message}"):
        read_transform(tmp_path / "t.txt")


def test_directions_that_were_left_out_are_warned_of(tmp_path):
    """elastix found it as if both images lay straight; of the moving one, who knows."""
    entries = {**GOOD, "UseDirectionCosines": '"false"'}
    written = text("TranslationTransform", 3, [1, 2, 3], **entries)
    (tmp_path / "t.txt").write_text(written)
    with pytest.warns(UserWarning, match=r"t\.txt: .* if the moving one is turned"):
        moved = read_transform(tmp_path / "t.txt").map_points(np.zeros((1, 3)))
    np.testing.assert_array_equal(moved, [[-1, -2, 3]])


@pytest.mark.parametrize(
    "folder", ["//server/share/", "https://host/", "C:\\Bilder\\Müller\\"]
)
def test_names_of_other_machines_and_encodings(tmp_path, folder):
    """`//` in a name begins no comment, and Windows doesn't write UTF-8."""
    first = text("TranslationTransform", 3, [1, 2, 3])
    (tmp_path / "t.0.txt").write_text(first)
    entries = {"InitialTransformParametersFileName": f'"{folder}t.0.txt" // before it'}
    second = text("TranslationTransform", 3, [10, 20, 30], **entries)
    (tmp_path / "t.1.txt").write_bytes(second.encode("latin-1"))
    moved = read_transform(tmp_path / "t.1.txt").map_points(np.zeros((1, 3)))
    np.testing.assert_array_equal(moved, [[-11, -22, 33]])
