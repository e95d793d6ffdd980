"""What is written of a registration: all of it, or nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dlir_tf.apply.trust import points_with_values, report_inverse
from dlir_tf.errors import InputError
from dlir_tf.files import check_output, write_together
from dlir_tf.images import IMAGE_SUFFIXES, WRITABLE_SUFFIXES, Image, write_image
from dlir_tf.images.formats import NIFTI_SUFFIXES
from dlir_tf.images.writing import check_can_hold
from dlir_tf.page import Landmarks, PageContents, write_page
from dlir_tf.page.writing import SUFFIXES as PAGE_SUFFIXES
from dlir_tf.pairs.large import at_lower_resolution
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.pairs.slices import is_slice, slice_axis
from dlir_tf.quality import write_report
from dlir_tf.registration import Registration
from dlir_tf.transforms import DenseField, Transform
from dlir_tf.transforms.files.ants import check_no_inverse, is_ants_name
from dlir_tf.transforms.files.dispatch import TRANSFORM_SUFFIXES, write_transform
from dlir_tf.transforms.files.field import write_field

Writer = Callable[[Path], object]

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
            TRANSFORM_SUFFIXES: (self.transform, self.inverse),
            (".png",): (self.figure, self.thumbnail),
            (".json",): (self.report,),
            PAGE_SUFFIXES: (self.page,),
        }
        for names, paths in suffixes.items():
            for path in paths:
                if path is not None:
                    check_output(path, names)
        for path in filter(None, (self.transform, self.inverse)):
            if is_ants_name(path):
                check_no_inverse(path)
        self._check_distinct(inputs)

    def check_moved(self, fixed: Image, moving: Image) -> None:
        """Refuses names of files that can't hold the moved image, once it's read.

        Raises:
            InputError: If it's no 2-d one for a picture, or has too many channels.
        """
        check_can_hold(self.moved, fixed.shape, moving.channels)
        if self.moved_labels is not None:
            check_can_hold(self.moved_labels, fixed.shape)

    def write(
        self,
        result: Registration,
        pair: LoadedPair,
        *,
        interpolation: str = "nearest",
        without_initial: bool = False,
        title: str = "Registration",
    ) -> list[str]:
        """Writes all files together.

        Args:
            result: Of the registration.
            pair: That was registered; labels of its moving image are moved.
            interpolation: Of the labels, `"nearest"` or `"label"`.
            without_initial: Whether the transform and its inverse leave out what the
                registration went on from.
            title: The headline of the page.

        Returns:
            What is to be said about them: how exact they are, a line each.

        Raises:
            InputError: If one can't be written; then none is.
        """
        writers, notes = self.writers(
            result,
            pair,
            interpolation=interpolation,
            without_initial=without_initial,
            title=title,
        )
        write_together(writers)
        return notes

    def writers(
        self,
        result: Registration,
        pair: LoadedPair,
        *,
        interpolation: str = "nearest",
        without_initial: bool = False,
        title: str = "Registration",
    ) -> tuple[dict[Path, Writer], list[str]]:
        """What writes the files, for `write_together`; see `write`.

        Returns:
            For every file what writes it, and what is to be said about them, which is
            complete when they are written.
        """
        fixed, labels = pair.fixed, pair.moving_labels
        notes: list[str] = []
        writers: dict[Path, Writer] = {
            self.moved: partial(write_image, image=result.moved)
        }
        if self.moved_labels is not None and labels is not None:
            moved_labels = result.transform.resample(
                labels,
                fixed,
                displacement=result.computed,
                interpolation=interpolation,
            )
            writers[self.moved_labels] = partial(write_image, image=moved_labels)
        if self.displacement is not None:
            field = Transform((DenseField(result.displacement, fixed.affine),))
            writers[self.displacement] = partial(
                write_field, transform=field, reference=fixed.grid
            )
        if self.jacobian is not None:
            determinant = fixed.with_array(result.transform.jacobian_determinant(fixed))
            writers[self.jacobian] = partial(write_image, image=determinant)
        transform, moving = result.transform, pair.moving
        if without_initial:  # its inverse comes from where the fixed image lies
            transform, moving = result.beyond_initial, fixed
        writers |= self._transform_writers(transform, fixed, moving, notes)
        if self.figure is not None:
            writers[self.figure] = _figure_writer(result, fixed, pair.moving)
        if self.report is not None:
            writers[self.report] = partial(write_report, report=result.report)
        if self.page is not None:
            contents = page_contents(result, pair, title)
            writers[self.page] = partial(write_page, contents=contents)
        if self.thumbnail is not None:
            writers[self.thumbnail] = _thumbnail_writer(result, fixed)
        return writers, notes

    def _transform_writers(
        self, transform: Transform, fixed: Image, moving: Image, notes: list[str]
    ) -> dict[Path, Writer]:
        writers: dict[Path, Writer] = {}
        if self.transform is not None:
            writers[self.transform] = partial(
                _write_transform,
                path=self.transform,
                transform=transform,
                grid=fixed,
                notes=notes,
            )
        if self.inverse is not None:
            inverse = transform.inverse()
            points = points_with_values(inverse, fixed.grid, moving.grid)
            notes += filter(None, [report_inverse(inverse, points, str(self.inverse))])
            writers[self.inverse] = partial(
                _write_transform,
                path=self.inverse,
                transform=inverse,
                grid=moving,
                notes=notes,
            )
        return writers

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
        for path in filter(None, vars(self).values()):
            yield path, None
            pair = path in (self.transform, self.inverse)
            for end, other in (_BESIDE_TRANSFORMS if pair else _BESIDE_IMAGES).items():
                if path.name.endswith(end):
                    yield path.with_name(path.name.removesuffix(end) + other), path


def page_contents(result: Registration, pair: LoadedPair, title: str) -> PageContents:
    """What a page of a registration shows.

    Args:
        result: Of the registration.
        pair: That was registered.
        title: The headline.
    """
    return PageContents(
        fixed=pair.fixed,
        moving=pair.moving,
        title=title,
        transform=result.transform,
        moved=result.moved,
        displacement=result.computed,
        fixed_labels=pair.fixed_labels,
        moving_labels=pair.moving_labels,
        landmarks=pair.points and Landmarks(*pair.points, pair.point_names),
        report=result.report.to_dict(),
    )


def _write_transform(
    draft: Path, path: Path, transform: Transform, grid: Image, notes: list[str]
) -> None:
    """Writes a transform and notes down what the file can't hold."""
    error = write_transform(draft, transform, reference=grid)
    if error > 0:
        notes.append(
            f"{path}: such a file can't hold the transform exactly; it is up to "
            f"{error:.2g} mm off"
        )


def _thumbnail_writer(result: Registration, fixed: Image) -> Writer:
    from dlir_tf.page.thumbnail import write_thumbnail  # matplotlib takes long

    return partial(write_thumbnail, fixed=fixed, moved=result.moved)


def _figure_writer(result: Registration, fixed: Image, moving: Image) -> Writer:
    from dlir_tf.figures.panels import registration_figure  # matplotlib takes long

    if result.computed is None:  # a picture of more pixels than are drawn
        fixed, moving = at_lower_resolution(fixed), at_lower_resolution(moving)
        moved = result.transform.resample(moving, fixed)
        field = result.transform.displacement(fixed)
        result = replace(result, moved=moved, computed=field)
    return partial(
        registration_figure,
        fixed=fixed,
        moving=moving,
        moved=result.moved,
        displacement=result.displacement,
        slice_axis=slice_axis(fixed.grid) if is_slice(fixed.grid) else -1,
    )
