"""Ray with several nodes on one machine: what dies costs no row."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from small_run import JOB, Listener, rows
from three_nodes import keeper_processes, three_nodes, wait_for_places

from bnnray.job import load_job
from bnnray.results import query
from bnnray.runtime import RunOptions, run_job
from bnnray.runtime.cluster import Place
from bnnray.runtime.ray_cluster import RayCluster

OVERRIDES = ["data.points=20"]
"""Solves take some tenths of a second, and all reach their optimum."""


@pytest.fixture
def nodes():
    with three_nodes() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The job and its rows."""
    folder = tmp_path_factory.mktemp("undisturbed")
    path = folder / "job.toml"
    path.write_text(JOB)
    job = load_job(path, OVERRIDES).job
    result = run_job(job, RunOptions(folder / "runs", local=True), Listener())
    return job, rows(result.folder)


def kill_keeper(cluster) -> None:
    keepers = keeper_processes()
    assert len(keepers) == 3
    os.kill(keepers[0].pid, signal.SIGKILL)


def remove_node(cluster) -> None:
    cluster.remove_node(next(iter(cluster.worker_nodes)))


def kill_raylet(cluster) -> None:
    """Ray notices by itself, some ten seconds later."""
    node = next(iter(cluster.worker_nodes))
    raylet = node.all_processes["raylet"][0].process
    os.kill(raylet.pid, signal.SIGKILL)


def remove_all_other_nodes(cluster) -> None:
    for node in list(cluster.worker_nodes):
        cluster.remove_node(node)


@pytest.fixture
def together(monkeypatch):
    """Nothing is handed out before all three keepers answer: each then has work when one dies."""
    places = RayCluster.places

    def all_three(cluster: RayCluster, useful: Callable[[Place], bool]) -> Sequence[Place]:
        monkeypatch.setattr(RayCluster, "places", places)
        return wait_for_places(cluster, 3)

    monkeypatch.setattr(RayCluster, "places", all_three)


@pytest.mark.parametrize("disturb", [kill_keeper, remove_node, kill_raylet, remove_all_other_nodes])
def test_what_dies_costs_no_row(nodes, undisturbed, tmp_path: Path, together, disturb):
    job, expected = undisturbed
    listener = Listener()

    def wait_and_disturb() -> None:
        deadline = time.monotonic() + 120
        while not listener.records and time.monotonic() < deadline:
            time.sleep(0.05)
        disturb(nodes)

    with ThreadPoolExecutor(1) as other:
        disturbed = other.submit(wait_and_disturb)
        result = run_job(job, RunOptions(tmp_path / "runs", address=nodes.address), listener)
        disturbed.result()
    assert (result.total, result.left, result.failed) == (80, 0, 0)
    assert rows(result.folder) == expected
    (session,) = json.loads((result.folder.path / "run.json").read_text())["sessions"]
    assert (session["units"], session["failed"], session["left"]) == (80, 0, 0)
    assert session["retried"] >= 1
    (counts,) = query(
        result.folder, "select max(attempt), count(*), count(distinct key) from results"
    ).rows
    assert counts[0] in (2, 3)
    assert counts[1:] == (80, 80)
