"""What is drawn of a registration."""

from types import SimpleNamespace

import numpy as np

from dlir_tf.apply.pictures import figure_writer
from dlir_tf.images import Image


def test_the_figure_of_a_slice_shows_its_plane():
    """Wherever the axis across is stored."""
    images = [
        Image(np.zeros(np.insert((9, 8), axis, 1)), np.eye(4)) for axis in range(3)
    ]
    images.append(Image(np.zeros((9, 8, 7)), np.eye(4)))
    field = np.zeros(3)
    result = SimpleNamespace(moved=images[0], computed=field, displacement=field)
    axes = [
        figure_writer(result, image, image).keywords["slice_axis"] for image in images
    ]
    assert axes == [0, 1, 2, -1]
