"""The settings of synthetic training pairs."""

from typing import Annotated

from pydantic import Field

from dlir_tf.config.stages import Frozen, Number, PerAxis, PositiveInt

Share = Annotated[Number, Field(ge=0, le=1)]
Part = Annotated[Number, Field(ge=0, lt=1)]


class Synthesis(Frozen):
    """What synthetic pairs are drawn from; 0 switches most of it off.

    Attributes:
        sizes: Of the images, voxels; each step draws one of them.
        num_labels: Structures of a map of random shapes.
        atlases: Share of the pairs that show an atlas, if there are atlases.
        background: Share of the shapes that lie before an empty background.
        rotation_degrees: The most by which the images of a pair are turned.
        scale: The most by which an axis is stretched, as a part of it.
        translation: The most that the images of a pair are apart, as a part of their
            half extent.
        shear: The most of it, without unit.
        deformation: How much images bend; 1 is the most that can't fold.
        same_contrast: Share of the pairs of which both images have one contrast.
        texture: The most of it, beside intensities from 0 to 1.
        bias: The most by which intensities change across an image, as a part of them.
        gamma: The most by which the exponent of intensities differs from 1.
        blur: The most of it, standard deviation in voxels.
        noise: The most of it, standard deviation.
        field_of_view: The most of an axis that an image may not show.
        slice_thickness: The most of it, in voxels.
        validation_pairs: How many are made for validation.
    """

    sizes: Annotated[tuple[PerAxis, ...], Field(min_length=1)]
    num_labels: Annotated[int, Field(strict=True, ge=2, le=64)] = 16
    atlases: Share = 0.4
    background: Share = 0.5
    rotation_degrees: Annotated[Number, Field(ge=0, le=180)] = 30.0
    scale: Part = 0.2
    translation: Share = 0.3
    shear: Part = 0.1
    deformation: Share = 0.9
    same_contrast: Share = 0.5
    texture: Share = 0.3
    bias: Part = 0.4
    gamma: Part = 0.4
    blur: Annotated[Number, Field(ge=0)] = 1.0
    noise: Annotated[Number, Field(ge=0)] = 0.06
    field_of_view: Part = 0.3
    slice_thickness: Annotated[Number, Field(ge=1)] = 4.0
    validation_pairs: PositiveInt = 16
