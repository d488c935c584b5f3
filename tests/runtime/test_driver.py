"""The loop, on a fake cluster: order, room, deaths and retries, sick keepers, drain."""

from __future__ import annotations

import math
import random
import time
from collections import Counter, deque

import numpy as np
import pytest
from tiny import Size, random_network

from bnnray.attacks import MilpSettings, PgdSettings, failed
from bnnray.errors import SetupError, StorageError
from bnnray.job import Unit
from bnnray.results import MemorySink, ParquetSink
from bnnray.runtime import driver, sickness
from bnnray.runtime.cluster import GPU, SLOTS, Place, Shard, ShardDone
from bnnray.runtime.context import RunContext
from bnnray.runtime.drain import Drain
from bnnray.runtime.driver import Driver
from bnnray.runtime.monitor import NoMonitor, Standing
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
        f"{attack.time_limit:02.0f}{point:030d}",
        f"{point:032d}",
        "family",
        "net",
        point,
        threat,
        attack,
    )


class FakeCluster:
    """Ends shards in order, one a call. Keepers start a shard when they have a free slot.

    Args:
        context: of the run.
        places: the keepers.
        dies: whether the slot's process dies under this unit, at this attempt.
        kills: whether the whole keeper dies under this unit, at this attempt.
        sick: whether a keeper cannot start anything now.
        on_collect: called first by collect.
        choose: which of the running shards ends next.
    """

    def __init__(
        self,
        context,
        places=ONE,
        dies=lambda unit, attempt: False,
        kills=lambda unit, attempt: False,
        sick=lambda place: False,
        on_collect=lambda: None,
        choose=lambda running: running[0],
    ) -> None:
        self.context = context
        self.all = list(places)
        self.dies = dies
        self.kills = kills
        self.sick = sick
        self.drains = 0
        self.on_collect = on_collect
        self.choose = choose
        self.held: dict[Place, deque[Shard]] = {place: deque() for place in places}
        self.submitted: list[tuple[Place, Shard]] = []
        self.most = 0
        self.tries = Counter[str]()

    def places(self, useful):
        return self.all

    def drain(self):
        self.drains += 1

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
            time.sleep(0.001)
            return []
        place, shard = self.choose(running)
        if self.sick(place):
            self.held[place].remove(shard)
            return [ShardDone(shard, error="no process can be started")]
        if any(self.kills(u, shard.attempt) for u in shard.units):
            return self.lose(place)
        self.held[place].remove(shard)
        return [self.end(shard)]

    def lose(self, place):
        self.tries.update(key for shard in self.held[place] for key in shard.keys)
        lost = [ShardDone(shard, error="gone", keeper_lost=True) for shard in self.held[place]]
        self.held[place].clear()
        return lost

    def end(self, shard):
        alive = [not self.dies(unit, shard.attempt) for unit in shard.units]
        ended = alive.index(False) if False in alive else len(alive)
        records = [self.record(unit, shard.attempt) for unit in shard.units[:ended]]
        error = "" if all(alive) else "the slot's process died"
        begun = frozenset(unit.key for unit in shard.units[: ended + 1])
        self.tries.update(begun)
        return ShardDone(shard, records, error, begun=begun)

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


def test_units_behind_one_that_dies_in_a_shard_had_not_begun_and_lose_no_attempt(context):
    units = [unit(p, SHORT) for p in range(POINTS)]
    cluster = FakeCluster(context, dies=lambda u, attempt: u.point == 2 and attempt < 3)
    done, rows = drive(cluster, units)
    assert (done.units, done.failed) == (POINTS, 0)
    assert all(len(s.units) == 1 for _, s in cluster.submitted if s.attempt > 1)
    attempts = {row["point"]: row["attempt"] for row in rows}
    first = cluster.submitted[0][1]
    assert len(first.units) > 3
    assert attempts == {point: 3 if point == 2 else 1 for point in range(POINTS)}
    assert done.retried == 2


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
    tries = cluster.tries
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


@pytest.fixture
def quick_sickness(monkeypatch):
    """Milliseconds for seconds."""
    for name in ("FIRST_DELAY", "LONGEST_DELAY", "STUCK_SECONDS"):
        monkeypatch.setattr(sickness, name, getattr(sickness, name) / 1000)


@pytest.mark.parametrize("sick", [TWO[0], WITH_GPU[-1]], ids=["slots", "gpu"])
def test_a_keeper_that_starts_nothing_costs_no_unit_an_attempt(context, sick):
    cluster = FakeCluster(context, WITH_GPU, sick=lambda place: place == sick)
    units = [unit(p, a) for a in (PGD, MILP, SHORT) for p in range(POINTS)]
    done, rows = drive(cluster, units)
    assert (done.units, done.failed, done.retried) == (len(units), 0, 0)
    assert {row["attempt"] for row in rows} == {1}
    tried = sum(place == sick for place, _ in cluster.submitted)
    assert 1 <= tried <= 2 * (sick.slots + 1), "it gets nothing while it rests"


