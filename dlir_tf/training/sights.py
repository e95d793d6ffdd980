"""What there is to see of a validation: pairs as pictures, and histograms."""

import io
import json
from dataclasses import dataclass, field, fields

import numpy as np

from dlir_tf.figures.sheet import Plane, cut_plane
from dlir_tf.training.sample import Sample
from dlir_tf.training.workers import Workers

_NUM_SHOWN = 3  # pairs that are shown after every validation
_NUM_EXTREMES = 2  # best ones, and worst ones
_MOST_VOXELS = 250_000  # of a pair, that a histogram is made of

# Fine bins, the same ones in every validation; those who draw join them. What lies
# outside counts at the ends.
DISPLACEMENT_EDGES = np.linspace(0.0, 100.0, 1001)  # mm
JACOBIAN_EDGES = np.linspace(-1.0, 4.0, 501)


@dataclass(frozen=True, eq=False)
class Sight:
    """A validation pair after registration.

    Attributes:
        index: Of the pair.
        row: What was measured, as the validation names it.
        plane: The middle of it.
    """

    index: int
    row: dict[str, float]
    plane: Plane

    @property
    def loss(self) -> float:
        """By which pairs are told good from bad."""
        return self.row["loss"]


@dataclass
class Sights:
    """What a validation has shown; the next one begins anew.

    Attributes:
        num_pairs: How many pairs there are to validate by.
        workers: Who shares them.
        shown: The same few pairs each time, of those that this worker has.
        best: Those of the smallest loss, the best one first.
        worst: Those of the largest loss, the worst one first.
        displacement: How often lengths within `DISPLACEMENT_EDGES` occur.
        jacobian: How often determinants within `JACOBIAN_EDGES` occur.
    """

    num_pairs: int
    workers: Workers = field(default_factory=Workers)
    shown: list[Sight] = field(default_factory=list)
    best: list[Sight] = field(default_factory=list)
    worst: list[Sight] = field(default_factory=list)
    displacement: np.ndarray = field(
        default_factory=lambda: np.zeros(len(DISPLACEMENT_EDGES) - 1, np.int64)
    )
    jacobian: np.ndarray = field(
        default_factory=lambda: np.zeros(len(JACOBIAN_EDGES) - 1, np.int64)
    )

    def anew(self) -> "Sights":
        """Returns what the next validation of the same pairs fills."""
        return Sights(self.num_pairs, self.workers)

    def see(
        self,
        index: int,
        sample: Sample,
        moved: np.ndarray,
        ddf: np.ndarray,
        jacobian: np.ndarray,
        row: dict[str, float],
    ) -> None:
        """Takes a pair that was registered.

        Args:
            index: Of the pair.
            sample: The pair.
            moved: Its moved image, `(*shape)`.
            ddf: `(*shape, ndim)`, in voxels.
            jacobian: `(*shape)`.
            row: What was measured.
        """
        self._count(ddf, jacobian, sample.spacing)
        images = sample.fixed, sample.moving, moved
        sight = Sight(index, row, cut_plane(*images, ddf, sample.spacing))
        if index in self._chosen():
            self.shown.append(sight)
        self._rank([*self.best, *self.worst, sight])

    def gather(self) -> None:
        """Puts together what all workers have seen, but for what each one shows."""
        if self.workers.num == 1:
            return
        told = [_unpacked(data) for data in self.workers.exchange(_packed(self))]
        self.displacement = np.sum([each[0] for each in told], axis=0)
        self.jacobian = np.sum([each[1] for each in told], axis=0)
        self._rank([sight for *_, sights in told for sight in sights])

    def _rank(self, sights: list[Sight]) -> None:
        """Keeps the best and the worst of those."""
        different = {sight.index: sight for sight in sights}
        ranked = sorted(different.values(), key=lambda each: (each.loss, each.index))
        self.best, self.worst = ranked[:_NUM_EXTREMES], ranked[::-1][:_NUM_EXTREMES]

    def _chosen(self) -> set[int]:
        """Which pairs are shown: some that are far apart in the list."""
        own = self.workers.own(self.num_pairs)
        places = np.linspace(0, len(own) - 1, min(_NUM_SHOWN, len(own)))
        return {own[round(place)] for place in places}

    def _count(
        self, ddf: np.ndarray, jacobian: np.ndarray, spacing: np.ndarray
    ) -> None:
        every = max(1, round((jacobian.size / _MOST_VOXELS) ** (1 / jacobian.ndim)))
        some = (slice(None, None, every),) * jacobian.ndim
        lengths = np.linalg.norm(ddf[some] * spacing, axis=-1)
        self.displacement += _histogram(lengths, DISPLACEMENT_EDGES)
        self.jacobian += _histogram(jacobian[some], JACOBIAN_EDGES)


def _histogram(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]


def _packed(sights: Sights) -> bytes:
    """Counts, and the best and worst pairs, as the content of a file."""
    extremes = {each.index: each for each in (*sights.best, *sights.worst)}.values()
    arrays = {"displacement": sights.displacement, "jacobian": sights.jacobian}
    arrays["facts"] = np.array(json.dumps([[s.index, s.row] for s in extremes]))
    for number, sight in enumerate(extremes):
        for name, value in vars(sight.plane).items():
            arrays[f"{number}_{name}"] = np.asarray(value)
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def _unpacked(data: bytes) -> tuple[np.ndarray, np.ndarray, list[Sight]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        sights = []
        for number, (index, row) in enumerate(json.loads(str(stored["facts"]))):
            arrays = {f.name: stored[f"{number}_{f.name}"] for f in fields(Plane)}
            width, height = map(float, arrays.pop("extent"))
            sights.append(Sight(index, row, Plane(**arrays, extent=(width, height))))
        return stored["displacement"], stored["jacobian"], sights
