"""Options of an export to TFLite, and what can be wrong with them."""

import pytest

from dlir_tf.config import load_config
from dlir_tf.errors import InputError
from dlir_tf.export.tflite.options import check_shape, parse_shape


def test_shapes_are_read():
    assert parse_shape("160,192, 160") == (160, 192, 160)


@pytest.mark.parametrize("text", ["160x192", "", "160,,2", "1.5,2,3"])
def test_what_is_no_shape(text):
    with pytest.raises(InputError, match="whole numbers with commas"):
        parse_shape(text)


def test_says_the_next_multiple():
    config = load_config("cardiac-cine")
    check_shape((256, 224, 10), config)
    with pytest.raises(InputError, match=r"next larger shape is 256,224,1\. Received"):
        check_shape((250, 224, 0), config)
    with pytest.raises(InputError, match=r"3-d, so the shape has 3 numbers"):
        check_shape((256, 224), config)


@pytest.mark.parametrize("size", [4096, 1_600_000, 16 * 10**400])
def test_a_shape_beyond_all_memory_is_refused(size, monkeypatch):
    """The system ended the process without a word, or TensorFlow did."""
    monkeypatch.setattr("dlir_tf.export.tflite.options.free_memory", lambda: 2**34)
    with pytest.raises(InputError, match=r"of which 17\.2 are free; give a smaller"):
        check_shape((size, size, size), load_config("cardiac-cine"))
    monkeypatch.setattr("dlir_tf.export.tflite.options.free_memory", lambda: None)
    with pytest.raises(InputError, match="or more; give a smaller shape"):
        check_shape((size, size, size), load_config("cardiac-cine"))
