"""A slot as its keeper sees it: it hands shards to the slot's process and holds it to its limits.

The process keeps the time limits of its units itself. One that does not, or that outgrows its
memory, is killed; what its units had found by then is replayed here, and counts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bnnray.attacks import Found, Task, make_attack
from bnnray.errors import SetupError
from bnnray.job import Unit
from bnnray.processes import Nursery, Process, format_bytes
from bnnray.results import Record
from bnnray.runtime.cluster import Shard, ShardDone
from bnnray.runtime.context import RunContext
from bnnray.runtime.records import Span, make_record, now
from bnnray.runtime.slot_messages import Begun, Ended, Errand, Message, NewBound, NewIncumbent
from bnnray.runtime.slot_process import serve
from bnnray.verdicts import Status

GRACE = 1.5
"""Seconds past the limit of its units after which a slot's process is killed; its own solver is
killed before that."""

IDLE_SECONDS = 60.0
"""How long a slot's process may take between units."""

LOOK_SECONDS = 0.05
"""How often its memory is looked at."""

LONGEST_POLL = 3600.0


class Slot:
    """Runs shards, one at a time.

    Args:
        context: of the run.
        nursery: forks the slot's process and its solver's.
    """

    def __init__(self, context: RunContext, nursery: Nursery) -> None:
        self._context = context
        self._nursery = nursery
        self._process: Process | None = None

    def run(self, shard: Shard) -> ShardDone:
        """The records of a shard's units; those of an attack that is not batched one by one.

        A process that dies leaves units without a record, and the reason as the error.
        """
        records: list[Record] = []
        try:
            while len(records) < len(shard.units):
                left = replace(shard, units=shard.units[len(records) :])
                records += self._run_until_killed(left)
        except _Died as death:
            return ShardDone(shard, [*records, *death.records], error=str(death))
        except SetupError as error:
            return ShardDone(shard, records, error=str(error))
        return ShardDone(shard, records)

    def _run_until_killed(self, shard: Shard) -> list[Record]:
        """Records of the first units; of all, unless the process had to be killed."""
        process = self._ready()
        watch = _Watch(process, shard, self._context)
        try:
            process.connection.send(Errand(shard, self._context.about(shard.units)))
            while len(watch.records) < len(shard.units):
                watch.listen()
        except (EOFError, OSError):
            reason = f"the slot's process {process.obituary()}"
            self._end()
            raise _Died(reason, watch.records) from None
        except _Overrun as overrun:
            self._end()
            if not watch.running:
                raise _Died(overrun.reason, watch.records) from None
            return [*watch.records, *watch.cut_off(overrun)]
        return watch.records

    def _ready(self) -> Process:
        """The slot's process, started if it is not there or has died while it was idle."""
        if self._process is not None and self._process.connection.poll():
            self._end()
        if self._process is None:
            address = self._nursery.ready()
            self._process = Process(address, serve, address, self._context.about([]))
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


class _Died(Exception):
    """The slot's process is gone."""

    def __init__(self, reason: str, records: Sequence[Record]) -> None:
        super().__init__(reason)
        self.records = records


class _Overrun(Exception):
    """The slot's process has to be killed."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass
class _Watch:
    """What a slot's process says while it runs a shard, and when its time is over."""

    process: Process
    shard: Shard
    context: RunContext
    records: list[Record] = field(default_factory=list)
    running: list[Unit] = field(default_factory=list)
    found: dict[str, Found] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)
    began_at: datetime = field(default_factory=now)

    def listen(self) -> None:
        """Takes what comes next; returns now and then without.

        Raises:
            _Overrun: time or memory is over.
            EOFError: the process is gone.
        """
        left = self._seconds_left()
        if left <= 0:
            raise self._too_late()
        longest = LONGEST_POLL
        if self.context.memory < math.inf:
            longest = LOOK_SECONDS
            self._check_memory()
        if self.process.connection.poll(min(left, longest)):
            self._take(self.process.connection.recv())

    def _check_memory(self) -> None:
        if self.process.memory() > self.context.memory:
            cap = format_bytes(self.context.memory)
            raise _Overrun(Status.MEMORY_LIMIT, f"killed: the search took more memory than {cap}")

    def cut_off(self, overrun: _Overrun) -> list[Record]:
        """Records of the units that ran when the process was killed."""
        span = Span(self.began_at, now(), 0.0, self.shard.attempt)
        return [self._cut_off(unit, overrun, span) for unit in self.running]

    def _cut_off(self, unit: Unit, overrun: _Overrun, span: Span) -> Record:
        task = Task(self.context.question(unit), unit.seed)
        found = self.found.get(unit.key, Found())
        seconds = time.monotonic() - self.began
        outcome = make_attack(unit.attack).cut_off(task, found, overrun.status, seconds)
        return make_record(unit, replace(outcome, message=overrun.reason), self.context, span)

    def _take(self, message: Message) -> None:
        match message:
            case Begun(keys):
                self.running = [unit for unit in self.shard.units if unit.key in keys]
                self.began, self.began_at = time.monotonic(), now()
            case NewIncumbent(key, witness):
                self.found[key] = replace(self._found(key), witness=witness)
            case NewBound(key, bound, proof):
                self.found[key] = replace(self._found(key), bound=bound, proof=proof)
            case Ended(records):
                self.records += records
                self.running = []
                self.began = time.monotonic()

    def _found(self, key: str) -> Found:
        return self.found.get(key, Found())

    def _seconds_left(self) -> float:
        limit = self.running[0].attack.time_limit + GRACE if self.running else IDLE_SECONDS
        return self.began + limit - time.monotonic()

    def _too_late(self) -> _Overrun:
        if self.running:
            return _Overrun(Status.KILLED, "killed: the search ignored its time limit")
        return _Overrun(
            Status.KILLED, f"the slot's process gave no sign of life for {IDLE_SECONDS:.0f} s"
        )
