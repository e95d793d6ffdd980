"""How unlike a pair's images are under a field, and which way the field should go."""

from collections.abc import Callable

import numpy as np
from keras import ops

from dlir_tf.compute.inside import is_wholly_inside
from dlir_tf.config import Similarity
from dlir_tf.kernels.channels import squared_differences
from dlir_tf.kernels.mutual_information import MutualInformation
from dlir_tf.kernels.sampling import warp, warp_with_slopes
from dlir_tf.kernels.similarity import mse_loss, ncc_loss
from dlir_tf.kernels.windowed import WindowedNCC
from dlir_tf.losses.mind import descriptors
from dlir_tf.losses.mutual_information import sampled_voxels
from dlir_tf.refinement.images import PhaseImages

# Takes a moved image; returns the loss and its derivative by each voxel.
Measure = Callable[[np.ndarray], tuple[float, np.ndarray]]
# Takes a field; returns the loss and its derivative by each displacement.
ByField = Callable[[np.ndarray], tuple[float, np.ndarray]]


class Dissimilarity:
    """Compares the images of a phase under fields.

    Args:
        images: At the resolution of the phase.
        similarity: Says the measure and its weight.
    """

    def __init__(self, images: PhaseImages, similarity: Similarity) -> None:
        self._images, self._similarity = images, similarity
        self._measure: Measure | None = None
        if images.moving_mask is None:
            self._measure = _measure(similarity, images.fixed, images.weights)

    def __call__(self, ddf: np.ndarray) -> tuple[float, np.ndarray]:
        """Evaluates the weighted loss.

        Args:
            ddf: `(*size, ndim)`, in voxels of the phase, float32.

        Returns:
            The loss, and its derivative by the field.
        """
        images, weight = self._images, np.float32(self._similarity.weight)
        moved, slopes, mask = warp_with_slopes(
            images.moving, ddf, images.moving_mask, images.weights, images.origin
        )
        measure = self._measure
        if measure is None:
            weights = images.weights
            if mask is not None:
                weights = weights * is_wholly_inside(mask)
            measure = _measure(self._similarity, images.fixed, weights)
        loss, by_voxel = measure(moved)
        by_voxel *= weight
        # In one product of all axes, NumPy takes twice as long.
        for axis in range(slopes.shape[-1]):
            slopes[..., axis] *= by_voxel
        return float(weight) * loss, slopes


class DescriptorDissimilarity:
    """Compares images of descriptors, such as `described_images` gives, under fields.

    Args:
        images: With channels.
        weight: Of the loss.
    """

    def __init__(self, images: PhaseImages, weight: float) -> None:
        self._images, self._weight = images, np.float32(weight)

    def __call__(self, ddf: np.ndarray) -> tuple[float, np.ndarray]:
        """Evaluates the weighted loss, and its derivative by the field."""
        images, weights = self._images, self._images.weights
        if images.moving_mask is not None:
            mask = warp(images.moving_mask[..., None], ddf, images.origin)[..., 0]
            weights = weights * is_wholly_inside(mask)
        loss, slopes = squared_differences(
            images.fixed, images.moving, weights, ddf, images.origin
        )
        return float(self._weight) * loss, self._weight * slopes


def described_images(images: PhaseImages, similarity: Similarity) -> PhaseImages:
    """The self-similarity contexts (MIND-SSC) of images, as channels.

    They are computed once, and those of the moving image are then warped like an image,
    as in Heinrich et al. (2013), https://doi.org/10.1007/978-3-642-40811-3_24.

    Args:
        images: At the resolution of a phase.
        similarity: Says the descriptors.
    """
    fixed, weights = _described(images.fixed, images.weights, similarity)
    mask = images.moving_mask
    counting = np.ones_like(images.moving) if mask is None else mask
    moving, shrunk = _described(images.moving, counting, similarity)
    return PhaseImages(fixed, moving, weights, None if mask is None else shrunk)


def dissimilarity(
    images: PhaseImages,
    similarity: Similarity,
    voxels: tuple[slice, ...] | None = None,
) -> ByField:
    """The loss that a config asks for, as a function of fields.

    Args:
        images: At the resolution of a phase.
        similarity: Says the measure and its weight.
        voxels: Ranges, outside of which nothing counts: fields are those of the voxels
            within. `None` for all.
    """
    described = similarity.kind == "mind_ssc"
    if described:
        images = described_images(images, similarity)
    if voxels is not None:
        images = images.within(voxels)
    if described:
        return DescriptorDissimilarity(images, similarity.weight)
    return Dissimilarity(images, similarity)


def _described(
    image: np.ndarray, weights: np.ndarray, similarity: Similarity
) -> tuple[np.ndarray, np.ndarray]:
    batch, counting = (
        ops.convert_to_tensor(array[None, ..., None]) for array in (image, weights)
    )
    reach = similarity.radius, similarity.dilation
    found, shrunk = descriptors(batch, counting, *reach)
    return ops.convert_to_numpy(found)[0], ops.convert_to_numpy(shrunk)[0, ..., 0]


def _measure(similarity: Similarity, fixed: np.ndarray, weights: np.ndarray) -> Measure:
    if similarity.kind == "ncc":
        return lambda moved: ncc_loss(fixed, moved, weights)
    if similarity.kind == "windowed_ncc":
        return WindowedNCC(fixed, weights, similarity.window)
    if similarity.kind == "nmi":
        chosen = sampled_voxels(fixed.size, similarity.samples)
        return MutualInformation(fixed, weights, similarity.bins, chosen)
    return lambda moved: mse_loss(fixed, moved, weights)
