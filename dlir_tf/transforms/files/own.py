"""Our own file: the components as they are, exactly, in kilobytes.

A NumPy `.npz` archive without pickled objects, so that opening one runs no code. It
holds `format` and `version`; `components`, for each of them its kind, such as `affine`,
`bspline`, `dense_field` or `inverse bspline`; and the arrays of the n-th component as
`n.name`, in float32 where that loses nothing and else in float64.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files import replacing
from dlir_tf.transforms.affine import Affine
from dlir_tf.transforms.bspline import BSpline
from dlir_tf.transforms.component import Component
from dlir_tf.transforms.dense_field import DenseField
from dlir_tf.transforms.files.archive import read_arrays
from dlir_tf.transforms.inverse import Inverse
from dlir_tf.transforms.transform import Transform

_FORMAT, _VERSION = "dlir-tf transform", 1
_KINDS: dict[str, type[Any]] = {
    "affine": Affine,
    "bspline": BSpline,
    "dense_field": DenseField,
}
_INVERSE, _MOST_INVERSES = "inverse ", 10


def write_own(path: Path, transform: Transform, *, packed: bool = True) -> float:
    """Writes every component exactly, inverses as such.

    Args:
        path: A file that ends with `.npz`.
        transform: Of our own components.
        packed: Whether to take some time to make the file a little smaller.

    Returns:
        0.0, the error.

    Raises:
        InputError: If there is a component of another class.
    """
    kinds: list[str] = []
    arrays: dict[str, Any] = {"format": _FORMAT, "version": _VERSION}
    for index, component in enumerate(transform.components):
        kind, fields = _describe(path, component)
        kinds.append(kind)
        arrays.update({f"{index}.{name}": fields[name] for name in fields})
    with replacing(path) as unfinished, unfinished.open("wb") as stream:
        save = np.savez_compressed if packed else np.savez
        save(stream, components=np.array(kinds), **arrays)
    return 0.0


def read_own(path: Path) -> Transform:
    """Reads what `write_own` wrote.

    Raises:
        InputError: If the file is damaged, of another format or of a newer version.
    """
    try:
        arrays = read_arrays(path)
    except Exception as error:  # damaged archives raise nearly anything
        raise InputError(
            f"{path}: can't be read as a transform ({error}); it's damaged, incomplete "
            "or not a .npz file, so copy or write it again"
        ) from error
    if str(arrays.get("format")) != _FORMAT:
        raise InputError(
            f"{path}: a .npz file of a transform must hold the format {_FORMAT!r}, but "
            f"this one holds {sorted(arrays)}; give a file that dlir-tf wrote"
        )
    if str(arrays.get("version")) != str(_VERSION):
        raise InputError(
            f"{path}: the version of the format must be {_VERSION}, but is "
            f"{arrays.get('version')}; read the file with a newer dlir-tf"
        )
    try:
        kinds = [str(kind) for kind in np.atleast_1d(arrays["components"])]
        parts = [_rebuild(kind, n, arrays) for n, kind in enumerate(kinds)]
        return Transform(tuple(parts))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: the parts of the transform don't fit together ({error}); the "
            "file was changed after dlir-tf wrote it, so write it again"
        ) from error


def _describe(path: Path, component: Component) -> tuple[str, dict[str, np.ndarray]]:
    """A component's kind and its arrays."""
    if isinstance(component, Inverse):
        kind, arrays = _describe(path, component.component)
        return _INVERSE + kind, arrays
    for kind, known in _KINDS.items():
        if isinstance(component, known):
            names = [field.name for field in dataclasses.fields(known)]
            return kind, {name: _smallest(getattr(component, name)) for name in names}
    raise InputError(
        f"components must be of the kinds {', '.join(_KINDS)} or their inverses, but "
        f"one is {type(component).__name__}; write a displacement field",
        place=path,
    )


def _rebuild(kind: str, index: int, arrays: dict[str, np.ndarray]) -> Component:
    """The component with a certain index."""
    if kind.count(_INVERSE) > _MOST_INVERSES:
        raise ValueError(f"{index} is inverted more than {_MOST_INVERSES} times")
    if kind.startswith(_INVERSE):
        return Inverse(_rebuild(kind.removeprefix(_INVERSE), index, arrays))
    known = _KINDS[kind]
    values = {}
    for field in dataclasses.fields(known):
        array = values[field.name] = arrays[f"{index}.{field.name}"]
        if array.dtype not in (np.float32, np.float64) or not np.isfinite(array).all():
            raise ValueError(f"{index}.{field.name} isn't of finite real numbers")
    component: Component = known(**values)
    return component


def _smallest(array: np.ndarray) -> np.ndarray:
    """The array as float32 if that is exact, else as float64."""
    with np.errstate(over="ignore"):
        narrow = np.asarray(array, np.float32)
    return narrow if np.array_equal(narrow, array) else np.asarray(array, np.float64)
