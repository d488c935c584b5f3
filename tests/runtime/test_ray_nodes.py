"""Ray with several nodes on one machine: a keeper on each."""

from __future__ import annotations

import math
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from small_run import JOB, Listener, rows
from three_nodes import command_of, keeper_processes, three_nodes, useful, wait_for_places
from tiny import Size, random_network

from bnnray.attacks import MilpSettings, PgdSettings
from bnnray.errors import SetupError
from bnnray.job import Unit, load_job
from bnnray.runtime import RunOptions, fleet, run_job
from bnnray.runtime.cluster import Shard, ShardDone
from bnnray.runtime.context import RunContext
from bnnray.runtime.ray_cluster import RayCluster
from bnnray.threat import Domain, Threat, parse_epsilon

NURSE = "bnnray.processes.nurse"


@pytest.fixture
def nodes():
    with three_nodes() as cluster:
        yield cluster


def test_a_node_that_joins_gets_a_keeper(nodes, monkeypatch, empty_run):
    monkeypatch.setattr(fleet, "LOOK_SECONDS", 0.5)
    with closing(RayCluster(nodes.address)) as cluster:
        cluster.start(empty_run, 1)
        assert len(wait_for_places(cluster, 3)) == 3
        joined_node = nodes.add_node(num_cpus=2)
        joined = wait_for_places(cluster, 4)
        assert sorted(place.slots for place in joined) == [1, 1, 1, 2]
        nodes.remove_node(joined_node)
        assert {p.slots for p in wait_for_places(cluster, 3)} == {1}


def test_a_keeper_that_raises_is_not_lost(nodes, empty_run):
    """Here because the run has no such network."""
    attack, threat = MilpSettings(time_limit=5), Threat(parse_epsilon("0.1"))
    shard = Shard((Unit("key", "question", "family", "other", 0, threat, attack),))
    with closing(RayCluster(nodes.address)) as cluster:
        cluster.start(empty_run, 1)
        cluster.submit(shard, wait_for_places(cluster, 3)[0])
        (done,) = cluster.collect(30)
        assert done.shard is shard
        assert (done.records, done.keeper_lost) == ((), False)
        assert done.error == "the keeper raised KeyError: 0"
        assert done.begun == {"key"}
        assert len(cluster.places(useful)) == 3


def test_a_busy_keeper_is_drained_at_once(nodes, tiny_run):
    """What waits behind a shard that runs must not begin."""
    long = PgdSettings(time_limit=8, iterations=10**8)
    threat = Threat(parse_epsilon("0.5"), Domain.GRID, 5)
    shards = [
        Shard((Unit(f"{n:032d}", f"{n:032d}", "family", "net", 0, threat, long),)) for n in range(3)
    ]
    with closing(RayCluster(nodes.address)) as cluster:
        cluster.start(tiny_run, 1)
        place = wait_for_places(cluster, 3)[0]
        for shard in shards:
            cluster.submit(shard, place)
        wait_for_a_search()
        time.sleep(2)
        cluster.drain()
        done: dict[Shard, ShardDone] = {}
        deadline = time.monotonic() + 240
        while len(done) < 3 and time.monotonic() < deadline:
            done |= {d.shard: d for d in cluster.collect(1)}
        assert [len(done[shard].records) for shard in shards] == [1, 0, 0]
        assert [done[shard].begun for shard in shards[1:]] == [frozenset()] * 2
        assert not any(done[shard].error for shard in shards)


def test_keepers_that_cannot_run_what_is_left_do_not_keep_a_run_waiting(
    nodes, monkeypatch, empty_run
):
    with closing(RayCluster(nodes.address)) as cluster:
        cluster.start(empty_run, 1)
        wait_for_places(cluster, 3)
        monkeypatch.setattr(fleet, "START_SECONDS", 0.5)
        assert len(cluster.places(useful)) == 3
        time.sleep(1)
        with pytest.raises(SetupError, match=r"no keeper .* that could run what is left"):
            cluster.places(lambda place: False)


def test_a_cluster_without_nodes_is_given_up_in_one_line(monkeypatch, empty_run):
    from ray.cluster_utils import Cluster

    monkeypatch.setattr(fleet, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(fleet, "LOST_SECONDS", 3.0)
    cluster = Cluster()
    cluster.add_node(num_cpus=0, include_dashboard=False)
    node = cluster.add_node(num_cpus=1)
    try:
        with closing(RayCluster(cluster.address)) as mine:
            mine.start(empty_run, 1)
            wait_for_places(mine, 1)
            cluster.remove_node(node)
            with pytest.raises(SetupError, match="every node of the Ray cluster has been lost"):
                wait_for_places(mine, 9)
    finally:
        cluster.shutdown()


@pytest.fixture
def empty_run() -> RunContext:
    return RunContext("job", 1, "digits", "test", 16, {}, {}, {}, 1, math.inf, (), "{}")


@pytest.fixture
def tiny_run(empty_run) -> RunContext:
    rng = np.random.default_rng(0)
    network = random_network(rng, Size(4, (3,), 3, 5), nasty=False)
    images = {0: rng.integers(0, 6, size=4)}
    return replace(empty_run, levels=5, images=images, labels={0: 0}, networks={"net": network})


def wait_for_a_search() -> None:
    """Until a keeper has its nursery and a process that the nursery forked."""
    deadline = time.monotonic() + 240
    while not any(_searches(keeper) for keeper in keeper_processes()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _searches(keeper: psutil.Process) -> bool:
    return len([p for p in keeper.children(recursive=True) if NURSE in command_of(p)]) > 1


def test_with_a_gpu_batched_attacks_go_to_its_keeper(tmp_path: Path):
    """Ray is told of a GPU: torch finds none and computes on the CPU, so rows are the same."""
    from ray.cluster_utils import Cluster

    path = tmp_path / "job.toml"
    path.write_text(JOB)
    job = load_job(path, ["attack.pgd.restarts=2"]).job
    cluster = Cluster()
    cluster.add_node(num_cpus=1, num_gpus=1, include_dashboard=False)
    try:
        on_ray = run_job(job, RunOptions(tmp_path / "ray", address=cluster.address), Listener())
    finally:
        cluster.shutdown()
    local = run_job(job, RunOptions(tmp_path / "local", local=True), Listener())
    assert (on_ray.left, on_ray.failed) == (0, 0)
    assert rows(on_ray.folder) == rows(local.folder)


def test_without_an_address_the_cluster_is_its_own(nodes, monkeypatch):
    """Another cluster on the machine, such as another user's, is left alone."""
    import ray

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with closing(RayCluster()):
        assert ray.get_runtime_context().gcs_address != nodes.address
    monkeypatch.setenv("RAY_ADDRESS", nodes.address)
    with closing(RayCluster()):
        assert ray.get_runtime_context().gcs_address == nodes.address


def test_an_address_without_a_cluster_is_one_line(tmp_path: Path):
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    options = RunOptions(tmp_path / "runs", address="127.0.0.1:1")
    with pytest.raises(
        SetupError, match=r"cannot start or reach Ray at 127\.0\.0\.1:1: "
    ) as caught:
        run_job(load_job(path).job, options, Listener())
    assert "\n" not in str(caught.value)
