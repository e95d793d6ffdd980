"""antspyx: a pair through its `registration`, and its answer as ours.

`SyN` is antspyx's default, an affine and then SyN, driven by Mattes' mutual
information. With `syn_metric="CC"` and `syn_sampling=4` the same schedule is driven by
the cross-correlation of neighbourhoods of 9 voxels. `SyNCC` is the one of antspyx's own
recipes with that metric: rigid, affine, and many times as many iterations of SyN.

Images are first aligned by their centres of mass, as antspyx does it. Masks of a pair
hold in all stages.
"""

import tempfile
from pathlib import Path

import numpy as np

from comparison.methods import NO_MASKS, Masks, Prepared
from dlir_tf.images import Image
from dlir_tf.images.frame import flip_affine
from dlir_tf.transforms import Transform, read_transform


def prepare(
    fixed: Image, moving: Image, settings: dict, masks: Masks = NO_MASKS
) -> Prepared:
    """Loads ANTs and takes images to it."""
    import ants

    images = ants_image(fixed), ants_image(moving)
    given = {
        name: ants_image(mask)
        for name, mask in zip(("mask", "moving_mask"), masks, strict=True)
        if mask is not None
    }
    given |= {"mask_all_stages": True} if given else {}
    folder = tempfile.TemporaryDirectory()

    def run():
        prefix = f"{folder.name}/t"
        # The files that it writes of its transforms are part of how it works.
        ants.registration(*images, outprefix=prefix, random_seed=1, **given, **settings)
        return prefix

    def transform(prefix):
        with folder:
            return to_transform(prefix)

    return Prepared(run, transform)


def to_transform(prefix: str) -> Transform:
    """The pair of files that ANTs leaves."""
    return read_transform(Path(f"{prefix}0GenericAffine.mat"))


def ants_image(image: Image):
    """The same image in ANTs, float32, at the same place of its world."""
    import ants

    lps, spacing = flip_affine(image.affine), np.asarray(image.spacing)
    return ants.from_numpy(
        image.array.astype(np.float32),
        origin=lps[:-1, -1].tolist(),
        spacing=spacing.tolist(),
        direction=lps[:-1, :-1] / spacing,
    )
