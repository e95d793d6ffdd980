"""Which files are written of a registration, and whether they can be."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files import check_output
from dlir_tf.images import IMAGE_SUFFIXES, WRITABLE_SUFFIXES, Image
from dlir_tf.images.formats import NIFTI_SUFFIXES
from dlir_tf.images.pictures.writing import check_picture
from dlir_tf.images.writing import check_can_hold
from dlir_tf.page.writing import SUFFIXES as PAGE_SUFFIXES
from dlir_tf.transforms.files.ants import check_no_inverse, is_ants_name
from dlir_tf.transforms.files.dispatch import (
    FIELD_SUFFIXES,
    FOREIGN_SUFFIXES,
    TRANSFORM_SUFFIXES,
)
from dlir_tf.transforms.files.forms import form_of

# Files that come beside the one that is named: the voxels of a header, and the other
# file of ANTs' pair.
_BESIDE_IMAGES = {".mhd": ".zraw", ".nhdr": ".raw.gz"}
_BESIDE_TRANSFORMS = {
    "0GenericAffine.mat": "1Warp.nii.gz",
    "1Warp.nii.gz": "0GenericAffine.mat",
}


@dataclass(frozen=True)
class Outputs:
    """The files that are asked for; `None` for those that aren't.

    Attributes:
        moved: The moved image.
        moved_labels: The moved labels.
        displacement: The displacement field.
        transform: From fixed to moving.
        inverse: From moving to fixed.
        jacobian: The transform's Jacobian determinant.
        figure: The picture.
        report: How it went.
        page: All of it to be looked at.
        thumbnail: A small picture of it, for a table of many pairs.
        form: The form of another program that both transforms have, where their names
            don't say so; `None` for none.
    """

    moved: Path
    moved_labels: Path | None
    displacement: Path | None
    transform: Path | None
    inverse: Path | None
    jacobian: Path | None
    figure: Path | None
    report: Path | None
    page: Path | None = None
    thumbnail: Path | None = None
    form: str | None = None

    def check(self, inputs: tuple[Path | None, ...]) -> None:
        """Refuses what can't be written, before any work is done.

        Args:
            inputs: The files that are read.

        Raises:
            InputError: If a name doesn't suit, a folder isn't there, a file is an
                input or would be written twice, or an older one would be taken for a
                part of what is written.
        """
        suffixes = {
            IMAGE_SUFFIXES: (self.moved, self.moved_labels),
            WRITABLE_SUFFIXES: (self.jacobian,),
            NIFTI_SUFFIXES: (self.displacement,),
            (".png",): (self.figure, self.thumbnail),
            (".json",): (self.report,),
            PAGE_SUFFIXES: (self.page,),
        }
        for names, paths in suffixes.items():
            for path in paths:
                if path is not None:
                    check_output(path, names)
        self._check_transforms()
        self._check_distinct(inputs)

    def check_deforms(self, deforms: Callable[[], bool]) -> None:
        """Refuses files of a matrix for what will be none, before any work is done.

        Args:
            deforms: Says whether the registration has stages that do; it's asked only
                if there are such files.

        Raises:
            InputError: If so, and one is asked for.
        """
        for path in filter(None, (self.transform, self.inverse)):
            form = form_of(path, self.form)
            if form is None:
                continue
            if not form.inverts and path == self.inverse and deforms():
                raise InputError(
                    "such a file can't hold the inverse of what deforms, as this "
                    "registration does; write .h5 or .npz",
                    place=path,
                )
            if form.holds_matrix(path) and deforms():
                raise InputError(
                    "such a file holds a matrix alone, but this registration deforms; "
                    "write .h5 or .npz, or register by --preset rigid, say",
                    place=path,
                )

    def check_moved(self, fixed: Image, moving: Image) -> None:
        """Refuses names of files that can't hold what is written, once it's read.

        Raises:
            InputError: If it's no 2-d image for a picture, has too many channels, or
                values that a picture doesn't have; for a field, if the fixed image
                has sheared axes; for another program's matrix, if an image is 2-d or
                has axes that it can't be between.
        """
        for path, images in (
            (self.transform, (fixed, moving)),
            (self.inverse, (moving, fixed)),
        ):
            form = None if path is None else form_of(path, self.form)
            if form is not None and path is not None:
                form.check(path, *(image.grid for image in images))
        fields = [self.transform, self.displacement]
        for path in fields if fixed.grid.is_sheared else ():
            if path and path.name.endswith(FIELD_SUFFIXES) and not is_ants_name(path):
                raise InputError(
                    "a displacement field must lie on perpendicular axes for other "
                    "programs to read it, but those of the fixed image are sheared; "
                    "write the transform as .h5 or .npz",
                    place=path,
                )
        check_can_hold(self.moved, fixed.shape, moving)
        if self.moved_labels is not None:
            check_picture(self.moved_labels, fixed.shape)

    def _check_transforms(self) -> None:
        paths = [path for path in (self.transform, self.inverse) if path is not None]
        if self.form is not None and not paths:
            raise InputError(
                "--form: is about the files of --transform and --inverse, of which "
                "none is given; leave it out, or name one"
            )
        for path in paths:
            form = form_of(path, self.form)
            usual = (*TRANSFORM_SUFFIXES, *FOREIGN_SUFFIXES)
            check_output(path, usual if form is None else form.suffixes)
            if form is None and is_ants_name(path):
                check_no_inverse(path)

    def _check_distinct(self, inputs: tuple[Path | None, ...]) -> None:
        """Refuses to write one file twice, or over one that is read."""
        taken = {path.resolve() for path in inputs if path is not None}
        for path, comes_with in self._files():
            if path.resolve() in taken:
                told = f"comes with {comes_with}, but " if comes_with else ""
                raise InputError(
                    f"{path}: {told}is an input or another output already; choose "
                    "another name"
                )
            taken.add(path.resolve())

    def _files(self) -> Iterator[tuple[Path, Path | None]]:
        """Every file, and for those that aren't named, the one they come with."""
        for path in vars(self).values():
            if not isinstance(path, Path):
                continue
            yield path, None
            pair = path in (self.transform, self.inverse)
            pair = pair and form_of(path, self.form) is None
            for end, other in (_BESIDE_TRANSFORMS if pair else _BESIDE_IMAGES).items():
                if path.name.endswith(end):
                    yield path.with_name(path.name.removesuffix(end) + other), path
