"""A slot as its keeper sees it: it hands units to the slot's process and holds it to its limits.

The process keeps the time limits of its units itself. One that does not, or that outgrows its
memory, is killed; what its units had found by then is replayed here, and counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bnnray.attacks import Found, Task, attack_type, make_attack
from bnnray.errors import LicenceTaken, ProcessError
from bnnray.job import Unit
from bnnray.logs import Log
from bnnray.processes import Nursery, Process, format_bytes, watching
from bnnray.results import Record
from bnnray.runtime.cluster import Shard, ShardDone
from bnnray.runtime.context import RunContext
from bnnray.runtime.records import Span, make_record, now
from bnnray.runtime.slot_messages import (
    Begun,
    Ended,
    Errand,
    Message,
    News,
    NoLicence,
    NoSolver,
    Said,
)
from bnnray.runtime.slot_process import serve
from bnnray.verdicts import FAILED, Status

GRACE = 1.5
"""Seconds past the limit of its units after which a slot's process is killed; its own solver is
killed before that."""

IDLE_SECONDS = 60.0
"""How long a slot's process may take before its units begin, and after."""

LONGEST_POLL = 3600.0

NOTABLE = FAILED | {Status.KILLED, Status.MEMORY_LIMIT, Status.BAD_WITNESS}
"""How units end that the log names at its usual level."""

ENDED = (
    "key", "attack", "model", "point", "epsilon", "status", "verdict", "proof", "seconds",
    "attempt",
)  # fmt: skip

log = Log("slot")


class Slot:
    """Runs shards, one at a time.

    Args:
        context: of the run.
        nursery: forks the slot's process and its solver's.
        draining: when it is set, no more units begin.
    """

    def __init__(self, context: RunContext, nursery: Nursery, draining: threading.Event) -> None:
        self._context = context
        self._nursery = nursery
        self._draining = draining
        self._process: Process | None = None

    def run(self, shard: Shard) -> ShardDone:
        """The records of a shard's units; those of an attack that is not batched one by one.

        A process that dies leaves units without a record, and the reason as the error.
        """
        records: list[Record] = []
        for batch in _batches(shard):
            left = batch
            while left and not self._draining.is_set():
                try:
                    ended = self._search(left, shard.attempt)
                except ProcessError as error:
                    log.warning("slot_not_started", **_about(left), reason=error)
                    return ShardDone(shard, records, str(error), begun=_keys(records))
                except _Refused as refused:
                    begun = _keys(records) | refused.begun
                    refusal = refused.refusal
                    return ShardDone(shard, records, str(refusal), begun=begun, refusal=refusal)
                except _Died as death:
                    begun = _keys(records) | {unit.key for unit in left}
                    _log_death(left, shard.attempt, death)
                    return ShardDone(shard, records, str(death), begun=begun)
                except BaseException:
                    self._end()  # it may have more to say about these units
                    raise
                for record in ended:
                    _log_end(record)
                records += ended
                left = tuple(unit for unit in left if unit.key not in _keys(ended))
        return ShardDone(shard, records, begun=_keys(records))

    def _search(self, units: tuple[Unit, ...], attempt: int) -> list[Record]:
        """Records of units that are searched together; of those that ran, if they were killed.

        Raises:
            ProcessError: no process can be started.
            _Died: the process is gone.
            _Refused: the units wait for a licence.
        """
        process = self._ready()
        talk = _Talk(process, units, attempt, self._context)
        with watching(process, self._context.memory) as watch:
            ended = talk.hold()
        if not ended:
            self._end()
        if talk.no_solver:
            self._end()
            raise ProcessError(talk.no_solver)
        if talk.refusal is not None:
            raise _Refused(talk.refusal, frozenset(unit.key for unit in talk.running))
        if talk.records or ended:
            return talk.records
        if watch.over:
            cap = format_bytes(self._context.memory)
            reason = f"killed: the search took more memory than {cap}"
            return talk.cut_off(Status.MEMORY_LIMIT, reason)
        if talk.obituary:
            raise _Died(f"the slot's process {talk.obituary}", process.last_words)
        if not talk.running:
            raise _Died(f"the slot's process gave no sign of life for {IDLE_SECONDS:.0f} s")
        return talk.cut_off(Status.KILLED, "killed: the search ignored its time limit")

    def _ready(self) -> Process:
        """The slot's process; a fresh one where it has died while it was idle, or kept so much
        memory that the next units would pay for it."""
        process, cap = self._process, self._context.memory
        if process is not None and (process.connection.poll() or 2 * process.memory() > cap):
            self._end()
        if self._process is None:
            address = self._nursery.ready()
            self._process = Process(address, serve, address, self._context.about([]))
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None


