"""A cohort on a Dask cluster: a real scheduler and workers, which come and go."""

import shutil
from pathlib import Path

import pytest
from cohort_desk import act, contents, registered, rows, undisturbed
from shifting_model import load, write_pairs

import dlir_tf
from dlir_tf.cohort import cluster as module
from dlir_tf.cohort import register_pairs
from dlir_tf.errors import InputError

pytest.importorskip("distributed", reason="the extra `cluster` isn't installed")
from dask_desk import Cluster

SHIPPED = Path(dlir_tf.__file__).parent / "models" / "shipped" / "cardiac-cine"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler without workers; those that tests ask for stay for the next."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.close()


def on(cluster, **options):
    return {"scheduler": str(cluster.file), "workers_timeout": 120} | options


def test_a_worker_that_is_killed_costs_nothing(cluster, here):
    names = [f"p{n}" for n in range(6)]
    write_pairs(here / "in", len(names), extras=True)
    act(here, p2=f"die once {here / 'died'}", p5="die")
    cluster.need(5)  # three of them die of the last pair
    results = registered(**on(cluster))
    assert (here / "died").exists()
    assert "every worker died that registered it" in results["p5"].problem
    assert results["p5"].folder == Path("out/p5")
    good = names[:5]
    assert {results[name].problem for name in good} == {""}
    assert (here / "loads").read_text().count("\n") <= 5
    assert [row["verdict"] for row in rows(here)] == ["PASS"] * 5 + ["ERROR"]
    act(here)
    again = registered(**on(cluster))
    assert [again[name].is_new for name in names] == [False] * 5 + [True]
    found = {name: contents(here / "out" / name) for name in names}
    assert found == undisturbed(names)
    cluster.have_none()


def test_workers_that_differ_are_left_out_and_named(cluster, here):
    write_pairs(here / "in", 2)
    cluster.need(1, version="0.0.9")
    with pytest.raises(InputError) as caught:
        registered(**on(cluster))
    told = str(caught.value)
    assert "has dlir-tf 0.0.9, but " in told
    assert "tcp://127.0.0.1" in told
    assert "\n" not in told
    cluster.need(2)
    with pytest.warns(UserWarning, match=r"has dlir-tf 0\.0\.9.*go on without it"):
        results = as_soon_as_one_can(cluster)
    assert {result.verdict for result in results.values()} == {"PASS"}
    cluster.have_none()


def as_soon_as_one_can(cluster):
    """Registers the pairs as soon as a worker of the same version is there."""
    while True:
        try:
            return registered(**on(cluster))
        except InputError as error:
            if "0.0.9" not in str(error):
                raise


@pytest.mark.parametrize("fault", ["is not there", "is another"])
def test_a_worker_without_the_model_is_told_of(cluster, here, fault):
    write_pairs(here / "in", 2)
    shutil.copytree(SHIPPED, "model")
    cluster.need(1)
    options = on(cluster, model="model", load=load)
    results = register_pairs("in/pairs.csv", "out", **options)
    if fault == "is another":
        Path("model/model.weights.h5").write_bytes(b"other")
        message = "has another model at .*model than there is here; copy the same"
    else:
        shutil.rmtree("model")
        message = "can't read the model .*model; put it where all workers find it"
    with pytest.raises(InputError, match=message):
        list(results)


def test_a_cluster_without_workers_is_waited_for_with_a_limit(cluster, here):
    write_pairs(here / "in", 1)
    cluster.have_none()
    with pytest.raises(InputError, match=r"has had no workers for 1\.5 s; start some"):
        registered(**on(cluster, workers_timeout=1.5))
    for options, message in (
        ({"jobs": 2}, "--jobs and --scheduler exclude each other"),
        ({"scheduler": "tcp://127.0.0.1:1"}, "no Dask scheduler can be reached there"),
        ({"scheduler": "nowhere://x"}, "no Dask scheduler can be reached there"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_TO_CONNECT", 2.0)
            with pytest.raises(InputError, match=message):
                registered(**on(cluster, **options))


def test_a_scheduler_that_goes_away_ends_it_with_a_sentence(here, tmp_path_factory):
    names = [f"p{n}" for n in range(8)]
    write_pairs(here / "in", len(names))
    act(here, **dict.fromkeys(names[2:], "sleep 0.5"))
    other = Cluster(tmp_path_factory.mktemp("other"))
    try:
        other.need(1)
        results = register_pairs("in/pairs.csv", "out", **on(other, load=load))
        done = {next(results).id}
        other.scheduler.kill()
        with pytest.raises(InputError, match="the scheduler has gone; start it again"):
            done |= {result.id for result in results}
    finally:
        other.close()
    act(here)
    again = registered()
    assert done <= {name for name, result in again.items() if not result.is_new}
    assert {result.verdict for result in again.values()} == {"PASS"}
