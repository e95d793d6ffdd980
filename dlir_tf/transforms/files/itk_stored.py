"""What a file of ITK transforms says it holds, found without ITK.

ITK takes sizes in a header for granted, whatever they are, follows the names of other
files, and fills in what is missing with what was in memory. So each form is read here
first: text, Matlab (version 4, of two variables) and HDF5.
"""

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.images.headers.hdf5 import check_dataset, member, read_name

_TAGS = ("Transform", "Parameters", "FixedParameters")
_MOST_FIXED = 100  # numbers; a spline in 3-d has 18
_MATLAB_TYPES = {0: "<f8", 10: "<f4", 1000: ">f8", 1010: ">f4"}
# ITK misspelt the names until version 4.
_HDF5_NAMES = ("TransformParameters", "TranformParameters")
_HDF5_FIXED = ("TransformFixedParameters", "TranformFixedParameters")


@dataclass(frozen=True)
class Stored:
    """One transform in a file.

    Attributes:
        kind: ITK's name for it, such as `AffineTransform_double_3_3`.
        num_parameters: How many parameters the file holds for it.
        fixed: Its fixed parameters.
    """

    kind: str
    num_parameters: int
    fixed: np.ndarray


def in_text(path: Path) -> list[Stored]:
    """The transforms of a `.tfm` or `.txt` file.

    Raises:
        ValueError: If it isn't complete, or has lines that ITK wouldn't write.
    """
    raw = path.read_bytes()
    blocks: list[dict[str, str]] = []
    for line in raw.decode("utf-8").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        tag, _, value = (part.strip() for part in line.partition(":"))
        if tag not in _TAGS:
            raise ValueError(f"expected no line {line[:40]!r}")
        if tag == "Transform":
            blocks.append({})
        elif not blocks or tag in blocks[-1]:
            raise ValueError(f"expected no further line of {tag}")
        blocks[-1][tag] = value
    if not blocks:
        raise ValueError("expected lines that begin with 'Transform:'")
    # The last number could lack digits, and nothing else would show it.
    if not raw.endswith(b"\n"):
        raise ValueError("expected a line end after the last line")
    return [_from_text(block) for block in blocks]


def _from_text(block: dict[str, str]) -> Stored:
    kind = block["Transform"]
    if len(block) < len(_TAGS) and not kind.startswith("Composite"):
        raise ValueError("expected Parameters and FixedParameters of each transform")
    parameters, fixed = (_numbers(block.get(tag, "")) for tag in _TAGS[1:])
    return Stored(kind, parameters.size, fixed)


def _numbers(text: str) -> np.ndarray:
    if not text:
        return np.zeros(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text, np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            raise ValueError("expected numbers") from None


def in_matlab(path: Path) -> list[Stored]:
    """The transform of a `.mat` file.

    Raises:
        ValueError: If it isn't of two complete variables, of which one is `fixed`.
    """
    raw, start = path.read_bytes(), 0
    variables: dict[str, np.ndarray] = {}
    while start < len(raw) and len(variables) < 3:
        name, values, start = _matlab_variable(raw, start)
        variables[name] = values
    kinds = [name for name in variables if name != "fixed"]
    if len(variables) != 2 or len(kinds) != 1:
        raise ValueError("expected the two variables of one transform")
    return [Stored(kinds[0], variables[kinds[0]].size, variables["fixed"])]


def _matlab_variable(raw: bytes, start: int) -> tuple[str, np.ndarray, int]:
    """A variable's name and numbers, and where the next one starts."""
    for order in "<>":
        head = raw[start : start + 20]
        if len(head) < 20:
            raise ValueError("expected a complete variable")
        code, rows, columns, imaginary, length = struct.unpack(f"{order}5i", head)
        fits = code in _MATLAB_TYPES and (code >= 1000) == (order == ">")
        if fits and imaginary == 0 and min(rows, columns) >= 0 and 1 < length < 100:
            break
    else:
        raise ValueError("expected a Matlab file of version 4")
    kind = np.dtype(_MATLAB_TYPES[code])
    begin = start + 20 + length
    end = begin + rows * columns * kind.itemsize
    if end > len(raw):
        raise ValueError("expected more numbers than there are")
    name = raw[start + 20 : begin].rstrip(b"\0").decode("ascii")
    values = np.frombuffer(raw[begin:end], kind).astype(np.float64)
    return name, values, end


def in_hdf5(path: Path) -> list[Stored]:
    """The transforms of a `.h5` or `.hdf5` file.

    Raises:
        ValueError: If it holds more than it has bytes for, or keeps numbers elsewhere.
    """
    import h5py  # type: ignore[import-untyped]

    with h5py.File(path, "r") as file:
        group = member(file, "TransformGroup")
        names = [str(index) for index in range(len(group))]
        return [_from_hdf5(path, member(group, name)) for name in names]


def _from_hdf5(path: Path, group: Any) -> Stored:
    kind = read_name(path, group, "TransformType")
    parameters, fixed = (
        next((name for name in names if name in group), "")
        for names in (_HDF5_NAMES, _HDF5_FIXED)
    )
    if not parameters or not fixed:
        if kind.startswith("Composite"):
            return Stored(kind, 0, np.zeros(0))
        raise ValueError("expected the parameters of each transform")
    numbers, few = check_dataset(group, parameters), check_dataset(group, fixed)
    if any(data.ndim != 1 or data.dtype.kind != "f" for data in (numbers, few)):
        raise ValueError("expected rows of real numbers")
    if few.size > _MOST_FIXED:
        raise ValueError(f"expected no {few.size} fixed parameters")
    return Stored(kind, int(numbers.size), np.asarray(few[:], np.float64))
