"""How kernels are compiled, and how their work is spread over the cores."""

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from dlir_tf.compute.threads import in_threads, num_cores

Function = TypeVar("Function", bound=Callable[..., Any])

# Sums are added up block by block, in this order, however many cores there are: so
# results don't depend on them.
NUM_BLOCKS = 8
# Numbers of the largest array: with fewer, there's one block, as to call kernels for
# several and to hand them to other threads takes longer than the work itself.
_FEW = 250_000
# Sums may be taken in any order, but what isn't finite stays so.
_FAST_MATH = {"contract", "reassoc", "nsz"}


def kernel(function: Function) -> Function:
    """Compiles a function when it's first called, for arrays of any size.

    The machine code is kept on disk for other processes: beside this package's files,
    or if these can't be written in the user's cache folder. The environment variable
    NUMBA_CACHE_DIR names another place.
    """
    options: dict[str, Any] = {
        "nogil": True,
        "fastmath": _FAST_MATH,
        "error_model": "numpy",
    }
    try:
        compiled: Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:  # there's no folder that could be written
        return cast(Function, numba.njit(**options)(function))
    cache: Any = getattr(compiled, "_cache", None)
    if cache is not None:
        cache.save_overload = _unless_disk_is_full(cache.save_overload)
    return compiled


def _unless_disk_is_full(save: Callable[..., Any]) -> Callable[..., Any]:
    """Numba would end the program where the machine code can't be kept."""

    def save_if_possible(*arguments: Any) -> None:
        with contextlib.suppress(OSError):
            save(*arguments)

    return save_if_possible


def in_blocks(function: Callable[..., Any], length: int, *arguments: Any) -> list[Any]:
    """Calls a kernel for all parts of a range, several at a time, if it's large.

    Args:
        function: Takes the arguments, the first number of the part, and the one behind
            its last.
        length: Of the range.
        arguments: The same for all parts.

    Returns:
        What it gave for each part, in order.
    """
    sizes = [each.size for each in arguments if isinstance(each, np.ndarray)]
    if max(sizes, default=0) < _FEW:
        return [function(*arguments, 0, length)]
    bounds = [length * block // NUM_BLOCKS for block in range(NUM_BLOCKS + 1)]
    results: list[Any] = [None] * NUM_BLOCKS
    left = iter(range(NUM_BLOCKS))

    def take_blocks(_thread: int) -> None:
        # Each thread takes what is left: to hand over eight parts takes longer.
        for block in left:
            results[block] = function(*arguments, *bounds[block : block + 2])

    in_threads(take_blocks, range(min(num_cores(), NUM_BLOCKS)))
    return results
