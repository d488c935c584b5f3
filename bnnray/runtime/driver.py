"""The one loop that waits: it hands out shards, takes records and gives them to the sink."""

from __future__ import annotations

import heapq
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bnnray.job import Unit
from bnnray.logs import Log
from bnnray.results import Record, Sink
from bnnray.runtime.account import SlotAccount, SlotUse
from bnnray.runtime.cluster import GPU, Cluster, Place, Shard, ShardDone
from bnnray.runtime.context import RunContext
from bnnray.runtime.drain import Drain
from bnnray.runtime.in_flight import InFlight
from bnnray.runtime.licences import Licences
from bnnray.runtime.monitor import REPORT_SECONDS, Load, Monitor, NoMonitor, Standing
from bnnray.runtime.now_file import NowFile
from bnnray.runtime.records import gave_up
from bnnray.runtime.sickness import Sickness
from bnnray.runtime.unwritten import Unwritten
from bnnray.runtime.waiting import ATTEMPTS, Offer, Ticket, Waiting, is_batched
from bnnray.verdicts import FAILED, Status

TICK_SECONDS = 0.2

log = Log("driver")


class RecordListener(Protocol):
    """Is told of finished units."""

    def __call__(self, records: Sequence[Record], /) -> None: ...


@dataclass(frozen=True)
class Done:
    """What a driver has done.

    Args:
        units: that were finished.
        failed: those of them that crashed or had no licence.
        retried: attempts after the first one.
        slots: how busy they were.
        licence_waits: how often a shard was put off as there was no licence.
    """

    units: int = 0
    failed: int = 0
    retried: int = 0
    slots: SlotUse = field(default_factory=SlotUse)
    licence_waits: int = 0


