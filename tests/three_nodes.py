"""A Ray cluster of three nodes on one machine, and the keepers on them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil

from bnnray.runtime.cluster import Place
from bnnray.runtime.ray_cluster import RayCluster

KEEPER = re.compile(r"ray::(KeeperActor|.* points? \d)")


@contextmanager
def three_nodes() -> Iterator[Any]:
    """A cluster of three nodes with one core each; the driver joins the first one's."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for _ in range(3):
            cluster.add_node(num_cpus=1, include_dashboard=False)
        yield cluster
    finally:
        cluster.shutdown()


def keeper_processes() -> list[psutil.Process]:
    """The keepers' processes, which Ray names after what runs in them."""
    mine = psutil.Process().children(recursive=True)
    return [p for p in mine if any(KEEPER.match(part) for part in command_of(p))]


def command_of(process: psutil.Process) -> list[str]:
    """How it was started; empty if it is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def useful(place: Place) -> bool:
    """Every keeper is."""
    return True


def wait_for_places(cluster: RayCluster, count: int) -> Sequence[Place]:
    """Until so many keepers answer."""
    deadline = time.monotonic() + 240
    while len(places := cluster.places(useful)) != count:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return places
