"""What finds the transform of every pair; it loads the model once."""

from collections.abc import Callable
from functools import partial
from typing import Any

from dlir_tf.cohort.settings import Settings
from dlir_tf.errors import InputError
from dlir_tf.pairs.knowledge import Knowledge
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.registration import Registration, register
from dlir_tf.serving import register_remotely
from dlir_tf.transforms import Transform
from dlir_tf.transforms.files.chain import read_chain


class Finder:
    """Registers pairs that were read, one at a time, as some settings say.

    Args:
        settings: `prepared`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._register: Callable[..., Registration] | None = None

    def find(self, pair: LoadedPair, on_progress: Callable[..., None]) -> Registration:
        """Registers a pair; what takes long to load is loaded for the first one.

        Args:
            pair: As it was read.
            on_progress: As for `dlir_tf.register`.

        Raises:
            InputError: If it can't be registered.
            ServerError: If a server can't be asked any more.
        """
        settings = self._settings
        if self._register is None:
            self._register = self._loaded()
        return self._register(
            pair.fixed,
            pair.moving,
            fixed_mask=pair.fixed_mask,
            moving_mask=pair.moving_mask,
            refine=settings.refine,
            fill_value=settings.fill_value,
            do_no_harm=settings.do_no_harm,
            stiffness=settings.stiffness,
            knowledge=self._known(pair),
            on_progress=on_progress,
            **self._start(pair.fixed.ndim),
        )

    def _loaded(self) -> Callable[..., Registration]:
        settings = self._settings
        if settings.server is not None:
            return partial(
                register_remotely,
                server=settings.server,
                on_config=settings.check_deforms,
            )
        model = settings.load(settings.model)
        return partial(
            register,
            model=model,
            config=settings.config,
            modality=settings.modality,
            initial_alignment=settings.initial_alignment,
        )

    def _start(self, ndim: int) -> dict[str, Any]:
        """From where a registration of such images goes on."""
        settings = self._settings
        start: Transform | None = None
        if settings.initial_transform:
            start = read_chain(settings.initial_transform)
            if settings.without_initial and start.ndim != ndim:
                raise InputError(
                    f"what is written between two slices is {ndim}-d and can't follow "
                    f"a {start.ndim}-d initial transform; leave --without-initial out"
                )
        return {"initial_transform": start}

    def _known(self, pair: LoadedPair) -> Knowledge | None:
        """What the pair's refinement goes by, beside the images."""
        settings = self._settings
        known: dict[str, Any] = {
            kind: getattr(pair, kind)
            for kind in settings.go_by
            if getattr(pair, kind) is not None
        }
        for kind in list(known):
            if (weight := getattr(settings, f"{kind}_weight")) is not None:
                known[f"{kind}_weight"] = weight
        return Knowledge(**known) if known else None
