"""The loop, on a fake cluster: order, room, deaths and retries, drain."""

from __future__ import annotations

import math
import random
from collections import Counter, deque

import numpy as np
import pytest
from tiny import Size, random_network

from bnnray.attacks import MilpSettings, PgdSettings, failed
from bnnray.errors import SetupError
from bnnray.job import Unit
from bnnray.results import MemorySink
from bnnray.runtime.cluster import GPU, SLOTS, Place, Shard, ShardDone
from bnnray.runtime.context import RunContext
from bnnray.runtime.drain import Drain
from bnnray.runtime.driver import Driver
from bnnray.runtime.records import Span, make_record, now
from bnnray.runtime.waiting import ATTEMPTS, LARGEST_SHARD
from bnnray.threat import Domain, Threat, parse_epsilon
from bnnray.verdicts import Status

PGD, MILP = PgdSettings(time_limit=5), MilpSettings(time_limit=60)
SHORT = MilpSettings(time_limit=1)
POINTS = 40
ONE = (Place("keeper", "node", SLOTS, 2),)
TWO = (Place("a", "node a", SLOTS, 2), Place("b", "node b", SLOTS, 2))
WITH_GPU = (*TWO, Place("c", "", GPU, 1))


@pytest.fixture(scope="module")
def context():
    rng = np.random.default_rng(0)
    network = random_network(rng, Size(4, (3,), 3, 5), nasty=False)
    return RunContext(
        job="job",
        session=1,
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
    """Ends shards in order, one a call. Keepers start a shard when they have a free slot.

    Args:
        context: of the run.
        places: the keepers.
        dies: whether the slot's process dies under this unit, at this attempt.
        kills: whether the whole keeper dies under this unit, at this attempt.
        on_collect: called first by collect.
        choose: which of the running shards ends next.
    """

    def __init__(
        self,
        context,
        places=ONE,
        dies=lambda unit, attempt: False,
        kills=lambda unit, attempt: False,
        on_collect=lambda: None,
        choose=lambda running: running[0],
    ) -> None:
        self.context = context
        self.all = list(places)
        self.dies = dies
        self.kills = kills
        self.on_collect = on_collect
        self.choose = choose
        self.held: dict[Place, deque[Shard]] = {place: deque() for place in places}
        self.submitted: list[tuple[Place, Shard]] = []
        self.most = 0

    def places(self):
        return self.all

    def submit(self, shard, place) -> None:
        assert place in self.all
        self.held[place].append(shard)
        self.submitted.append((place, shard))
        self.most = max(self.most, len(self.held[place]) - place.slots)

    def collect(self, timeout):
        self.on_collect()
        running = [
            (place, shard)
            for place, held in self.held.items()
            for shard in list(held)[: place.slots]
        ]
        if not running:
            return []
        place, shard = self.choose(running)
        if any(self.kills(u, shard.attempt) for u in shard.units):
            return self.lose(place)
        self.held[place].remove(shard)
        return [self.end(shard)]

    def lose(self, place):
        lost = [ShardDone(shard, error="gone", keeper_lost=True) for shard in self.held[place]]
        self.held[place].clear()
        return lost

    def end(self, shard):
        alive = [not self.dies(unit, shard.attempt) for unit in shard.units]
        ended = alive.index(False) if False in alive else len(alive)
        records = [self.record(unit, shard.attempt) for unit in shard.units[:ended]]
        return ShardDone(shard, records, "" if all(alive) else "the slot's process died")

    def record(self, unit, attempt):
        span = Span(now(), now(), 0.0, attempt)
        return make_record(unit, failed(Status.OPTIMAL, "fake"), self.context, span)


def drive(cluster, units, drain=None, grace=0.0):
    sink = MemorySink()
    driver = Driver(cluster, sink, cluster.context, lambda records: None)
    driver.run(units, drain or Drain(), grace)
    assert driver.done().units == len(sink.records)
    return driver.done(), [record.row for record in sink.records]


def test_every_unit_once(context):
    units = [unit(p, a) for a in (PGD, MILP, SHORT) for p in range(POINTS)]
    cluster = FakeCluster(context)
    done, rows = drive(cluster, units)
    assert cluster.most == 1, "one shard more than there are slots, while many wait"
    assert (done.units, done.failed, done.retried, done.slots.count) == (len(units), 0, 0, 2)
    assert sorted(row["key"] for row in rows) == sorted(u.key for u in units)


def test_long_units_go_first_and_alone_others_in_shards_that_shrink(context):
    cluster = FakeCluster(context)
    drive(cluster, [unit(p, a) for a in (PGD, SHORT, MILP) for p in range(POINTS)])
    shards = [shard for _, shard in cluster.submitted]
    limits = [shard.units[0].attack.time_limit for shard in shards]
    assert limits == sorted(limits, reverse=True)
    sizes = {limit: [] for limit in limits}
    for shard, limit in zip(shards, limits, strict=True):
        assert len({(u.attack.name, u.attack.time_limit) for u in shard.units}) == 1
        sizes[limit].append(len(shard.units))
    assert sizes[60] == [1] * POINTS
    assert sizes[5] == [LARGEST_SHARD, LARGEST_SHARD, POINTS - 2 * LARGEST_SHARD]
    assert sizes[1] == [10, 8, 6, 4, 3, 3, 2, 1, 1, 1, 1]


def test_near_the_end_no_unit_waits_in_a_keeper_while_another_has_a_free_slot(context):
    cluster = FakeCluster(context, TWO)
    drive(cluster, [unit(p, MILP) for p in range(5)])
    first = Counter(place.name for place, _ in cluster.submitted[:4])
    assert first == {"a": 2, "b": 2}
    assert len(cluster.submitted) == 5


def test_batched_attacks_go_to_the_gpu_where_there_is_one(context):
    cluster = FakeCluster(context, WITH_GPU)
    drive(cluster, [unit(p, a) for a in (PGD, MILP) for p in range(POINTS)])
    assert {(place.pool, s.units[0].attack.kind) for place, s in cluster.submitted} == {
        (SLOTS, "milp"),
        (GPU, "pgd"),
    }
    sizes = [len(s.units) for place, s in cluster.submitted if place.pool == GPU]
    assert sizes == [LARGEST_SHARD, LARGEST_SHARD, POINTS - 2 * LARGEST_SHARD]


def test_without_the_gpu_that_was_there_batched_attacks_go_to_slots(context):
    cluster = FakeCluster(context, WITH_GPU)
    gpu = WITH_GPU[-1]

    def lose_it() -> None:
        if gpu in cluster.all:
            cluster.all.remove(gpu)
            cluster.returned = cluster.lose(gpu)

    cluster.on_collect = lose_it
    collect = cluster.collect
    cluster.collect = lambda timeout: [*collect(timeout), *cluster.__dict__.pop("returned", [])]
    done, rows = drive(cluster, [unit(p, PGD) for p in range(POINTS)])
    assert (done.units, done.failed) == (POINTS, 0)
    assert {row["attempt"] for row in rows} == {1, 2}
    assert {place.pool for place, _ in cluster.submitted} == {GPU, SLOTS}


def test_a_unit_that_always_dies_is_recorded_after_its_last_attempt(context):
    poison = unit(3, MILP)
    cluster = FakeCluster(context, TWO, dies=lambda u, _: u == poison)
    done, rows = drive(cluster, [unit(p, MILP) for p in range(POINTS)])
    assert (done.units, done.failed, done.retried) == (POINTS, 1, ATTEMPTS - 1)
    (bad,) = [row for row in rows if row["status"] == "crashed"]
    assert (bad["key"], bad["attempt"], bad["verdict"]) == (poison.key, ATTEMPTS, "unknown")
    assert bad["message"] == "3 attempts; the last: the slot's process died"
    assert {row["attempt"] for row in rows if row is not bad} == {1}
    tries = [place.node for place, shard in cluster.submitted if poison in shard.units]
    assert set(tries[:2]) == {"node a", "node b"}


def test_units_behind_one_that_dies_in_a_shard_end_alone(context):
    units = [unit(p, SHORT) for p in range(POINTS)]
    cluster = FakeCluster(context, dies=lambda u, attempt: u.point == 2 and attempt < 3)
    done, rows = drive(cluster, units)
    assert (done.units, done.failed) == (POINTS, 0)
    assert all(len(s.units) == 1 for _, s in cluster.submitted if s.attempt > 1)
    attempts = {row["point"]: row["attempt"] for row in rows}
    first = cluster.submitted[0][1]
    assert attempts[2] == 3
    assert [attempts[u.point] for u in first.units[3:]] == [2] * (len(first.units) - 3)
    assert Counter(attempts.values())[1] == POINTS - len(first.units) + 2


@pytest.mark.parametrize("places", [ONE, TWO, WITH_GPU], ids=["one", "two", "gpu"])
def test_units_that_kill_their_keepers_take_no_others_with_them(context, places):
    """Also where the only keeper dies again and again under all that it holds."""
    poison = {1, 2, 17}
    cluster = FakeCluster(context, places, kills=lambda u, _: u.point in poison)
    units = [unit(p, a) for a in (PGD, MILP, SHORT) for p in range(POINTS)]
    done, rows = drive(cluster, units)
    assert sorted(row["key"] for row in rows) == sorted(u.key for u in units)
    crashed = {row["key"] for row in rows if row["status"] == "crashed"}
    assert crashed == {u.key for u in units if u.point in poison}
    assert done.failed == len(crashed) == 9


@pytest.mark.parametrize("seed", range(300))
def test_whatever_dies_each_unit_has_one_row_with_its_attempt(context, seed):
    rng = random.Random(seed)
    slots = [
        Place(f"k{i}", f"node {i}", SLOTS, rng.randint(1, 4)) for i in range(rng.randint(1, 4))
    ]
    places = slots + [Place("gpu", "", GPU, 1)] * rng.randint(0, 1)
    units = [unit(p, a) for a in (PGD, MILP, SHORT) for p in range(rng.randint(1, POINTS))]
    deaths = {u.key: rng.choice([0, 0, 0, 0, 1, 2, 3, 9]) for u in units}
    kinds = {u.key: rng.random() < 0.3 for u in units}
    cluster = FakeCluster(
        context,
        places,
        dies=lambda u, attempt: not kinds[u.key] and attempt <= deaths[u.key],
        kills=lambda u, attempt: kinds[u.key] and attempt <= deaths[u.key],
        choose=rng.choice,
    )
    done, rows = drive(cluster, units)
    assert sorted(row["key"] for row in rows) == sorted(u.key for u in units)
    tries = Counter(u.key for _, shard in cluster.submitted for u in shard.units)
    for row in rows:
        poison = deaths[row["key"]] >= ATTEMPTS
        assert (row["status"] == "crashed") == poison
        shared = row["attempt"] == ATTEMPTS  # a last attempt that another ended does not count
        assert row["attempt"] <= tries[row["key"]] <= row["attempt"] + shared
        assert row["attempt"] > deaths[row["key"]] or poison
    retried = [shard for _, shard in cluster.submitted if shard.attempt > 1]
    assert done.retried == len(retried)
    assert all(len(shard.units) == 1 for shard in retried)


@pytest.mark.parametrize("seed", range(60))
def test_while_keepers_come_and_go_each_unit_has_one_row(context, seed):
    rng = random.Random(seed)
    cluster = FakeCluster(context, TWO, choose=rng.choice)
    units = [unit(p, a) for a in (MILP, SHORT) for p in range(POINTS)]
    returned: list[ShardDone] = []
    numbers = iter(range(1000))
    losses = Counter()

    def shuffle() -> None:
        if rng.random() < 0.1 and len(cluster.all) < 5:
            new = Place(f"n{next(numbers)}", f"node {rng.randint(0, 3)}", SLOTS, rng.randint(1, 3))
            cluster.held[new] = deque()
            cluster.all.append(new)
        if rng.random() < 0.1 and cluster.all:
            lost = cluster.all.pop(rng.randrange(len(cluster.all)))
            returned.extend(cluster.lose(lost))

    def collect(timeout):
        found, returned[:] = [*returned], []
        losses.update(u.key for done in found for u in done.shard.units)
        return [*found, *FakeCluster.collect(cluster, timeout)]

    cluster.on_collect = shuffle
    cluster.collect = collect
    _, rows = drive(cluster, units)
    assert sorted(row["key"] for row in rows) == sorted(u.key for u in units)
    for row in rows:
        assert row["attempt"] == min(losses[row["key"]] + 1, ATTEMPTS)
        assert (row["status"] == "crashed") == (losses[row["key"]] >= ATTEMPTS)


def test_a_lost_cluster_ends_the_run_with_what_was_done_kept(context):
    cluster = FakeCluster(context)
    sink = MemorySink()
    driver = Driver(cluster, sink, context, lambda records: None)
    looks = iter(range(100))

    def places():
        if next(looks) > 9:
            raise SetupError("every node is lost")
        return ONE

    cluster.places = places
    with pytest.raises(SetupError):
        driver.run([unit(p, MILP) for p in range(POINTS)], Drain(), 0)
    assert driver.done().units == len(sink.records) == 10


def test_a_drain_starts_nothing_new_and_keeps_what_is_done(context):
    drain = Drain()
    calls = iter(range(100))

    def ask() -> None:
        drain.requested = next(calls) >= 4

    cluster = FakeCluster(context, on_collect=ask)
    done, rows = drive(cluster, [unit(p, MILP) for p in range(POINTS)], drain, grace=60)
    assert done.units == len(rows) == len(cluster.submitted) < POINTS
    assert not any(cluster.held.values())


def test_during_a_drain_units_that_die_stay_undone(context):
    drain = Drain()

    def ask() -> None:
        drain.requested = True

    cluster = FakeCluster(context, on_collect=ask, dies=lambda u, _: u.point == 0)
    done, rows = drive(cluster, [unit(p, MILP) for p in range(POINTS)], drain, grace=60)
    assert {row["point"] for row in rows} == {1, 2}
    assert (done.units, done.failed, done.retried) == (2, 0, 0)


def test_after_the_grace_running_units_are_left(context):
    drain = Drain()
    drain.requested = True
    cluster = FakeCluster(context)
    assert drive(cluster, [unit(0, MILP)], drain)[0].units == 0
    assert cluster.submitted == []
