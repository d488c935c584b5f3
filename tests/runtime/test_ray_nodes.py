"""Ray with several nodes on one machine: a keeper on each, and what happens when one dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from test_run import JOB, Listener, rows

from bnnray.errors import SetupError
from bnnray.job import load_job
from bnnray.results import query
from bnnray.runtime import RunOptions, run_job
from bnnray.runtime.ray_cluster import RayCluster


@pytest.fixture
def two_nodes():
    """A cluster of two nodes with one core each; yields its address."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    for _ in range(2):
        cluster.add_node(num_cpus=1, include_dashboard=False)
    yield cluster.address
    cluster.shutdown()


def keeper_processes() -> list[psutil.Process]:
    """The keepers' processes, which Ray names after what runs in them."""
    mine = psutil.Process().children(recursive=True)
    return [p for p in mine if any("KeeperActor" in part for part in _command(p))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_two_nodes_have_two_keepers_and_a_killed_one_is_replaced(two_nodes, tmp_path: Path):
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    overrides = ["data.points=12", "model.net.hidden=[60, 60]", "attack.milp.time_limit=1.5"]
    listener = Listener()
    seen: list[int] = []

    def kill_one() -> None:
        deadline = time.monotonic() + 120
        while not listener.records and time.monotonic() < deadline:
            time.sleep(0.05)
        keepers = keeper_processes()
        seen.append(len(keepers))
        os.kill(keepers[0].pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    options = RunOptions(tmp_path / "runs", address=two_nodes)
    result = run_job(load_job(path, overrides).job, options, listener)
    killer.join()
    assert seen == [2]
    assert (result.total, result.left) == (48, 0)
    assert query(result.folder, "select count(*), count(distinct key) from results").rows == (
        (48, 48),
    )
    crashed = query(result.folder, "select message from results where status = 'crashed'").rows
    assert 0 < len(crashed) == result.failed < 48
    assert all(message.startswith("the keeper failed: ") for (message,) in crashed)

    again = run_job(
        load_job(path, overrides).job, RunOptions(tmp_path / "runs", local=True), Listener()
    )
    assert (again.left, again.failed) == (0, 0)
    assert query(result.folder, "select 1 from results where status = 'crashed'").rows == ()


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


def test_without_an_address_the_cluster_is_its_own(two_nodes, monkeypatch):
    """Another cluster on the machine, such as another user's, is left alone."""
    import ray

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with closing(RayCluster()):
        assert ray.get_runtime_context().gcs_address != two_nodes
    monkeypatch.setenv("RAY_ADDRESS", two_nodes)
    with closing(RayCluster()):
        assert ray.get_runtime_context().gcs_address == two_nodes


def test_an_address_without_a_cluster_is_one_line(tmp_path: Path):
    path = tmp_path / "job.toml"
    path.write_text(JOB)
    options = RunOptions(tmp_path / "runs", address="127.0.0.1:1")
    with pytest.raises(
        SetupError, match=r"cannot start or reach Ray at 127\.0\.0\.1:1: "
    ) as caught:
        run_job(load_job(path).job, options, Listener())
    assert "\n" not in str(caught.value)
