"""Which processes train together, as a scheduler says it by the environment."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dlir_tf.errors import InputError

# Where the processes of a SLURM step meet, if SLURM has reserved no ports for them:
# other jobs on the same machine have other numbers, and so, most likely, other ports.
_FIRST_PORT, _NUM_PORTS = 20_000, 10_000

_STEP = ("SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE", "SLURM_PROCID")


@dataclass(frozen=True)
class Cluster:
    """The workers of a training, and which of them this process is.

    Attributes:
        addresses: `host:port` of every worker; the first is the chief.
        index: Of this worker.
        source: What named them, for messages.
        has_chief: Whether the first one is called `chief` and no worker.
    """

    addresses: tuple[str, ...]
    index: int
    source: str
    has_chief: bool = False

    def jobs(self) -> dict[str, list[str]]:
        """The workers by what TensorFlow calls their jobs."""
        addresses = list(self.addresses)
        if not self.has_chief:
            return {"worker": addresses}
        return {"chief": addresses[:1], "worker": addresses[1:]}

    def task(self) -> tuple[str, int]:
        """This worker's job, and its number in that."""
        if not self.has_chief:
            return "worker", self.index
        return ("worker", self.index - 1) if self.index else ("chief", 0)


def find_cluster(environment: Mapping[str, str]) -> Cluster | None:
    """Returns the workers that `TF_CONFIG` or SLURM names; `None` for one alone.

    `TF_CONFIG` comes first: it is there for TensorFlow only. A SLURM job counts as
    several workers where this process is a task of a step with several tasks, as
    `srun` starts them; in a batch script without it, a process is alone.

    Args:
        environment: Such as `os.environ`.

    Raises:
        InputError: If what they say makes no sense.
    """
    cluster = None
    if environment.get("TF_CONFIG"):
        cluster = _of_tf_config(environment["TF_CONFIG"])
    elif environment.get("SLURM_STEP_NUM_TASKS", "1") not in ("", "0", "1"):
        cluster = _of_slurm(environment)
    return cluster if cluster is not None and len(cluster.addresses) > 1 else None


def _of_tf_config(text: str) -> Cluster | None:
    """The cluster of `TF_CONFIG`, if there is one in it."""
    try:
        said = json.loads(text)
        jobs, task = said.get("cluster") or {}, said.get("task") or {}
        sizes = {job: len(addresses) for job, addresses in jobs.items()}
        kind, index = task.get("type", "worker"), int(task.get("index", 0))
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            'TF_CONFIG: must be JSON such as {"cluster": {"worker": ["a:2222", '
            '"b:2222"]}, "task": {"type": "worker", "index": 0}}; or unset it to train '
            f"on this machine alone. Received: {text!r}"
        ) from error
    if sum(sizes.values()) < 2:
        return None
    strange = [job for job in (*sizes, kind) if job not in ("chief", "worker")]
    if strange:
        raise InputError(
            "TF_CONFIG: a training has workers, and perhaps one chief, but no "
            f"{strange[0]}; leave it out, or unset TF_CONFIG to train on this machine "
            "alone"
        )
    if sizes.get("chief", 0) > 1 or not 0 <= index < sizes.get(kind, 0):
        raise InputError(
            f"TF_CONFIG: there is no {kind} {index} among "
            + " and ".join(f"{size} {job}" for job, size in sizes.items())
            + " (there is one chief at most, and numbers begin at 0)"
        )
    chief = list(jobs.get("chief", ()))
    addresses = _checked((*chief, *jobs.get("worker", ())))
    number = index + len(chief) if kind == "worker" else 0
    return Cluster(addresses, number, "TF_CONFIG", has_chief=bool(chief))


def _checked(addresses: tuple[Any, ...]) -> tuple[str, ...]:
    for address in addresses:
        if not isinstance(address, str) or not re.fullmatch(r".+:\d+", address):
            raise InputError(f"TF_CONFIG: must name host:port. Received: {address!r}")
    if len(set(addresses)) < len(addresses):
        raise InputError(
            "TF_CONFIG: two workers have the same address; each needs a port of its own"
        )
    return addresses


def _of_slurm(environment: Mapping[str, str]) -> Cluster:
    """The tasks of a SLURM step; each is a worker.

    TensorFlow's `SlurmClusterResolver` reads the same variables. But it sorts machines
    by their names, n10 before n2, while SLURM numbers tasks in its own order; and it
    divides GPUs among tasks, by asking for nvidia-smi, which fails where there is none.
    """
    missing = [name for name in _STEP if not environment.get(name)]
    if missing:
        raise InputError(
            f"SLURM: this is a step with several tasks, but {missing[0]} isn't set; "
            "start with srun, or with TF_CONFIG"
        )
    nodes, tasks, own = (environment[name] for name in _STEP)
    try:
        hosts = list(_hosts(nodes))
        sizes = list(_tasks_per_node(tasks))
        index = int(own)
        port = _first_port(environment)
    except ValueError as error:
        raise InputError(f"SLURM's variables can't be read: {error}") from error
    addresses = [
        f"{host}:{port + number}"
        for host, size in zip(hosts, sizes, strict=False)
        for number in range(size)
    ]
    if len(hosts) != len(sizes) or not 0 <= index < len(addresses):
        raise InputError(
            f"SLURM: task {index} isn't one of {tasks} tasks on {nodes}; start with "
            "srun"
        )
    return Cluster(tuple(addresses), index, "SLURM")


def _hosts(nodes: str) -> Iterator[str]:
    """Yields the machines of a list such as `gpu[01-03,7],login`."""
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", nodes):
        match = re.fullmatch(r"([^\[\]]*)(?:\[([^\]]+)\])?([^\[\]]*)", part)
        if match is None:
            raise ValueError(f"machines {nodes!r}")
        before, ranges, behind = match.groups()
        for numbers in (ranges or "").split(","):
            first, _, last = numbers.partition("-")
            if not first:
                yield f"{before}{behind}"
                continue
            for number in range(int(first), int(last or first) + 1):
                yield f"{before}{number:0{len(first)}}{behind}"


def _tasks_per_node(tasks: str) -> Iterator[int]:
    """Yields the numbers of a list such as `3(x2),1`."""
    for part in tasks.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if match is None:
            raise ValueError(f"tasks {tasks!r}")
        yield from [int(match[1])] * int(match[2] or 1)


def _first_port(environment: Mapping[str, str]) -> int:
    """The port of the first task on a machine; the next ones have the next ports."""
    if reserved := environment.get("SLURM_STEP_RESV_PORTS"):
        return int(reserved.split(",")[0].partition("-")[0])
    return _FIRST_PORT + int(environment.get("SLURM_JOB_ID") or 0) % _NUM_PORTS