class Driver:
    """Runs units on a cluster.

    A unit whose worker died is tried again, in a shard of its own; after the last attempt it is
    recorded as crashed. One that had not begun is put back, and nothing is held against it; so is
    one that waits for a licence.

    Args:
        cluster: started.
        sink: where records go.
        context: of the run.
        on_records: is told of finished units.
        licences: that its units may hold; any number unless given.
        now: tells whoever watches what runs; None where nobody does.
        monitor: watches.
    """

    def __init__(
        self,
        cluster: Cluster,
        sink: Sink,
        context: RunContext,
        on_records: RecordListener,
        *,
        licences: Licences | None = None,
        now: NowFile | None = None,
        monitor: Monitor | None = None,
    ) -> None:
        self._cluster = cluster
        self._sink = sink
        self._context = context
        self._on_records = on_records
        self._now = now
        self._monitor = monitor or NoMonitor()
        self._unwritten = Unwritten()
        self._reported = -math.inf
        self._waiting = Waiting(())
        self._running: dict[Shard, tuple[Ticket, Place]] = {}
        self._in_flight = InFlight()
        self._load: Counter[Place] = Counter()
        self._closed: set[Place] = set()
        self._sickness = Sickness()
        self._licences = licences or Licences()
        self._drained = False
        self._account = SlotAccount()
        self._units = self._failed = self._retried = 0

    def run(self, units: Sequence[Unit], drain: Drain, grace: float) -> None:
        """Runs every unit, or until a drain and its grace are over; what is finished is on disk.

        Raises:
            KeyboardInterrupt: Ctrl-C came twice.
            SetupError: the cluster is lost, or none of it can start anything.
            LicenceError: the licence server is lost.
            StorageError: the sink cannot write.
        """
        self._waiting = Waiting(units, counted=self._licences.tokens is not None)
        try:
            self._loop(drain, grace)
        finally:
            self._sink.flush()
            self._report(())

    def done(self) -> Done:
        """What was done until now; units whose rows are not on disk will be done again."""
        return Done(
            units=self._units - self._sink.unwritten,
            failed=self._failed,
            retried=self._retried,
            slots=self._account.use(),
            licence_waits=self._licences.refused,
        )

    def _loop(self, drain: Drain, grace: float) -> None:
        deadline: float | None = None
        while self._running or (self._waiting and not drain.requested):
            if drain.at_once:
                raise KeyboardInterrupt
            places = self._cluster.places(self._useful)
            if drain.requested:
                self._drain()
                deadline = deadline or time.monotonic() + grace
                if time.monotonic() >= deadline:
                    break
            else:
                self._check_health(places)
                self._hand_out([place for place in places if not self._sickness.rests(place)])
            self._note(places)
            self._take()
            if time.monotonic() - self._reported >= REPORT_SECONDS:
                self._report(places)

    def _useful(self, place: Place) -> bool:
        return not self._waiting or self._load[place] > 0 or self._waiting.suits(place)

    def _drain(self) -> None:
        if not self._drained:
            log.info("drain_asked", running=len(self._running), waiting=len(self._waiting))
            self._drained = True
            self._cluster.drain()

    def _check_health(self, places: Sequence[Place]) -> None:
        if not self._running:
            self._sickness.check([place for place in places if self._waiting.suits(place)])
            self._licences.check()

    def _hand_out(self, places: Sequence[Place]) -> None:
        """Fills the keepers, always that with most free slots."""
        slots = Counter[str]()
        for place in places:
            slots[place.pool] += place.slots
        queue = [(-self._room(place), number) for number, place in enumerate(places)]
        heapq.heapify(queue)
        while self._waiting and queue:
            filled, number = heapq.heappop(queue)
            place = places[number]
            if filled > self._ahead(slots[place.pool]):
                continue
            ticket = self._waiting.take(self._offer(place, slots))
            if ticket is not None:
                self._submit(ticket, place)
                heapq.heappush(queue, (-self._room(place), number))

    def _ahead(self, slots: int) -> int:
        """0 if a keeper may get one shard more than it has slots, else -1.

        It bridges the way here and back; but near the end it would wait in one keeper while
        another has a free slot. Nor may it take the slot that a licence comes back with: where
        these are scarce, that is for the next unit that needs one.
        """
        scarce = self._waiting.licensed and self._licences.scarcer_than(slots)
        return 0 if len(self._waiting) > slots and not scarce else -1

    def _offer(self, place: Place, slots: Counter[str]) -> Offer:
        empty, licence = self._load[place] == 0, self._licences.free
        return Offer(place, slots[place.pool], GPU in slots, empty, licence)

    def _room(self, place: Place) -> int:
        """Free slots; 0 with all busy, and less with a shard that waits there."""
        return -1 if place in self._closed else place.slots - self._load[place]

    def _submit(self, ticket: Ticket, place: Place) -> None:
        self._cluster.submit(ticket.shard, place)
        self._running[ticket.shard] = (ticket, place)
        self._in_flight.out(ticket.shard, place)
        self._load[place] += 1
        self._retried += ticket.shard.attempt > 1
        if ticket.licensed:
            self._licences.hold()
        log.debug("shard_handed_out", keeper=place.name, units=len(ticket.shard.units))
        if ticket.alone:
            self._closed.add(place)

    def _note(self, places: Sequence[Place]) -> None:
        idle = any(self._load[place] < place.slots for place in places)
        self._account.note(sum(place.slots for place in places), idle=idle)
        if self._now is not None and self._now.due:
            self._now.tell(self._in_flight.look(places, len(self._waiting)))

    def _take(self) -> None:
        records: list[Record] = []
        for done in self._cluster.collect(TICK_SECONDS):
            self._account.took(done.records)
            records += [*done.records, *self._again(done)]
        if records:
            self._sink.append(records)
            self._unwritten.took(len(records))
            self._monitor.finished(records)
            self._units += len(records)
            self._failed += sum(Status(r.row["status"]) in FAILED for r in records)
            self._on_records(records)

    def _report(self, places: Sequence[Place]) -> None:
        self._reported = time.monotonic()
        self._monitor.stands(
            Standing(
                waiting=len(self._waiting),
                loads=[Load(p.host, p.pool, p.slots, self._load[p]) for p in places],
                written=self._unwritten.written(self._sink.unwritten),
                lag=self._unwritten.lag,
                licence_waits=self._licences.refused,
            )
        )

    def _again(self, done: ShardDone) -> Iterator[Record]:
        """Puts units without a record back, or gives them one if it was their last attempt; during
        a drain they stay undone."""
        ticket, place = self._running.pop(done.shard)
        self._in_flight.back(done.shard, place)
        self._load[place] -= 1
        self._closed.discard(place)
        self._sickness.took(place, done)
        if ticket.licensed:
            self._licences.took(done)
        unit = done.shard.units[0]
        if done.records and is_batched(unit):
            self._monitor.searched(unit.attack.name, place.pool, len(done.records))
        ended = {record.row["key"] for record in done.records}
        left = [unit for unit in done.shard.units if unit.key not in ended]
        if left and not self._drained:
            self._waiting.put_back(ticket, [unit for unit in left if not done.blames(unit)])
            yield from self._retry(
                [unit for unit in left if done.blames(unit)], ticket, place, done
            )

    def _retry(
        self, units: Sequence[Unit], ticket: Ticket, place: Place, done: ShardDone
    ) -> Iterator[Record]:
        for unit in units:
            again = ticket.again(unit, place.node, done.keeper_lost)
            if again is None:
                reason = f"{ATTEMPTS} attempts; the last: {done.error or 'no record came'}"
                status = Status.LICENCE if done.refusal else Status.CRASHED
                _log_death("unit_given_up", unit, ATTEMPTS, place, done)
                yield gave_up(unit, status, reason, ATTEMPTS, self._context)
            else:
                _log_death("unit_retried", unit, again.shard.attempt, place, done)
                self._waiting.again(again)

                self._monitor.retried(1, "keeper" if done.keeper_lost else "slot")


def _log_death(event: str, unit: Unit, attempt: int, place: Place, done: ShardDone) -> None:
    log.warning(
        event,
        key=unit.key,
        attack=unit.attack.name,
        model=unit.model,
        point=unit.point,
        attempt=attempt,
        keeper=place.name,
        machine=place.host,
        reason=done.error,
    )
