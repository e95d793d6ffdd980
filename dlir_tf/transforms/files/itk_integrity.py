"""Whether a file of ITK transforms is whole, and what it says it holds.

ITK's own readers don't tell: from a truncated text they return the transforms before
the break, from a truncated Matlab file numbers that were in memory by chance, and about
a truncated HDF5 file they print pages. So files are looked at before ITK reads them.
"""

from pathlib import Path

from dlir_tf.errors import InputError

HDF5_SUFFIXES = (".h5", ".hdf5")
TEXT_SUFFIXES = (".tfm", ".txt")
MATLAB_SUFFIX = ".mat"


def stored_types(path: Path) -> list[str]:
    """ITK's names for the transforms in a file, in its order, the composite first.

    Args:
        path: A file with one of the suffixes above.

    Raises:
        InputError: If the file is incomplete or not ITK's, holds no transform, or
            several that aren't a composite.
    """
    try:
        if path.suffix in HDF5_SUFFIXES:
            types = _hdf5_types(path)
        elif path.suffix == MATLAB_SUFFIX:
            types = _matlab_types(path)
        else:
            types = _text_types(path)
    except Exception as error:  # damaged files let their readers raise nearly anything
        said = str(error).split(";")[0]
        raise InputError(
            f"{path}: can't be read as an ITK transform file ({said}); it's damaged, "
            "incomplete or of another format, so copy or write it again"
        ) from error
    composite = types[0].startswith("Composite")
    if composite != (len(types) > 1):
        held = "an empty composite" if composite else f"{len(types)} separate ones"
        raise InputError(
            f"{path}: the file must hold one transform or a composite of several, but "
            f"holds {held}; write it again"
        )
    return types


def _hdf5_types(path: Path) -> list[str]:
    import h5py  # type: ignore[import-untyped]

    with h5py.File(path) as file:
        group = file["TransformGroup"]
        names = [str(index) for index in range(len(group))]
        return [group[name]["TransformType"].asstr()[0] for name in names]


def _matlab_types(path: Path) -> list[str]:
    from scipy.io import loadmat

    variables = [name for name in loadmat(path) if not name.startswith("__")]
    types = [name for name in variables if name != "fixed"]
    if len(variables) != 2 or len(types) != 1:
        raise ValueError("expected the variables of one transform")
    return types


def _text_types(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    keys = [line.split(":")[0].strip() for line in text.splitlines() if ":" in line]
    types = [
        line.split(":")[1].strip()
        for line in text.splitlines()
        if line.startswith("Transform:")
    ]
    if not types:
        raise ValueError("expected lines that begin with 'Transform:'")
    num_parts = len(types) - types[0].startswith("Composite")
    if keys.count("Parameters") != num_parts or (
        keys.count("FixedParameters") != num_parts
    ):
        raise ValueError("expected Parameters and FixedParameters of each transform")
    # The last number could lack digits, and nothing else would show it.
    if not text.endswith("\n"):
        raise ValueError("expected a line end after the last line")
    return types
