"""The figure shows what was given to it, the right way up."""

import matplotlib.image
import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.figures.panels import registration_figure
from dlir_tf.figures.planes import choose_view
from dlir_tf.images import Grid, Image
from dlir_tf.phantoms import beating_heart

OBLIQUE = np.array(
    [[0.2, -1.4, 0.0, 9.0], [1.1, 0.2, 0.3, -4.0], [0.0, 0.1, -6.0, 30.0], [0, 0, 0, 1]]
)


def _gradient(affine, shape):
    """An image whose value at a voxel is its world coordinates, each apart."""
    ndim = len(shape)
    voxels = np.moveaxis(np.indices(shape), 0, -1)
    return voxels @ affine[:ndim, :ndim].T + affine[:ndim, ndim]


@pytest.mark.parametrize("ndim", [2, 3])
def test_figure_is_a_picture_of_the_images(tmp_path, ndim):
    phantom = beating_heart(2, ndim=ndim)
    path = tmp_path / "result.png"
    registration_figure(
        path,
        phantom.fixed,
        phantom.moving,
        phantom.fixed,
        displacement=phantom.displacement_field(),
        title="A title",
    )
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = matplotlib.image.imread(path)
    assert pixels.shape[0] > 400
    assert pixels.shape[1] > 800
    assert len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 2000
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.png"]


def test_a_perfect_result_leaves_no_difference(tmp_path):
    """`after` is black where `before` glows, and the grid is coloured."""
    phantom = beating_heart(2)
    path = tmp_path / "result.png"
    registration_figure(path, phantom.fixed, phantom.moving, phantom.fixed)
    pixels = matplotlib.image.imread(path)[..., :3]
    rows, columns = pixels.shape[0], pixels.shape[1]
    lower = pixels[int(0.6 * rows) : int(0.95 * rows)]
    before = lower[:, int(0.4 * columns) : int(0.6 * columns)]
    after = lower[:, int(0.75 * columns) : int(0.92 * columns)]
    assert before.max() > 0.9
    assert np.median(after) < 0.02
    assert after.std() < 0.1 * before.std() + 0.05


@pytest.mark.parametrize("slice_axis", [0, 1, 2])
def test_plane_runs_to_the_left_and_up(slice_axis):
    """World coordinates fall to the right and rise upwards, whatever the file."""
    shape = (6, 5, 4)
    view = choose_view(Grid(shape, OBLIQUE), slice_axis, 1)
    world = view.plane(_gradient(OBLIQUE, shape))
    nearest = {0: 1, 1: 0, 2: 2}  # array axis -> world axis, for this affine
    across, up = sorted(nearest[axis] for axis in range(3) if axis != slice_axis)
    assert (np.diff(world[..., across], axis=0) < 0).all()
    assert (np.diff(world[..., up], axis=1) > 0).all()
    assert view.letters[:2] == (("R", "L") if across == 0 else ("A", "P"))
    assert view.letters[2:] == (("P", "A") if up == 1 else ("I", "S"))


def test_moving_is_shown_at_the_same_world_points():
    """A linear image on another grid, resampled, is the linear image."""
    shape, weights = (6, 5, 4), np.array([0.3, -0.2, 0.5])
    fixed = Image(np.zeros(shape), OBLIQUE)
    affine = np.diag([-1.7, 2.3, 1.9, 1.0])
    affine[:3, 3] = (40.0, -40.0, -40.0)
    moving = Image(_gradient(affine, (45, 40, 45)) @ weights, affine)
    view = choose_view(fixed.grid, 2, 3)
    expected = view.plane(_gradient(OBLIQUE, shape) @ weights)
    np.testing.assert_allclose(view.resample(moving), expected, atol=1e-4)


def test_own_grid_is_resampled_exactly_to_its_border():
    array = np.random.default_rng(0).uniform(1, 2, (7, 5, 3)).astype(np.float32)
    image = Image(array, OBLIQUE)
    view = choose_view(image.grid, -1, 2)
    resampled = view.resample(image)
    np.testing.assert_allclose(resampled, view.plane(array), rtol=1e-5)


def test_grid_is_drawn_where_the_transform_goes(tmp_path, monkeypatch):
    """A shift of whole mm moves every line by those mm, in the drawn plane."""
    from dlir_tf.figures import panels as figures

    drawn = []
    real = figures.LineCollection
    monkeypatch.setattr(
        figures,
        "LineCollection",
        lambda segments, **options: (
            drawn.append(np.array(segments)) or real(segments, **options)
        ),
    )
    affine = np.diag([-1.5, 2.0, 5.0, 1.0])
    image = Image(np.random.default_rng(0).uniform(size=(30, 20, 3)), affine)
    for shift in ((0.0, 0.0, 0.0), (4.0, 3.0, 0.0)):
        field = np.broadcast_to(shift, (*image.shape, 3))
        registration_figure(tmp_path / "a.png", image, image, image, displacement=field)
    # To the right is the patient's left: the negative first world axis.
    offset = np.broadcast_to([-4.0, 3.0], drawn[0].shape)
    np.testing.assert_allclose(drawn[1] - drawn[0], offset, atol=1e-9)


def test_shapes_that_do_not_fit_are_refused(tmp_path):
    phantom = beating_heart(1, shape=(31, 27, 5))
    flat = beating_heart(1, ndim=2, shape=(31, 27))
    fixed, path = phantom.fixed, tmp_path / "a.png"
    other = Image(np.zeros((31, 27, 6)), np.eye(4))
    with pytest.raises(InputError, match="moved must lie on the fixed grid"):
        registration_figure(path, fixed, fixed, other)
    with pytest.raises(InputError, match="moving must have 3 axes"):
        registration_figure(path, fixed, flat.moving, fixed)
    field = np.zeros((31, 27, 5, 2))
    with pytest.raises(InputError, match="displacement must have shape"):
        registration_figure(path, fixed, fixed, fixed, displacement=field)
    with pytest.raises(InputError, match="slice_index must be from 0 to 4"):
        registration_figure(path, fixed, fixed, fixed, slice_index=5)
    with pytest.raises(InputError, match="slice_axis must be"):
        registration_figure(path, fixed, fixed, fixed, slice_axis=3)
    with pytest.raises(InputError, match=r"ends in \.png"):
        registration_figure(tmp_path / "a.jpg", fixed, fixed, fixed)
    with pytest.raises(InputError, match="its folder doesn't exist"):
        registration_figure(tmp_path / "none" / "a.png", fixed, fixed, fixed)
    assert not list(tmp_path.iterdir())
