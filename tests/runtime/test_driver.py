"""The loop, on a fake cluster: order, room, failures, drain."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import pytest
from tiny import Size, random_network

from bnnray.attacks import MilpSettings, PgdSettings
from bnnray.job import Unit
from bnnray.results import MemorySink
from bnnray.runtime.cluster import GPU, SLOTS, ShardDone
from bnnray.runtime.context import RunContext
from bnnray.runtime.drain import Drain
from bnnray.runtime.driver import LARGEST_SHARD, Driver
from bnnray.runtime.records import crashed
from bnnray.threat import Domain, Threat, parse_epsilon

PGD, MILP = PgdSettings(time_limit=5), MilpSettings(time_limit=60)
POINTS = 40


@pytest.fixture
def context():
    rng = np.random.default_rng(0)
    network = random_network(rng, Size(4, (3,), 3, 5), nasty=False)
    return RunContext(
        job="job",
        dataset="tiny",
        split="test",
        levels=5,
        images={p: rng.integers(0, 6, size=4) for p in range(POINTS)},
        labels=dict.fromkeys(range(POINTS), 0),
        networks={"net": network},
        threads=1,
        memory=math.inf,
        modules=(),
        versions="{}",
    )


def unit(point: int, attack) -> Unit:
    threat = Threat(parse_epsilon("0.1"), Domain.GRID, 5)
    return Unit(
        f"{attack.time_limit:02.0f}{point:030d}", f"{point:032d}", "net", point, threat, attack
    )


class FakeCluster:
    """Finishes shards in order, one a call; fails those that it is told to."""

    def __init__(self, context, failing=(), on_collect=None) -> None:
        self.context = context
        self.failing = set(failing)
        self.on_collect = on_collect
        self.running: deque[list[Unit]] = deque()
        self.submitted: list[tuple[str, list[Unit]]] = []
        self.most = 0

    def submit(self, shard, pool) -> None:
        self.running.append(shard)
        self.submitted.append((pool, shard.units))
        self.most = max(self.most, len(self.running))

    def collect(self, timeout):
        if self.on_collect:
            self.on_collect()
        if not self.running:
            return []
        shard = self.running.popleft()
        if {u.point for u in shard.units} & self.failing:
            return [ShardDone(shard, error="the keeper failed: gone")]
        return [ShardDone(shard, crashed(shard.units, "fake", self.context))]


def drive(cluster, units, drain=None, pools=None, grace=0.0):
    sink = MemorySink()
    driver = Driver(cluster, pools or {SLOTS: 3}, sink, cluster.context, lambda records: None)
    finished = driver.run(units, drain or Drain(), grace)
    return finished, sink.records


def test_every_unit_once(context):
    units = [unit(p, a) for a in (PGD, MILP) for p in range(POINTS)]
    cluster = FakeCluster(context)
    finished, records = drive(cluster, units)
    assert finished == len(units)
    assert sorted(r.row["key"] for r in records) == sorted(u.key for u in units)
    assert cluster.most == 3


def test_long_units_go_first_and_alone_batched_ones_together(context):
    cluster = FakeCluster(context)
    drive(cluster, [unit(p, a) for a in (PGD, MILP) for p in range(POINTS)])
    sizes = [len(shard) for _, shard in cluster.submitted]
    limits = [shard[0].attack.time_limit for _, shard in cluster.submitted]
    assert sizes == [1] * POINTS + [LARGEST_SHARD, LARGEST_SHARD, POINTS - 2 * LARGEST_SHARD]
    assert limits == sorted(limits, reverse=True)


def test_batched_attacks_go_to_the_gpu_where_there_is_one(context):
    cluster = FakeCluster(context)
    drive(cluster, [unit(p, a) for a in (PGD, MILP) for p in range(4)], pools={SLOTS: 2, GPU: 1})
    assert {(pool, s[0].attack.kind) for pool, s in cluster.submitted} == {
        (SLOTS, "milp"),
        (GPU, "pgd"),
    }


def test_a_failed_shard_is_recorded_and_the_others_go_on(context):
    finished, records = drive(FakeCluster(context, failing={3}), [unit(p, MILP) for p in range(9)])
    assert finished == 9
    (bad,) = [r.row for r in records if r.row["message"] == "the keeper failed: gone"]
    assert (bad["status"], bad["verdict"], bad["point"]) == ("crashed", "unknown", 3)


def test_a_drain_starts_nothing_new_and_keeps_what_is_done(context):
    drain = Drain()
    calls = iter(range(100))

    def ask() -> None:
        drain.requested = next(calls) >= 4

    cluster = FakeCluster(context, on_collect=ask)
    finished, records = drive(cluster, [unit(p, MILP) for p in range(POINTS)], drain, grace=60)
    assert finished == len(records) == len(cluster.submitted) < POINTS
    assert not cluster.running


def test_after_the_grace_running_units_are_left(context):
    drain = Drain()
    drain.requested = True
    cluster = FakeCluster(context)
    assert drive(cluster, [unit(0, MILP)], drain)[0] == 0
    assert cluster.submitted == []
