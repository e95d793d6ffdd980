"""The workers of a cluster: which there are, and which of them can register pairs."""

import time
import warnings
from typing import TYPE_CHECKING

from dlir_tf.cohort.fitness import WHOLE_WORKER, make_fit
from dlir_tf.cohort.settings import Settings
from dlir_tf.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

_BETWEEN_LOOKS = 1.0


class Watch:
    """Looks at a cluster's workers every now and then, as they come and go.

    Args:
        client: Of the cluster.
        address: Of its scheduler, as the user knows it.
        settings: How pairs are registered, for workers.
        patience: How long workers are waited for, in seconds.
    """

    def __init__(
        self, client: "Client", address: str, settings: Settings, patience: float
    ) -> None:
        self._client, self._address = client, address
        self._settings, self._patience = settings, patience
        self._unfit: dict[str, str] = {}
        self._fit: dict[str, int] = {}
        self._looked = float("-inf")
        self._had_workers = time.monotonic()

    @property
    def has_workers(self) -> bool:
        """Whether any can register pairs."""
        return bool(self._fit)

    def places(self) -> int:
        """How many pairs the workers can have in hand, all together.

        Raises:
            InputError: If there have been none for too long, or none that can do it, or
                the scheduler has gone.
        """
        if time.monotonic() - self._looked > _BETWEEN_LOOKS:
            self._look()
            self._looked = time.monotonic()
        return sum(self._fit.values())

    def gone(self) -> InputError:
        """What to say if the scheduler has gone."""
        return InputError(
            f"--scheduler {self._address}: the scheduler has gone; start it again, and "
            "its workers: the same command goes on"
        )

    def _look(self) -> None:
        there = self._there()
        self._fit = {a: places for a, places in self._fit.items() if a in there}
        self._unfit = {a: why for a, why in self._unfit.items() if a in there}
        new = [a for a in there if a not in self._fit and a not in self._unfit]
        for address, why in self._asked(new).items():
            if why:
                self._unfit[address] = why
            else:
                self._fit[address] = min(WHOLE_WORKER, there[address])
        now = time.monotonic()
        if self._fit:
            self._had_workers = now
            for address in new:
                if address in self._unfit:
                    told = f"{self._unfit[address]}; others go on without it"
                    warnings.warn(told, stacklevel=2)
        elif self._unfit:
            raise InputError(next(iter(self._unfit.values())))
        elif now - self._had_workers > self._patience:
            raise InputError(
                f"--scheduler {self._address}: the cluster has had no workers for "
                f"{self._patience:g} s; start some with `dask worker ADDRESS`, or wait "
                "longer by --workers-timeout"
            )

    def _there(self) -> dict[str, int]:
        """The workers, and how many threads each has."""
        if self._client.status != "running":
            raise self.gone()
        try:
            found = self._client.scheduler_info(n_workers=-1)["workers"]
        except (OSError, RuntimeError) as error:
            raise self.gone() from error
        return {address: worker["nthreads"] for address, worker in found.items()}

    def _asked(self, addresses: list[str]) -> dict[str, str]:
        """Why workers can't register pairs; those that are already gone say nothing."""
        if not addresses:
            return {}
        settings = self._settings
        try:
            found = self._client.run(
                make_fit,
                settings.version,
                settings.model,
                settings.model_digest,
                workers=addresses,
                on_error="return",
            )
        except (OSError, RuntimeError, ValueError):
            return {}  # some went meanwhile: they are asked again
        return {
            address: told if isinstance(told, str) else _misfit(address, told)
            for address, told in found.items()
            if not isinstance(told, OSError)
        }


def _misfit(address: str, error: object) -> str:
    told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return f"{address}: can't register pairs ({told})"
