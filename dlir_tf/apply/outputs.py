"""Where results go: one file, or a folder for several; all of them or none."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files import check_output, make_folder, write_together
from dlir_tf.images import IMAGE_SUFFIXES, names_a_series
from dlir_tf.images.formats import suffix_of
from dlir_tf.images.points import is_markups_name, is_mesh_name, is_shape_name


def output_paths(
    inputs: Sequence[Path], output: Path, *, of_points: bool
) -> dict[Path, Path]:
    """Chooses the name of every result.

    One input goes to the file `output`. Several, or one where `output` is a folder
    already, go into that folder under their own names; a DICOM series and what is of
    a format that isn't written becomes `.nii.gz`.

    Args:
        inputs: The files (or folders of DICOM series) that are carried.
        output: A file or a folder; a folder is made later, if need be.
        of_points: Whether the inputs are files of landmarks.

    Returns:
        The result's name for every input.

    Raises:
        InputError: If a name has the wrong end, two results would have the same name,
            or the folder can't be written.
    """
    several = len(inputs) > 1
    if several and not output.is_dir():
        if output.exists() or output.name.endswith((*IMAGE_SUFFIXES, ".csv", ".json")):
            raise InputError(
                f"{output}: several inputs need a folder for their results; give the "
                "name of a folder"
            )
    elif not several and not output.is_dir():
        _check_name(inputs[0], output, of_points)
        return {inputs[0]: output}
    if not output.is_dir():
        check_output(output)  # it's made beside what is there
    taken: dict[Path, Path] = {}
    for path in inputs:
        name = path.name if of_points else _image_name(path)
        if output.is_dir():
            check_output(output / name)
        other = taken.setdefault(output / name, path)
        if other is not path:
            raise InputError(
                f"{other} and {path}: their results would both be {output / name}; "
                "carry them one after the other, to different folders"
            )
    return {path: result for result, path in taken.items()}


def check_distinct(inputs: Sequence[Path], outputs: Sequence[Path]) -> None:
    """Refuses to write over a file that is read.

    Raises:
        InputError: If a result would be written where an input is.
    """
    read = {path.resolve() for path in set(inputs)}  # of many pairs, few files
    for path in outputs:
        if path.resolve() in read:
            raise InputError(
                f"{path}: is an input already, and would be overwritten; choose "
                "another name or folder"
            )


def write_results(writers: Mapping[Path, Callable[[Path], object]]) -> None:
    """Writes the results of one command: all of them or, if one fails, none.

    Their folder is made if it isn't there, and goes again if nothing comes into it.

    Args:
        writers: For every result, all in one folder, what writes it to the path that
            it is called with.

    Raises:
        WriteError: What the disk refuses, of the file.
        InputError: If a writer raises it; the message names the file.
    """
    folder = next(iter(writers)).parent
    made = not folder.exists()
    make_folder(folder)
    try:
        write_together(writers)
    except BaseException:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _image_name(path: Path) -> str:
    """The input's own name, in a format that is written."""
    if path.is_dir() or names_a_series(path):
        return f"{path.resolve().name.replace('#', '_')}.nii.gz"
    if path.name.endswith(IMAGE_SUFFIXES):
        return path.name
    known = suffix_of(path, IMAGE_SUFFIXES)  # in capitals
    if known is not None:
        return path.name[: -len(known)] + known
    return f"{path.name.removesuffix('.gz').rpartition('.')[0]}.nii.gz"


def _check_name(path: Path, output: Path, of_points: bool) -> None:
    """Refuses a result that can't be written, or not in the format of its input."""
    expected: tuple[str, ...] = IMAGE_SUFFIXES
    if of_points:
        own = () if path.suffix in ("", ".csv") else (path.suffix,)
        expected = (".mrk.json", ".json") if is_markups_name(path) else (".csv", *own)
        if own == (".fcsv",) or is_shape_name(path) or is_mesh_name(path):
            expected = own
    check_output(output, expected, note=f", like {path}" if of_points else "")
