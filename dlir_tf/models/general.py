"""The model called `general`: one for 2-d images and one for 3-d ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

from dlir_tf.config import Config, InitialAlignment, read_config
from dlir_tf.errors import InputError
from dlir_tf.images import Grid
from dlir_tf.models.folder_files import CONFIG_FILE, check_model_folder
from dlir_tf.models.names import find_model, general_ranks
from dlir_tf.models.parameters import Predictor
from dlir_tf.pairs.slices import rank_of_pair

if TYPE_CHECKING:
    from dlir_tf.models.folder import Model


@dataclass(frozen=True)
class ConfigByRank:
    """A config for each rank of images that there is a model for."""

    configs: Mapping[int, Config]

    def with_alignment(self, method: InitialAlignment | None) -> "ConfigByRank":
        """Likewise, with another initial alignment, if one is asked for."""
        configs = self.configs.items()
        return ConfigByRank({n: one.with_alignment(method) for n, one in configs})

    def of_pair(self, fixed: Grid, moving: Grid) -> Config:
        """The config that a pair is registered by.

        Raises:
            InputError: If there is no model for images of its rank.
        """
        ndim = rank_of_pair(fixed, moving)
        find_model("general", ndim)  # which says what there is, if this isn't there
        return self.configs[ndim]


@dataclass(frozen=True, eq=False)
class GeneralModel:
    """Loads the model for images of a rank when the first pair of that rank comes."""

    _loaded: dict[int, "Model"] = field(default_factory=dict)

    @property
    def config(self) -> ConfigByRank:
        """What the models were built from."""
        return general_config()

    def of_pair(self, fixed: Grid, moving: Grid) -> "Model":
        """The model that registers a pair.

        Raises:
            InputError: If there is none for images of its rank.
        """
        from dlir_tf.models.folder import load_model

        ndim = rank_of_pair(fixed, moving)
        folder = find_model("general", ndim)
        if ndim not in self._loaded:
            self._loaded[ndim] = load_model(folder)
        return self._loaded[ndim]


def general_config() -> ConfigByRank:
    """The configs of the general models that ship.

    Raises:
        InputError: If one of their folders is damaged.
    """
    configs = {}
    for ndim in general_ranks():
        folder = find_model("general", ndim)
        check_model_folder(folder)
        configs[ndim] = read_config(folder / CONFIG_FILE)
    return ConfigByRank(configs)


def model_of_pair(
    model: Predictor | GeneralModel | None, fixed: Grid, moving: Grid
) -> Predictor | None:
    """The model itself, or that of the general ones which is for such images."""
    if isinstance(model, GeneralModel):
        return model.of_pair(fixed, moving)
    return model


def config_of_pair(config: Config | ConfigByRank, fixed: Grid, moving: Grid) -> Config:
    """The config itself, or that of several which is for such images."""
    if isinstance(config, ConfigByRank):
        return config.of_pair(fixed, moving)
    return config


def usual_channel(config: Config | ConfigByRank | None) -> int | None:
    """Which channel of images with several is looked at if none is asked for.

    Args:
        config: What pairs are registered by; `None` if it's chosen for each of them.
    """
    return config.channel if isinstance(config, Config) else None


def may_deform(config: Config | ConfigByRank | None, *, refined: bool) -> bool:
    """Whether what pairs are registered by has stages that deform.

    Args:
        config: As for `usual_channel`.
        refined: Whether a refinement follows, or all is done by it.
    """
    if not isinstance(config, Config):
        return True  # so do the general models, and what is chosen for a pair
    stages = config.all_deformable_stages if refined else config.deformable_stages
    return bool(stages)


@overload
def chosen_config(model: Predictor | None, config: Config | None) -> Config: ...


@overload
def chosen_config(
    model: Predictor | GeneralModel | None, config: Config | None
) -> Config | ConfigByRank: ...


def chosen_config(
    model: Predictor | GeneralModel | None, config: Config | None
) -> Config | ConfigByRank:
    """The config by which a pair is registered: the model's, or the one instead of it.

    Raises:
        InputError: If there is neither, or both.
    """
    if model is not None and config is None:
        return model.config
    if config is not None and model is None:
        return config
    given = "both" if config is not None else "neither"
    raise InputError(
        "register: needs either a model or a config to refine by; a model brings its "
        f"own config. Received: {given}"
    )
