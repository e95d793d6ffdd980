"""Our own file: small, exact, and safe to open."""

import pickle
from functools import partial

import numpy as np
import pytest
from itk_judge import points_within, random_frame, random_parameters

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.transforms import (
    Affine,
    BSpline,
    DenseField,
    Inverse,
    Transform,
    read_transform,
    write_transform,
)
from dlir_tf.transforms.files.own import write_own


def equal(one, other):
    """The same component, number by number."""
    assert type(one) is type(other)
    if isinstance(one, Inverse):
        equal(one.component, other.component)
        return
    for name in one.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def everything(rng, ndim):
    """Components of every kind, inverses of inverses, too."""
    parameters = random_parameters(rng, ndim, 2, size=0.2)
    transform = parameters.ours()
    shape = {2: (7, 9), 3: (7, 6, 5)}[ndim]
    frame = random_frame(rng, rng.uniform(2, 4, ndim), np.ones(ndim), shape)
    narrow = DenseField(rng.normal(size=(*shape, ndim)).astype(np.float32), frame)
    wide = DenseField(rng.normal(size=(*shape, ndim)), frame)
    spline, *_ = transform.components
    parts = (*transform.components, narrow, wide)
    inverses = (Inverse(Inverse(spline)), Inverse(narrow), Inverse(parts[-3]))
    return Transform(parts), Transform((*parts, *inverses)), parameters


@pytest.mark.parametrize("write", [write_transform, partial(write_own, packed=False)])
@pytest.mark.parametrize("ndim", [2, 3])
def test_a_file_read_back_is_the_same_number_by_number(rng, tmp_path, ndim, write):
    _, transform, parameters = everything(rng, ndim)
    path = tmp_path / "t.npz"
    assert write(path, transform) == 0.0
    again = read_transform(path)
    assert len(again.components) == len(transform.components)
    for one, other in zip(again.components, transform.components, strict=True):
        equal(one, other)
    image = Image(np.zeros(parameters.grid.shape), parameters.grid.affine)
    points = points_within(rng, image, 50)
    np.testing.assert_array_equal(
        again.map_points(points), transform.map_points(points)
    )


def test_an_inverse_stays_one(rng, tmp_path):
    forward, _, _ = everything(rng, 3)
    path = tmp_path / "t.npz"
    write_transform(path, forward.inverse())
    for one, other in zip(
        read_transform(path).inverse().components, forward.components, strict=True
    ):
        if not isinstance(other, Affine):
            equal(one, other)
        else:
            np.testing.assert_allclose(one.matrix, other.matrix, atol=1e-12)


def test_float32_is_taken_where_it_loses_nothing(rng, tmp_path):
    narrow = rng.normal(size=(40, 30, 20, 3)).astype(np.float32)
    lattice = np.diag([4.0, 4.0, 8.0, 1.0])
    path, sizes = tmp_path / "t.npz", []
    for control_points in (narrow, narrow * np.float64(1.1)):
        assert (
            write_transform(path, Transform((BSpline(control_points, lattice),))) == 0
        )
        sizes.append(path.stat().st_size)
        again = read_transform(path).components[0].control_points
        np.testing.assert_array_equal(again, control_points)
        assert again.dtype == np.float64
    assert sizes[0] < 0.8 * sizes[1]


def test_a_registration_takes_kilobytes(rng, tmp_path):
    transform = random_parameters(rng, 3, 1).ours()
    path = tmp_path / "t.npz"
    write_transform(path, transform)
    assert path.stat().st_size < 40_000


def test_the_same_transform_gives_the_same_bytes(rng, tmp_path):
    transform = random_parameters(rng, 2, 1).ours()
    for name in ("a.npz", "b.npz"):
        write_transform(tmp_path / name, transform)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_truncated_or_changed_file_is_refused(rng, tmp_path):
    path = tmp_path / "t.npz"
    write_transform(path, random_parameters(rng, 2, 1).ours())
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"t\.npz: can't be read as a transform"):
            read_transform(path)
    middle = whole.index(b"control_points") + 60
    path.write_bytes(whole[:middle] + b"\0\0\0" + whole[middle + 3 :])
    with pytest.raises(InputError, match=r"t\.npz: can't be read as a transform"):
        read_transform(path)


def test_nothing_in_a_file_is_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the file was run",))

    path = tmp_path / "t.npz"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="can't be read as a transform"):
        read_transform(path)
    np.savez(path, format=np.array(Trap(), dtype=object))
    with pytest.raises(InputError, match="can't be read as a transform"):
        read_transform(path)


def test_other_peoples_archives_and_newer_versions_are_refused(tmp_path):
    path = tmp_path / "t.npz"
    np.savez(path, weights=np.zeros(3))
    with pytest.raises(InputError, match=r"must hold the format .*\['weights'\]"):
        read_transform(path)
    np.savez(path, format="dlir-tf transform", version=2)
    with pytest.raises(InputError, match=r"must be 1, but is 2; read .* newer dlir-tf"):
        read_transform(path)
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(InputError, match="can't be read as a transform"):
        read_transform(path)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"components": ["affine"], "0.matrix": np.zeros((3, 3))}, "last row"),
        ({"components": ["affine"], "0.matrix": np.diag([1.0, 0, 1])}, "inverted"),
        ({"components": ["affine"], "0.matrix": np.eye(3, dtype=int)}, "finite real"),
        ({"components": ["affine"]}, "0.matrix"),
        ({"components": ["velocity"]}, "velocity"),
        ({"components": []}, "at least one component"),
        ({}, "components"),
        (
            {
                "components": ["dense_field"],
                "0.displacement": np.full((4, 5, 2), np.nan),
                "0.affine": np.eye(3),
            },
            "finite real",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path, arrays, said):
    path = tmp_path / "t.npz"
    np.savez(path, format="dlir-tf transform", version=1, **arrays)
    with pytest.raises(InputError, match=rf"t\.npz: the parts .*{said}"):
        read_transform(path)


def test_unknown_components_are_refused_and_nothing_is_written(tmp_path):
    class Wobble(Affine):
        pass

    class Other:
        ndim = 2

    path = tmp_path / "t.npz"
    with pytest.raises(InputError, match="one is Other; write a displacement field"):
        write_transform(path, Transform((Affine(np.eye(3)), Other())))
    assert list(tmp_path.iterdir()) == []
