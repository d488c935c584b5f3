"""Licences: never more units hold one than there are, nobody waits for ever, others go on."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_driver import ONE, POINTS, FakeCluster, context, unit

from bnnray.attacks import MilpSettings, PgdSettings
from bnnray.errors import LicenceError, LicenceServerAway, LicenceTaken
from bnnray.results import MemorySink
from bnnray.runtime import licences
from bnnray.runtime.cluster import GPU, SLOTS, Place, Shard, ShardDone
from bnnray.runtime.drain import Drain
from bnnray.runtime.driver import Driver
from bnnray.runtime.licences import AWAY_SECONDS, FIRST_DELAY, LONGEST_DELAY, Licences
from bnnray.runtime.waiting import ATTEMPTS

__all__ = ["context"]

LICENSED, BRIEF = MilpSettings(time_limit=60), MilpSettings(time_limit=1)
FREE, PGD = MilpSettings(time_limit=50, backend="highs"), PgdSettings(time_limit=5)
LONG = MilpSettings(time_limit=90, backend="highs")
TAKEN = LicenceTaken("all Gurobi licences are in use")
AWAY = LicenceServerAway("nobody answers")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Counted(FakeCluster):
    """Counts who holds licences, and may refuse one.

    Args:
        clock: goes on by a second with each call of collect.
        refuses: whether there is none for these units at this try.
        begun: whether they had begun when it was refused.
    """

    def __init__(
        self, context, clock, refuses=lambda shard: False, begun=False, **settings
    ) -> None:
        super().__init__(context, **settings)
        self.clock = clock
        self.refuses = refuses
        self.begun = begun
        self.held_most = 0

    @property
    def holding(self) -> int:
        return sum(s.units[0].attack.licensed for held in self.held.values() for s in held)

    def submit(self, shard, place) -> None:
        super().submit(shard, place)
        self.held_most = max(self.held_most, self.holding)

    def collect(self, timeout):
        self.clock.now += 1.0
        return super().collect(timeout)

    def end(self, shard):
        if shard.units[0].attack.licensed and self.refuses(shard):
            begun = shard.keys if self.begun else frozenset()
            return ShardDone(shard, error=str(TAKEN), begun=begun, refusal=TAKEN)
        return super().end(shard)


def drive(cluster, units, tokens, drain=None, note=lambda text: None):
    sink = MemorySink()
    held = Licences(tokens, note, cluster.clock)
    driver = Driver(cluster, sink, cluster.context, lambda records: None, licences=held)
    driver.run(units, drain or Drain(), 0.0)
    return driver.done(), [record.row for record in sink.records]


@given(
    tokens=st.one_of(st.none(), st.integers(1, 5)),
    refused=st.sampled_from([0.0, 0.2, 0.7]),
    dying=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 2**32),
)
def test_whatever_comes_back_each_unit_ends_and_no_licence_is_held_twice(
    context, tokens, refused, dying, seed
):
    rng = random.Random(seed)
    places = [Place(f"k{i}", f"n{i}", SLOTS, rng.randint(1, 3)) for i in range(rng.randint(1, 3))]
    places += [Place("gpu", "", GPU, 1)] * rng.randint(0, 1)
    attacks = [LICENSED, BRIEF, FREE, PGD]
    units = [unit(p, a) for a in attacks for p in range(rng.randint(0, 12))]
    refusals = []

    def refuses(shard: Shard) -> bool:
        none_left = rng.random() < refused
        refusals.extend([shard] * none_left)
        return none_left

    cluster = Counted(
        context,
        Clock(),
        refuses,
        places=places,
        choose=rng.choice,
        dies=lambda u, attempt: rng.random() < dying,
        kills=lambda u, attempt: rng.random() < dying / 2,
    )
    done, rows = drive(cluster, units, tokens)
    assert sorted(row["key"] for row in rows) == sorted(u.key for u in units)
    assert tokens is None or cluster.held_most <= tokens
    assert done.licence_waits == len(refusals)
    assert "licence" not in {row["status"] for row in rows}


@pytest.mark.parametrize("tokens", [1, 2])
def test_a_licence_never_lies_about_while_a_unit_needs_it(context, tokens):
    """Although units without one are longer, and would be bridged to each slot."""
    place = Place("k", "node", SLOTS, 3)
    cluster = Counted(context, Clock(), places=(place,), choose=random.Random(tokens).choice)
    units = [unit(p, a) for a in (LONG, LICENSED) for p in range(POINTS)]

    def look() -> None:
        left = POINTS - sum(key.startswith("60") for key in cluster.tries)
        others = 2 * POINTS - len(cluster.tries) - left
        running = list(cluster.held[place])[: place.slots]
        assert sum(s.units[0].attack.licensed for s in running) == min(tokens, left)
        assert len(running) == place.slots or others < place.slots

    cluster.on_collect = look
    drive(cluster, units, tokens)


def test_units_that_wait_for_a_licence_hold_up_no_others(context):
    left = {unit(p, FREE).key for p in range(POINTS)}
    cluster = Counted(context, Clock(), lambda shard: bool(left - set(cluster.tries)))
    said: list[str] = []
    units = [unit(p, a) for a in (FREE, LICENSED) for p in range(POINTS)]
    done, rows = drive(cluster, units, None, note=said.append)
    ends = [row["time_limit"] for row in rows]
    assert ends == [50.0] * POINTS + [60.0] * POINTS
    assert said == [f"units wait for a licence: {TAKEN}"]
    assert (done.failed, done.retried) == (0, 0)
    assert {row["attempt"] for row in rows} == {1}
    assert 1 < done.licence_waits < POINTS, "it asks less and less often"


def test_a_unit_that_loses_its_licence_again_and_again_is_recorded(context):
    cluster = Counted(context, Clock(), lambda shard: shard.units[0].point == 1, begun=True)
    done, rows = drive(cluster, [unit(p, LICENSED) for p in range(3)], 1)
    (lost,) = [row for row in rows if row["status"] == "licence"]
    assert (lost["point"], lost["attempt"], done.failed) == (1, ATTEMPTS, 1)
    assert lost["message"] == f"3 attempts; the last: {TAKEN}"


def test_a_drain_ends_the_wait_at_once(context):
    drain = Drain()
    cluster = Counted(context, Clock(), lambda shard: True)

    def ask() -> None:
        drain.requested = cluster.clock.now > 20

    cluster.on_collect = ask
    done, rows = drive(cluster, [unit(0, LICENSED)], 1, drain)
    assert (done.units, rows) == (0, [])
    assert cluster.clock.now < 25


def test_a_server_that_stays_away_ends_the_run_once_nothing_else_is_left(context, monkeypatch):
    monkeypatch.setattr("test_licences.TAKEN", AWAY)
    cluster = Counted(context, Clock(), lambda shard: True)
    sink = MemorySink()
    held = Licences(None, clock=cluster.clock)
    driver = Driver(cluster, sink, context, lambda records: None, licences=held)
    with pytest.raises(LicenceError, match="no licence for 600 s: nobody answers"):
        driver.run([unit(p, a) for a in (FREE, LICENSED) for p in range(2)], Drain(), 0.0)
    assert len(sink.records) == 2
    assert cluster.clock.now >= AWAY_SECONDS


def refused(held: Licences, refusal: LicenceTaken = TAKEN) -> None:
    held.hold()
    held.took(ShardDone(Shard((unit(0, LICENSED),)), refusal=refusal))


def test_delays_double_up_to_the_longest_and_end_with_a_licence(monkeypatch, context):
    monkeypatch.setattr(licences.random, "uniform", lambda low, high: high)
    clock = Clock()
    held = Licences(clock=clock)
    delays = []
    for _ in range(9):
        refused(held)
        began = clock.now
        while not held.free:
            clock.now += 0.25
        delays.append(clock.now - began)
    assert delays[:3] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY]
    assert delays[-1] == LONGEST_DELAY == max(delays)
    held.hold()
    record = FakeCluster(context, ONE).record(unit(0, LICENSED), 1)
    held.took(ShardDone(Shard((unit(0, LICENSED),)), [record]))
    refused(held)
    clock.now += FIRST_DELAY
    assert held.free


def test_refusals_of_units_that_asked_before_do_not_add_up():
    clock = Clock()
    held = Licences(clock=clock)
    for _ in range(20):
        held.hold()
    for _ in range(20):
        held.took(ShardDone(Shard((unit(0, LICENSED),)), refusal=TAKEN))
    clock.now += FIRST_DELAY
    assert held.free
    assert held.refused == 20


def test_a_server_that_answers_again_has_not_been_away():
    clock = Clock()
    held = Licences(clock=clock)
    for refusal in (AWAY, TAKEN, AWAY):
        refused(held, refusal)
        clock.now += AWAY_SECONDS - 1
        held.check()
    clock.now += 1
    with pytest.raises(LicenceError, match="run the same command again"):
        held.check()


def test_only_some_attacks_need_a_licence():
    assert [a.licensed for a in (LICENSED, BRIEF, FREE, PGD)] == [True, True, False, False]
