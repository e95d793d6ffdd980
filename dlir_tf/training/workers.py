"""The processes that train one model together, and what they tell each other.

Each of them goes through the same steps with the same weights, on its own share of
every batch; TensorFlow's `MultiWorkerMirroredStrategy` adds up their gradients. Keras'
`fit` fails under it (keras issue 20585); a loop of one's own, as in
`dlir_tf.training.session`, doesn't.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlir_tf.compute.machines import Cluster
from dlir_tf.errors import InputError
from dlir_tf.training.devices import let_gpu_memory_grow
from dlir_tf.training.meeting import wait_for_all

if TYPE_CHECKING:
    import tensorflow as tf


class Workers:
    """All workers of a training, as one of them sees them; one alone by default.

    Args:
        strategy: What distributes steps; `None` where nothing is distributed.
        index: Of this worker.
        num: How many there are.
        name: What the others know this one by.
    """

    def __init__(
        self,
        strategy: "tf.distribute.Strategy | None" = None,
        index: int = 0,
        num: int = 1,
        name: str = "",
    ) -> None:
        self.strategy = strategy
        self.index = index
        self.num = num
        self.name = name
        self._gathering: Any = None

    @property
    def is_chief(self) -> bool:
        """Whether this one writes files and reports."""
        return self.index == 0

    @property
    def num_replicas(self) -> int:
        """Devices that train, of all workers; each adds a batch to every step."""
        return 1 if self.strategy is None else self.strategy.num_replicas_in_sync

    def own(self, count: int) -> range:
        """Which of so many things are this worker's to do."""
        return range(self.index, count, self.num)

    def collect(self, values: Sequence[Any]) -> list[Any]:
        """Returns what all workers have found of all things, in their order.

        Args:
            values: One that JSON can hold for each of this worker's `own`.
        """
        if self.num == 1:
            return list(values)
        texts = self.exchange(json.dumps(values).encode())
        shares = [json.loads(text) for text in texts]
        result: list[Any] = [None] * sum(map(len, shares))
        for index, share in enumerate(shares):
            result[index :: self.num] = share
        return result

    def exchange(self, data: bytes) -> list[bytes]:
        """Returns what each worker has handed over, when all have; in their order."""
        if self.num == 1:
            return [data]
        # Bytes travel as floats, which every device and every library can carry; and
        # at the same length everywhere, of which there are few.
        sizes = [int(n) for n in self._gather(np.array([len(data)], np.float64))]
        room = 1 << max(8, max(sizes).bit_length())
        padded = np.zeros(room, np.float32)
        padded[: len(data)] = np.frombuffer(data, np.uint8)
        rows = self._gather(padded).reshape(self.num, room).astype(np.uint8)
        return [row[:size].tobytes() for row, size in zip(rows, sizes, strict=True)]

    def check_same(self, identity: str) -> None:
        """Refuses to train together with what would train another model.

        Raises:
            InputError: If the workers' recipes differ.
        """
        identities = [text.decode() for text in self.exchange(identity.encode())]
        others = [n for n, other in enumerate(identities) if other != identities[0]]
        if others:
            raise InputError(
                f"worker {others[0]} of {self.num} trains with another config, seed, "
                "number of steps, precision or other images than worker 0; start all "
                "with the same options and the same files"
            )

    def part(self) -> None:
        """Ends together: none leaves before all have got what the last one said."""
        try:
            self.exchange(b"done")
        except Exception:
            # Nothing that others could still do matters to the one who has written all.
            if not self.is_chief:
                raise
        with contextlib.suppress(Exception):  # some may be gone, with all they need
            self.exchange(b"bye")

    def _gather(self, array: np.ndarray) -> np.ndarray:
        """Concatenates arrays of one length, one of each worker."""
        import tensorflow as tf

        strategy = self.strategy
        if strategy is None:
            raise ValueError("strategy: must be there for several workers")

        def replica(values: Any) -> Any:
            # A device of its own, by which the operation is placed.
            values = tf.identity(values)
            return tf.distribute.get_replica_context().all_gather(values, axis=0)

        if self._gathering is None:
            self._gathering = tf.function(
                lambda values: strategy.run(replica, args=(values,)), autograph=False
            )
        gathered = self._gathering(tf.constant(array))
        (first, *others) = strategy.experimental_local_results(gathered)
        rows = first.numpy().reshape(-1, len(array))
        # Every device of a worker has handed the same over.
        whole: np.ndarray = rows[:: 1 + len(others)].reshape(-1)
        return whole


def join(cluster: Cluster | None) -> Workers | None:
    """Meets the other workers; to be called before TensorFlow computes anything.

    Args:
        cluster: Who they are; `None` to train alone.

    Returns:
        What `train` takes, `None` likewise.

    Raises:
        InputError: If some can't be reached, or it's too late.
    """
    if cluster is None:
        return None
    import tensorflow as tf

    wait_for_all(cluster)
    let_gpu_memory_grow()
    kind, number = cluster.task()
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster.jobs()),
        task_type=kind,
        task_id=number,
        rpc_layer="grpc",
    )
    num = len(cluster.addresses)
    workers = Workers(None, cluster.index, num, name=f"{kind} {number}")
    try:
        with told_of_others(workers):
            workers.strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except RuntimeError as error:
        if "program startup" not in str(error):
            raise
        raise InputError(
            "several machines must be joined before TensorFlow computes anything: call "
            "dlir_tf.training.workers.join first, before models are loaded"
        ) from error
    return workers


@contextlib.contextmanager
def told_of_others(workers: Workers) -> Iterator[None]:
    """Says in one sentence that a worker has gone, by which TensorFlow's calls fail."""
    if workers.num == 1:
        yield
        return
    import tensorflow as tf

    ours = (tf.errors.ResourceExhaustedError, tf.errors.InvalidArgumentError)
    try:
        yield
    except ours:
        raise
    except tf.errors.OpError as error:
        found = re.findall(r"target /job:(\w+)/replica:0/task:(\d+)", error.message)
        names = [name for name in map(" ".join, found) if name != workers.name]
        raise InputError(
            f"training stopped: {names[0] if names else 'another one'} of the "
            f"{workers.num} workers has ended or can't be reached any more; see what "
            "it said, and start all again, with --resume to go on from the last "
            "checkpoint"
        ) from error
