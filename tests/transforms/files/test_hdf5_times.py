"""Transforms in HDF5 files: the same one is the same file, whenever it's written."""

import time

import h5py
import numpy as np
import SimpleITK as sitk

from dlir_tf.transforms import Affine, DenseField, Transform, write_transform
from dlir_tf.transforms.files.hdf5_times import remove_times


def test_a_transform_is_the_same_file_a_second_later(tmp_path, rng):
    matrix = np.eye(4)
    matrix[:3] += rng.normal(0, 0.1, (3, 4))
    field = rng.normal(0, 1, (9, 8, 7, 3)).astype(np.float32)
    transform = Transform((Affine(matrix), DenseField(field, np.eye(4))))
    write_transform(tmp_path / "a.h5", transform)
    time.sleep(1.1)  # the stamps are seconds
    write_transform(tmp_path / "b.h5", transform)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_what_others_wrote_says_the_same_without_its_times(tmp_path):
    stored = sitk.AffineTransform((1.1, 0.2, -0.1, 0.9), (3.0, -4.0), (5.0, 6.0))
    path = tmp_path / "t.h5"
    sitk.WriteTransform(stored, str(path))
    before = path.read_bytes()
    remove_times(path)
    assert len(path.read_bytes()) == len(before)
    assert path.read_bytes() != before
    found = sitk.ReadTransform(str(path))
    assert found.GetParameters() == stored.GetParameters()
    with h5py.File(path) as file:  # by another copy of HDF5, which checks all headers
        names = []
        file.visit(names.append)
        assert "TransformGroup/0/TransformParameters" in names


def test_what_only_looks_like_a_header_stays(tmp_path):
    path = tmp_path / "noise"
    noise = b"OHDR\x02\x20" + bytes(range(200)) + b"OHDR\x02\x20\xff" + b"OHDR"
    path.write_bytes(noise)
    remove_times(path)
    assert path.read_bytes() == noise
