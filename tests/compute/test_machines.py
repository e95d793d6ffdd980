"""Who trains together, from what schedulers set in the environment."""

import json

import pytest

from dlir_tf.compute.machines import find_cluster
from dlir_tf.errors import InputError

SLURM = {
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "n[2,10],login",
    "SLURM_STEP_TASKS_PER_NODE": "1(x2),2",
    "SLURM_PROCID": "1",
    "SLURM_JOB_ID": "1234567",
}


def tf_config(kind="worker", index=0, **jobs):
    task = {"type": kind, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": jobs, "task": task})}


def test_workers_of_tf_config():
    cluster = find_cluster(tf_config(index=1, worker=["a:1", "b:2"]))
    assert (cluster.addresses, cluster.index) == (("a:1", "b:2"), 1)
    assert cluster.jobs() == {"worker": ["a:1", "b:2"]}
    assert cluster.task() == ("worker", 1)


@pytest.mark.parametrize(
    ("kind", "number", "index"), [("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)]
)
def test_a_chief_of_tf_config_comes_first(kind, number, index):
    jobs = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}
    cluster = find_cluster(tf_config(kind, number, **jobs))
    assert cluster.addresses == ("a:1", "b:2", "c:3")
    assert cluster.index == index
    assert cluster.jobs() == jobs
    assert cluster.task() == (kind, number)


def test_tasks_of_slurm_keep_its_order():
    """By name, n10 would come before n2."""
    cluster = find_cluster(SLURM)
    port = 20_000 + 4567
    assert cluster.addresses == (
        f"n2:{port}",
        f"n10:{port}",
        f"login:{port}",
        f"login:{port + 1}",
    )
    assert cluster.task() == ("worker", 1)
    reserved = find_cluster({**SLURM, "SLURM_STEP_RESV_PORTS": "12345-12346"})
    assert reserved.addresses[-2:] == ("login:12345", "login:12346")


def test_padded_numbers_of_machines():
    nodes = {"SLURM_STEP_NODELIST": "gpu-[08-10,101]-ib", "SLURM_PROCID": "3"}
    tasks = {"SLURM_STEP_TASKS_PER_NODE": "1(x4)"}
    hosts = [a.split(":")[0] for a in find_cluster(SLURM | nodes | tasks).addresses]
    assert hosts == ["gpu-08-ib", "gpu-09-ib", "gpu-10-ib", "gpu-101-ib"]


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"TF_CONFIG": ""},
        tf_config(worker=["a:1"]),
        {"TF_CONFIG": '{"task": {"type": "worker", "index": 0}}'},
        {**SLURM, "SLURM_STEP_NUM_TASKS": "1"},
        {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "8", "SLURM_PROCID": "0"},
        # It was set for TensorFlow, whatever started the process.
        {**SLURM, **tf_config(worker=["a:1"])},
    ],
)
def test_one_alone(environment):
    assert find_cluster(environment) is None


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TF_CONFIG": "{"}, "TF_CONFIG: must be JSON such as"),
        ({"TF_CONFIG": "[1]"}, "TF_CONFIG: must be JSON such as"),
        ({"TF_CONFIG": '{"cluster": ["a:1", "b:2"]}'}, "must be JSON such as"),
        (tf_config(index=2, worker=["a:1", "b:2"]), "there is no worker 2"),
        (tf_config("chief", worker=["a:1", "b:2"]), "there is no chief 0"),
        (tf_config(worker=["a:1"], chief=["b:1", "c:1"]), "one chief at most"),
        (tf_config(worker=["a:1"], ps=["b:2"]), "but no ps"),
        (tf_config("evaluator", worker=["a:1", "b:2"]), "but no evaluator"),
        (tf_config(worker=["a", "b:2"]), "must name host:port"),
        (tf_config(worker=["a:1", "a:1"]), "the same address"),
        ({**SLURM, "SLURM_PROCID": ""}, "SLURM_PROCID isn't set"),
        ({**SLURM, "SLURM_PROCID": "4"}, "task 4 isn't one of"),
        ({**SLURM, "SLURM_STEP_NODELIST": "n[2-x]"}, "can't be read"),
        ({**SLURM, "SLURM_STEP_TASKS_PER_NODE": "2(y2)"}, "can't be read"),
        ({**SLURM, "SLURM_STEP_TASKS_PER_NODE": "4"}, "isn't one of"),
    ],
)
def test_what_makes_no_sense_is_told(environment, message):
    with pytest.raises(InputError, match=message):
        find_cluster(environment)
