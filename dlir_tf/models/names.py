"""The models that ship with the package, by their names.

Each is a model folder in `shipped`, of its name. `general` is a name for two of them,
`general-2d` and `general-3d`: the images of a pair say which one is meant.

A string that is such a name is the model that ships, wherever it's asked for; a folder
of that name is meant by a `Path`, or by a string with a separator in it, `./general`.
"""

import warnings
from pathlib import Path

from dlir_tf.errors import InputError

SHIPPED = Path(__file__).with_name("shipped")
GENERAL = "general"
RANKS = (2, 3)

# What the models that ship may take of a wheel, all together.
MOST_BYTES = 10 * 10**6


def shipped_names() -> list[str]:
    """The names of the model folders that ship, in alphabetical order."""
    if not SHIPPED.is_dir():
        return []
    return sorted(entry.name for entry in SHIPPED.iterdir() if entry.is_dir())


def general_ranks() -> tuple[int, ...]:
    """The ranks of images that `general` ships for."""
    return tuple(ndim for ndim in RANKS if _of_rank(ndim) in shipped_names())


def model_names() -> list[str]:
    """All names that a model can be asked for by, `general` if it ships."""
    general = [GENERAL] if general_ranks() else []
    return sorted([*shipped_names(), *general])


def is_name(model: str | Path) -> bool:
    """Whether what was asked for is the name of a model that ships."""
    return isinstance(model, str) and model in model_names()


def is_general(model: str | Path) -> bool:
    """Whether the rank of the images has to say which model is meant."""
    return model == GENERAL and is_name(model)


def one_folder(model: str | Path, ndim: int | None = None) -> Path:
    """As `find_model`, where no pair says which of the general ones is meant.

    Which one it is, is said in a warning.

    Args:
        model: As for `find_model`.
        ndim: Of the images, if something says it.
    """
    folder = find_model(model, ndim)
    if is_general(model) and ndim is None and len(general_ranks()) > 1:
        warnings.warn(
            f"{model}: means {folder.name} here, the one for {general_ranks()[-1]}-d "
            f"images; that for others is meant by {_of_rank(general_ranks()[0])}",
            stacklevel=2,
        )
    return folder


def warn_of_folder(name: str) -> None:
    """Says which model is meant, where a folder in sight has the same name."""
    if Path(name).is_dir():
        warnings.warn(
            f"{name}: is the model that ships with dlir-tf; the folder of this name "
            f"that is here is meant by ./{name}",
            stacklevel=2,
        )


def find_model(model: str | Path, ndim: int | None = None) -> Path:
    """Returns where a model lies: the folder of a name, or the path that was given.

    Args:
        model: A name, or the path of a model folder or file, which needn't exist.
        ndim: Of the images, for `general`; by default the larger that ships.

    Raises:
        InputError: If `general` doesn't ship for images of this rank.
    """
    if not is_name(model):
        return Path(model)
    if model != GENERAL:
        return SHIPPED / model
    ranks = general_ranks()
    chosen = ranks[-1] if ndim is None else ndim
    if chosen not in ranks:
        raise InputError(
            f"{GENERAL}: no such model ships for {chosen}-d images, only for "
            f"{' and '.join(f'{one}-d' for one in ranks)} ones; train one for yours"
        )
    return SHIPPED / _of_rank(chosen)


def _of_rank(ndim: int) -> str:
    return f"{GENERAL}-{ndim}d"