def test_retries_are_not_lost_to_a_sick_keeper(context):
    """A unit that died on one node avoids it; the other one cannot start anything for a while."""
    poison, returns = unit(3, MILP), iter(range(10))
    cluster = FakeCluster(
        context,
        TWO,
        dies=lambda u, attempt: u == poison and attempt == 1,
        sick=lambda place: place == TWO[1] and next(returns, 10) < 4,
    )
    done, rows = drive(cluster, [unit(p, MILP) for p in range(POINTS)])
    assert (done.units, done.failed) == (POINTS, 0)
    assert {row["attempt"] for row in rows if row["key"] != poison.key} == {1}
    assert {row["attempt"] for row in rows if row["key"] == poison.key} == {2}


def test_units_that_are_put_back_come_before_others(context, quick_sickness):
    first = iter([True])
    cluster = FakeCluster(
        context, (Place("k", "node", SLOTS, 1),), sick=lambda _: next(first, False)
    )
    drive(cluster, [unit(p, MILP) for p in range(POINTS)])
    tried = [shard.units[0].point for _, shard in cluster.submitted]
    assert tried[:3] == [0, 1, 0]
    assert tried[3:] == list(range(2, POINTS))


def test_a_keeper_that_is_well_again_is_used(context, quick_sickness):
    returns = iter(range(1000))
    cluster = FakeCluster(context, sick=lambda place: next(returns) % 10 < 5)
    done, rows = drive(cluster, [unit(p, MILP) for p in range(POINTS)])
    assert (done.units, done.failed) == (POINTS, 0)
    assert {row["attempt"] for row in rows} == {1}


@pytest.mark.parametrize("places", [ONE, TWO, WITH_GPU], ids=["one", "two", "gpu"])
def test_where_nothing_can_be_started_the_run_ends_and_says_why(context, quick_sickness, places):
    """Also with a GPU that is well, once the units that it can run are done."""
    cluster = FakeCluster(context, places, sick=lambda place: place.pool == SLOTS)
    sink = MemorySink()
    driver = Driver(cluster, sink, context, lambda records: None)
    attacks = (PGD, MILP) if places is WITH_GPU else (MILP,)
    with pytest.raises(SetupError, match=r"no slot could start anything .*: no process can be"):
        driver.run([unit(p, a) for a in attacks for p in range(POINTS)], Drain(), 0)
    assert {r.row["kind"] for r in sink.records} == ({"pgd"} if places is WITH_GPU else set())
    assert driver.done().units == len(sink.records) == POINTS * (places is WITH_GPU)
    assert driver.done().failed == 0


def test_while_a_long_unit_runs_a_sick_keeper_does_not_end_the_run(context, quick_sickness):
    """One slot has its process, and there is none for the other."""
    place, long = Place("k", "node", SLOTS, 2), unit(0, MILP)
    until = time.monotonic() + 5 * sickness.STUCK_SECONDS
    cluster = FakeCluster(
        context,
        (place,),
        choose=lambda running: running[-1],
        sick=lambda place: time.monotonic() < until,
    )
    collect = cluster.collect

    def without_the_long_one(timeout):
        held = cluster.held[place]
        if time.monotonic() < until and held and long in held[0].units:
            if len(held) == 1:
                time.sleep(0.001)
                return []
            return [ShardDone(held.pop(), error="no process can be started")]
        return collect(timeout)

    cluster.collect = without_the_long_one
    done, rows = drive(cluster, [unit(p, MILP) for p in range(5)])
    assert (done.units, done.failed) == (5, 0)
    assert {row["attempt"] for row in rows} == {1}


def test_keepers_count_for_what_waits(context):
    """With a GPU alone, units that are not batched wait: the cluster must not think it well."""
    asked = []
    cluster = FakeCluster(context, WITH_GPU[-1:])
    gpu, slots = WITH_GPU[-1], TWO[0]

    def places(useful):
        asked.append((useful(gpu), useful(slots)))
        if not useful(gpu):
            raise SetupError("no keeper for what waits")
        return cluster.all

    cluster.places = places
    sink = MemorySink()
    units = [unit(p, a) for a in (PGD, MILP) for p in range(POINTS)]
    with pytest.raises(SetupError, match="no keeper for what waits"):
        Driver(cluster, sink, context, lambda records: None).run(units, Drain(), 0)
    assert {r.row["kind"] for r in sink.records} == {"pgd"}
    assert len(sink.records) == POINTS
    assert {for_slots for _, for_slots in asked} == {True}


def test_a_lost_cluster_ends_the_run_with_what_was_done_kept(context):
    cluster = FakeCluster(context)
    sink = MemorySink()
    driver = Driver(cluster, sink, context, lambda records: None)
    looks = iter(range(100))

    def places(useful):
        if next(looks) > 9:
            raise SetupError("every node is lost")
        return ONE

    cluster.places = places
    with pytest.raises(SetupError):
        driver.run([unit(p, MILP) for p in range(POINTS)], Drain(), 0)
    assert driver.done().units == len(sink.records) == 10


