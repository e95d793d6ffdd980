"""Tiny 2-d pairs with a known shift."""

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.images import Image, write_image
from dlir_tf.pairs.manifest import Pair

SPACING = (1.5, 2.0)


def shifted_pair(seed, shape, shift):
    """Smooth blobs; fixed voxel `p` shows what moving voxel `p + shift` shows."""
    wide = [n + 32 for n in shape]
    noise = np.random.default_rng(seed).normal(size=wide)
    scene = ndimage.gaussian_filter(noise, 3.0).astype(np.float32)
    views = [
        tuple(slice(16 - s, 16 - s + n) for s, n in zip(start, shape, strict=True))
        for start in ((0, 0), shift)
    ]
    return scene[views[0]], scene[views[1]]


@pytest.fixture
def make_pairs(tmp_path):
    """Returns a function that writes pairs, with labels where the scene is bright."""

    def make(
        num=3,
        *,
        shapes=((32, 24),),
        shift=(3, -2),
        labels=False,
        name="pair",
    ):
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        affine = np.diag([*SPACING, 1.0])
        pairs = []
        for index in range(num):
            files = {}
            arrays = shifted_pair(index, shapes[index % len(shapes)], shift)
            for side, array in zip(("fixed", "moving"), arrays, strict=True):
                files[side] = folder / f"{name}{index}_{side}.nii"
                write_image(files[side], Image(array, affine))
                if labels:
                    bright = (array > 0.05).astype(np.int16)
                    files[f"{side}_labels"] = folder / f"{name}{index}_{side}_seg.nii"
                    write_image(files[f"{side}_labels"], Image(bright, affine))
            pairs.append(Pair(place=f"pairs.csv, line {index + 2}", **files))
        return pairs

    return make
