"""The training pairs, preprocessed once and kept in memory or on disk."""

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf._version import __version__
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.files import make_folder, remove_abandoned, replacing
from dlir_tf.losses.label_maps import LABELS
from dlir_tf.losses.masks import MASKS, check_mask
from dlir_tf.pairs.digests import data_digest
from dlir_tf.pairs.loading import for_each_pair, load_pair
from dlir_tf.pairs.manifest import Pair
from dlir_tf.training.sample import Sample, number_labels
from dlir_tf.training.workers import Workers

_SHARE_OF_MEMORY = 0.7  # the rest is for the training itself

# NumPy parses array headers by `ast`, whose bookkeeping several threads spoil for
# each other in Python 3.11 ("AST constructor recursion depth mismatch").
_LOADING = threading.Lock()


class PairStore:
    """Reads and preprocesses pairs, each once.

    Args:
        pairs: The files.
        config: Says how they are preprocessed and where they are kept.
        folder: Where the cache on disk lives, if there is one.
        with_labels: Whether label files are read too.
        with_points: Whether landmark files are read too.
    """

    def __init__(
        self,
        pairs: list[Pair],
        config: Config,
        folder: Path,
        *,
        with_labels: bool = False,
        with_points: bool = False,
    ) -> None:
        self.pairs = pairs
        self._config = config
        self._folder = folder
        self._with_labels = with_labels
        self._with_points = with_points
        self._kept: dict[int, Sample] = {}
        self._cached: dict[int, Path] = {}
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._masks: set[str] = set()
        self._have_channels: dict[int, bool] = {}
        self._nums: dict[str, list[int]] = {"shared_labels": [], "fixed_points": []}

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def masks(self) -> tuple[str, ...]:
        """Which of `MASKS` any of the pairs has, if only for padding; needs `fill`."""
        return tuple(name for name in MASKS if name in self._masks)

    @property
    def labels(self) -> tuple[str, ...]:
        """`LABELS`, if labels are read and any of the pairs has them."""
        return LABELS if any(map(self._has_labels, self.pairs)) else ()

    @property
    def most_labels(self) -> int:
        """The largest number of labels that both images share; needs `fill` first."""
        return max(self._nums["shared_labels"], default=0)

    @property
    def most_points(self) -> int:
        """The largest number of landmarks of a pair; needs `fill` first."""
        return max(self._nums["fixed_points"], default=0)

    @property
    def largest_shape(self) -> tuple[int, ...]:
        """The smallest shape that every pair fits into; needs `fill` first."""
        return tuple(int(n) for n in np.max(list(self._shapes.values()), axis=0))

    def fill(
        self,
        on_progress: Callable[[int], None] = lambda done: None,
        workers: Workers | None = None,
    ) -> None:
        """Prepares all pairs, and so checks them all before training starts.

        Args:
            on_progress: Is called with how many this worker has prepared.
            workers: Who shares that work; the pairs of others are prepared here when
                their turn comes.

        Raises:
            InputError: If pairs are faulty; the first ones are named with their lines.
                Or, as soon as that shows, if memory won't hold them all; or if the
                config names a channel and no image has several.
        """
        workers = workers or Workers()
        own, kept = workers.own(len(self)), 0
        found: dict[int, dict[str, Any]] = {}

        def prepare(position: int) -> None:
            sample = self.load(own[position])
            arrays = {k: v for k, v in vars(sample).items() if v is not None}
            found[position] = {
                "shape": sample.shape,
                "channels": self._have_channels.get(own[position]),
                "masks": [name for name in MASKS if name in arrays],
                "nums": {n: len(arrays[n]) for n in self._nums if n in arrays},
            }

        def prepared(done: int) -> None:
            nonlocal kept
            on_progress(done)
            if own[done - 1] in self._kept:
                kept += self._kept[own[done - 1]].num_bytes
            _check_memory(kept / done * len(self))

        for_each_pair([self.pairs[index] for index in own], prepare, prepared)
        told = workers.collect([found[position] for position in range(len(own))])
        self._check_channels([facts["channels"] for facts in told])
        for index, facts in enumerate(told):
            self._shapes[index] = tuple(facts["shape"])
            self._masks |= set(facts["masks"])
            for name, num in facts["nums"].items():
                self._nums[name].append(num)

    def load(self, index: int) -> Sample:
        """Returns a pair, from the cache if it is there."""
        if index in self._kept:
            return self._kept[index]
        cache = self._config.training.cache
        sample = self._load_from_disk(index) if cache == "disk" else self._read(index)
        if cache == "memory":
            self._kept[index] = sample
        return sample

    def discard(self) -> None:
        """Removes from the disk what was cached there."""
        for path in self._cached.values():
            path.unlink(missing_ok=True)
        remove_abandoned(self._folder)
        # Not empty as long as another store keeps its pairs there.
        with contextlib.suppress(OSError):
            self._folder.rmdir()

    def _read(self, index: int) -> Sample:
        loaded = load_pair(
            self.pairs[index],
            with_labels=self._with_labels,
            with_points=self._with_points,
            usual_channel=self._config.channel,
        )
        self._have_channels[index] = loaded.has_channels
        working = loaded.on_working_grid(self._config)
        for name in MASKS:
            if (mask := getattr(working, name)) is not None:
                factors = [stage.downsample for stage in self._config.stages]
                check_mask(mask, name, factors)
        more = {}
        if loaded.labels is not None:
            more = number_labels(*working.labels_on_grid(loaded.labels))
        if loaded.points is not None:
            fixed, moving = working.points_in_voxels(loaded.points)
            more["fixed_points"] = fixed.astype(np.float32)
            more["moving_points"] = moving.astype(np.float32)
        return Sample(
            working.fixed.astype(np.float16),
            working.moving.astype(np.float16),
            working.mask,
            np.asarray(working.grid.spacing, np.float32),
            fixed_mask=working.fixed_mask,
            moving_mask=working.moving_mask,
            **more,
        )

    def _check_channels(self, found: Sequence[bool | None]) -> None:
        """Refuses a channel of images that have one number a voxel, all of them.

        Args:
            found: Of every pair whether it has channels; `None` if it came from the
                cache, which only holds what was trained on before.
        """
        if (
            self._config.channel is None
            or not found
            or any(f is not False for f in found)
        ):
            return
        self.discard()
        raise InputError(
            f"channel {self._config.channel} (--channel, or channel in the config): no "
            f"image has several channels, neither {self.pairs[0].fixed} nor any other; "
            "leave it out"
        )

    def _has_labels(self, pair: Pair) -> bool:
        there = pair.fixed_labels is not None and pair.moving_labels is not None
        return self._with_labels and there

    def _load_from_disk(self, index: int) -> Sample:
        # The name comes from all contents, which are read for it only once.
        if index not in self._cached:
            self._cached[index] = self._folder / f"{self._key(index)}.npz"
        path = self._cached[index]
        if path.is_file():
            # Damaged archives raise nearly anything; the pair is prepared anew then.
            with (
                contextlib.suppress(Exception),
                _LOADING,
                np.load(path, allow_pickle=False) as stored,
            ):
                return Sample(**stored)
        sample = self._read(index)
        arrays = {k: v for k, v in vars(sample).items() if v is not None}
        make_folder(self._folder)
        with replacing(path) as unfinished, unfinished.open("wb") as stream:
            np.savez(stream, **arrays)
        return sample

    def _key(self, index: int) -> str:
        """Changes with the files' contents and everything that preprocesses them."""
        settings = self._config.model_dump_json(
            include={
                "spacing",
                "longest_axis",
                "axes",
                "initial_alignment",
                "intensity",
            }
        )
        parts = (
            __version__,
            data_digest([self.pairs[index]]),
            settings,
            str(self._config.multiple),
            f"numbered labels: {self._with_labels}, points: {self._with_points}",
            *([f"channel: {channel}"] if (channel := self._config.channel) else []),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _check_memory(needed: float) -> None:
    """Refuses to start what would end in swapping or in being killed.

    Raises:
        InputError: If `needed` bytes are more than this machine should give.
    """
    try:
        installed = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return
    if needed > _SHARE_OF_MEMORY * installed:
        raise InputError(
            f"keeping the pairs in memory needs about {needed / 1e9:.3g} GB, but this "
            f"machine has {installed / 1e9:.3g} GB; set training.cache to disk"
        )