def test_rows_that_are_not_on_disk_are_not_counted_as_done(context, tmp_path):
    (tmp_path / "results").write_text("in the way")
    cluster = FakeCluster(context)
    driver = Driver(cluster, ParquetSink(tmp_path), context, lambda records: None)
    with pytest.raises(StorageError, match="cannot write"):
        driver.run([unit(p, MILP) for p in range(POINTS)], Drain(), 0)
    assert driver.done().units == 0


def test_a_drain_starts_nothing_new_and_keeps_what_is_done(context):
    drain = Drain()
    calls = iter(range(100))

    def ask() -> None:
        drain.requested = next(calls) >= 4

    cluster = FakeCluster(context, on_collect=ask)
    done, rows = drive(cluster, [unit(p, MILP) for p in range(POINTS)], drain, grace=60)
    assert done.units == len(rows) == len(cluster.submitted) < POINTS
    assert not any(cluster.held.values())
    assert cluster.drains == 1


def test_during_a_drain_units_that_die_stay_undone(context):
    drain = Drain()

    def ask() -> None:
        drain.requested = True

    cluster = FakeCluster(context, on_collect=ask, dies=lambda u, _: u.point == 0)
    done, rows = drive(cluster, [unit(p, MILP) for p in range(POINTS)], drain, grace=60)
    assert {row["point"] for row in rows} == {1, 2}
    assert (done.units, done.failed, done.retried) == (2, 0, 0)


def test_what_a_drain_sends_back_stays_undone(context):
    """Shards that wait come back with nothing begun, those that run with what they have done."""
    drain = Drain()

    def ask() -> None:
        drain.requested = len(cluster.submitted) > 2

    cluster = FakeCluster(context, ONE, on_collect=ask)
    collect = cluster.collect

    def end_early(timeout):
        if not cluster.drains:
            return collect(timeout)
        shards = [shard for held in cluster.held.values() for shard in held]
        for held in cluster.held.values():
            held.clear()
        return [
            ShardDone(s, [cluster.record(u, 1) for u in s.units[:n]], begun=s.keys if n else set())
            for n, s in zip((2, 1, 0), shards, strict=False)
        ]

    cluster.collect = end_early
    done, rows = drive(cluster, [unit(p, SHORT) for p in range(POINTS)], drain, grace=60)
    assert done.failed == done.retried == 0
    first = len(cluster.submitted[0][1].units)
    assert done.units == len(rows) == first + 3
    assert len(cluster.submitted) == 3
    assert cluster.drains == 1


def test_after_the_grace_running_units_are_left(context):
    drain = Drain()
    drain.requested = True
    cluster = FakeCluster(context)
    assert drive(cluster, [unit(0, MILP)], drain)[0].units == 0
    assert cluster.submitted == []


class Watcher(NoMonitor):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, str, int]] = []
        self.retries = Counter[str]()
        self.ended = Counter[str]()
        self.standings: list[Standing] = []

    def finished(self, records):
        self.ended.update(record.row["attack"] for record in records)

    def searched(self, attack, pool, units):
        self.batches.append((attack, pool, units))

    def retried(self, units, lost):
        self.retries[lost] += units

    def stands(self, standing):
        self.standings.append(standing)


def watch(cluster, units) -> Watcher:
    watcher = Watcher()
    driver = Driver(cluster, MemorySink(), cluster.context, lambda records: None, monitor=watcher)
    driver.run(units, Drain(), 0)
    return watcher


def test_a_monitor_is_told_what_ended_and_in_which_batches(context):
    cluster = FakeCluster(context, WITH_GPU)
    watcher = watch(cluster, [unit(p, a) for a in (PGD, MILP) for p in range(POINTS)])
    assert watcher.ended == {"pgd": POINTS, "milp": POINTS}
    sizes = [LARGEST_SHARD, LARGEST_SHARD, POINTS - 2 * LARGEST_SHARD]
    assert watcher.batches == [("pgd", GPU, size) for size in sizes]
    assert not watcher.retries


def test_a_monitor_is_told_what_was_lost(context):
    once = FakeCluster(context, dies=lambda unit, attempt: unit.point == 3 and attempt == 1)
    assert watch(once, [unit(p, MILP) for p in range(6)]).retries == {"slot": 1}
    twice = FakeCluster(context, kills=lambda unit, attempt: unit.point == 3 and attempt < ATTEMPTS)
    watcher = watch(twice, [unit(p, MILP) for p in range(6)])
    assert set(watcher.retries) == {"keeper"}
    assert watcher.retries["keeper"] >= 2


def test_a_monitor_is_told_how_the_run_stands(context, monkeypatch):
    monkeypatch.setattr(driver, "REPORT_SECONDS", 0.0)
    standings = watch(FakeCluster(context), [unit(p, MILP) for p in range(POINTS)]).standings
    assert [s.waiting for s in standings] == sorted((s.waiting for s in standings), reverse=True)
    assert [s.written for s in standings] == [*range(1, POINTS + 1), POINTS]
    first, last = standings[0], standings[-1]
    assert [(load.pool, load.slots) for load in first.loads] == [(SLOTS, 2)]
    assert first.loads[0].shards > 0
    assert (last.waiting, last.loads, last.lag) == (0, [], 0)