def _batches(shard: Shard) -> Iterator[tuple[Unit, ...]]:
    """Units that are searched together: all of a batched attack, else one."""
    if attack_type(shard.units[0].attack.kind).batched:
        yield shard.units
    else:
        yield from ((unit,) for unit in shard.units)


def _keys(records: list[Record]) -> frozenset[str]:
    return frozenset(str(record.row["key"]) for record in records)


def _about(units: Sequence[Unit]) -> dict[str, Any]:
    """What the log says of units that are searched together."""
    first, several = units[0], "s" * (len(units) > 1)
    return {
        f"key{several}": ",".join(unit.key for unit in units),
        "attack": first.attack.name,
        "model": first.model,
        f"point{several}": ",".join(str(unit.point) for unit in units),
        "epsilon": float(first.threat.epsilon),
    }


def _log_death(units: Sequence[Unit], attempt: int, death: _Died) -> None:
    words = death.last_words or None
    log.warning("slot_died", **_about(units), attempt=attempt, reason=death, stderr=words)


def _log_end(record: Record) -> None:
    row = record.row
    say = log.warning if row["status"] in NOTABLE else log.debug
    say("unit_ended", **{name: row[name] for name in ENDED}, message=row["message"] or None)


class _Died(Exception):
    """The slot's process is gone, or gave no sign of life.

    Args:
        reason: in words.
        last_words: what it wrote to standard error.
    """

    def __init__(self, reason: str, last_words: str = "") -> None:
        super().__init__(reason)
        self.last_words = last_words


class _Refused(Exception):
    """There is no licence now.

    Args:
        refusal: why.
        begun: keys of the units that were searched when their licence was lost.
    """

    def __init__(self, refusal: LicenceTaken, begun: frozenset[str]) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.begun = begun


@dataclass
class _Talk:
    """What a slot's process says while it searches some units, and when its time is over."""

    process: Process
    units: tuple[Unit, ...]
    attempt: int
    context: RunContext
    records: list[Record] = field(default_factory=list)
    running: list[Unit] = field(default_factory=list)
    found: dict[str, Found] = field(default_factory=dict)
    no_solver: str = ""
    refusal: LicenceTaken | None = None
    obituary: str = ""
    began: float = field(default_factory=time.monotonic)
    began_at: datetime = field(default_factory=now)

    def hold(self) -> bool:
        """Listens until the units have ended; False if the process died or had to be killed."""
        try:
            self.process.connection.send(
                Errand(self.units, self.attempt, self.context.about(self.units))
            )
            while (left := self._seconds_left()) > 0:
                if self.process.connection.poll(min(left, LONGEST_POLL)) and self._take():
                    return True
        except (EOFError, OSError):
            self.obituary = self.process.obituary()
            return False
        self._read_the_rest()
        return False

    def cut_off(self, status: Status, reason: str) -> list[Record]:
        """Records of the units that ran when the process was killed.

        Raises:
            _Died: none did.
        """
        if not self.running:
            raise _Died(reason)
        span = Span(self.began_at, now(), 0.0, self.attempt)
        return [self._cut_off(unit, status, reason, span) for unit in self.running]

    def _cut_off(self, unit: Unit, status: Status, reason: str, span: Span) -> Record:
        task = Task(self.context.question(unit), unit.seed)
        found = self.found.get(unit.key, Found())
        seconds = time.monotonic() - self.began
        outcome = make_attack(unit.attack).cut_off(task, found, status, seconds)
        return make_record(unit, replace(outcome, message=reason), self.context, span)

    def _take(self) -> bool:
        """Takes one message; whether it is the last one."""
        message: Message = self.process.connection.recv()
        return self._note(message)

    def _note(self, message: Message) -> bool:
        match message:
            case Begun(keys):
                self.running = [unit for unit in self.units if unit.key in keys]
                self.began, self.began_at = time.monotonic(), now()
                if self.running:
                    log.debug("units_began", **_about(self.running), attempt=self.attempt)
            case News(key, found):
                self.found[key] = found
            case Ended(records):
                self.records = list(records)
                return True
            case NoSolver(reason):
                self.no_solver = reason
                return True
            case NoLicence(refusal):
                self.refusal = refusal
                return True
            case Said(level, event, fields):
                log.say(level, event, {**_about(self.running or self.units), **fields})
        return False

    def _read_the_rest(self) -> None:
        """Kills the process; an end that it had told by then counts all the same."""
        with suppress(EOFError, OSError):
            for message in self.process.rest():
                self._note(message)

    def _seconds_left(self) -> float:
        limit = self.running[0].attack.time_limit + GRACE if self.running else IDLE_SECONDS
        return self.began + limit - time.monotonic()
