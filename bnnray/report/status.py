"""How far a run is, from the files of its folder alone: no driver and no Ray is asked."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from bnnray.report.tally import (
    NEWEST,
    RECENT_SECONDS,
    Rates,
    Tally,
    eta,
    rates,
    slowness_of,
    tally_sql,
)
from bnnray.results import Problem, RunFolder, queries
from bnnray.results.lease import SeenLease, is_dead, read_lease
from bnnray.results.now import Now, read_now

ARCHIVED = "select count(*) from archived"


class RunState(StrEnum):
    """Whether somebody works on a run.

    ``running``: a driver holds the folder. ``died``: a lease is there, and its driver is known to
    be gone. ``stopped``: no driver, and units are left or failed. ``done``: no driver, and every
    unit has its answer.
    """

    RUNNING = "running"
    DIED = "died"
    STOPPED = "stopped"
    DONE = "done"


@dataclass(frozen=True)
class AttackStatus:
    """How far one attack is.

    Args:
        attack: its name in the job.
        total: units; each is done, failed or left.
        done: with a row that settles them; the next run leaves them out.
        failed: crashed or without a licence; the next run does them again.
        crashed, licence, bad_witness: units whose row has that status; a bad witness is done.
        flips: with a replayed flip.
        proofs: with a proof.
        mean_seconds: wall time of a unit that is done; None before the first.
        per_minute: how fast.
        eta_seconds: its share of the run's; those of all attacks add up to the time that the
            units left take if no slot has to wait for another in the end.
    """

    attack: str
    total: int
    done: int
    failed: int
    crashed: int
    licence: int
    bad_witness: int
    flips: int
    proofs: int
    mean_seconds: float | None
    per_minute: Rates
    eta_seconds: float | None

    @property
    def left(self) -> int:
        """Units without a row that settles them, or that ended at a smaller time limit."""
        return self.total - self.done - self.failed


@dataclass(frozen=True)
class DriverStatus:
    """Who holds the folder.

    Args:
        holder: in words.
        host, pid, slurm_job, since: as the lease says; None where it cannot be read.
        seconds_since_sign_of_life: since the lease was rewritten, which happens every 10 s; by
            the clocks of two machines perhaps, so a hint only.
        dead: whether the process is known to be gone.
    """

    holder: str
    host: str | None
    pid: int | None
    slurm_job: str | None
    since: str | None
    seconds_since_sign_of_life: float
    dead: bool


@dataclass(frozen=True)
class FailedUnit:
    """One that went wrong; the message is one line."""

    key: str
    attack: str
    model: str
    point: int
    status: str
    message: str
    finished_at: datetime


@dataclass(frozen=True)
class Flip:
    """A unit with a replayed flip."""

    key: str
    attack: str
    model: str
    point: int
    epsilon: float
    objective: float | None
    finished_at: datetime


E = TypeVar("E", Flip, FailedUnit)


@dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Args:
        run: name of the folder.
        folder: its path.
        at: when this was so, in UTC.
        state: whether somebody works on it.
        listed: whether the units are listed yet, in a file that can be read; a run trains its
            networks first.
        total, done, left, failed: units, see :class:`AttackStatus`.
        crashed, licence, bad_witness: units whose row has that status.
        archived_rows: rows that the run put aside.
        per_minute: how fast, all attacks together.
        eta_seconds: until the units left are done, see :func:`bnnray.report.tally.eta`; None
            without a driver or a rate.
        eta_range: the least and the most of that, with a confidence of 95 %.
        driver: who holds the folder; None for nobody.
        now: what the driver does; None where it does not say.
        attacks: in the order of the job.
        flips: the newest units with a flip, the newest first.
        errors: the newest failed units, the newest first.
        problems: files that are left out.
    """

    run: str
    folder: str
    at: datetime
    state: RunState
    listed: bool
    total: int
    done: int
    left: int
    failed: int
    crashed: int
    licence: int
    bad_witness: int
    archived_rows: int
    per_minute: Rates
    eta_seconds: float | None
    eta_range: tuple[float, float] | None
    driver: DriverStatus | None
    now: Now | None
    attacks: tuple[AttackStatus, ...]
    flips: tuple[Flip, ...]
    errors: tuple[FailedUnit, ...]
    problems: tuple[Problem, ...]

    @property
    def all_done(self) -> bool:
        """Whether every unit has its answer."""
        return bool(self.attacks) and not self.left + self.failed

    def as_json(self) -> dict[str, Any]:
        """The same as JSON can hold it: times in UTC, what is unknown is null."""
        found = dataclasses.asdict(self)
        found["problems"] = [{"path": str(p.path), "reason": p.reason} for p in self.problems]
        for attack, shown in zip(self.attacks, found["attacks"], strict=True):
            shown["left"] = attack.left
        found["at"] = self.at.isoformat(timespec="seconds")
        for ended in (*found["flips"], *found["errors"]):
            ended["finished_at"] = ended["finished_at"].isoformat(timespec="seconds")
        return found


def run_status(run: RunFolder, now: datetime | None = None) -> RunStatus:
    """How far a run is.

    Args:
        run: the folder; a driver may be writing to it.
        now: in UTC, without a zone; the clock's unless given.

    Raises:
        RunFolderError: a file that cannot be read.
    """
    now = now or datetime.now(UTC).replace(tzinfo=None)
    since = now - timedelta(seconds=RECENT_SECONDS)
    units, archived = queries(run, [tally_sql(since), ARCHIVED])
    tallies = [Tally(*row) for row in units.rows]
    driver = _driver(read_lease(run.path))
    left = sum(t.left for t in tallies)
    failed = sum(t.failed for t in tallies)
    state = _state(driver, all_done=bool(tallies) and not left + failed)
    running = state is RunState.RUNNING
    slowness = slowness_of(tallies, now, since) if running and left else None
    expected = eta(tallies, slowness)
    attacks = tuple(_attack(tally, now, since, slowness) for tally in tallies)
    return RunStatus(
        run=run.path.resolve().name,
        folder=os.fspath(run.path),
        at=now,
        state=state,
        listed=run.units.exists() and run.units not in [p.path for p in units.problems],
        total=sum(a.total for a in attacks),
        done=sum(a.done for a in attacks),
        left=left,
        failed=failed,
        crashed=sum(a.crashed for a in attacks),
        licence=sum(a.licence for a in attacks),
        bad_witness=sum(a.bad_witness for a in attacks),
        archived_rows=int(archived.rows[0][0]),
        per_minute=rates(tallies, now, since),
        eta_seconds=expected.seconds if expected else None,
        eta_range=(expected.low, expected.high) if expected else None,
        driver=driver,
        now=read_now(run.path) if running else None,
        attacks=attacks,
        flips=_newest([Flip(**flip) for t in tallies for flip in t.newest_flips or ()]),
        errors=_newest([FailedUnit(**f) for t in tallies for f in t.failures or ()]),
        problems=units.problems,
    )


def _attack(tally: Tally, now: datetime, since: datetime, slowness: float | None) -> AttackStatus:
    return AttackStatus(
        attack=tally.attack,
        total=tally.total,
        done=tally.done,
        failed=tally.failed,
        crashed=tally.crashed,
        licence=tally.licence,
        bad_witness=tally.bad_witness,
        flips=tally.flips,
        proofs=tally.proofs,
        mean_seconds=tally.mean,
        per_minute=rates([tally], now, since),
        eta_seconds=None if slowness is None else slowness * tally.work,
    )


def _state(driver: DriverStatus | None, *, all_done: bool) -> RunState:
    if driver is not None:
        return RunState.DIED if driver.dead else RunState.RUNNING
    return RunState.DONE if all_done else RunState.STOPPED


def _driver(seen: SeenLease | None) -> DriverStatus | None:
    if seen is None:
        return None
    lease = seen.lease
    if lease is None:
        return DriverStatus(seen.holder, None, None, None, None, seen.age, dead=False)
    return DriverStatus(
        holder=seen.holder,
        host=lease.host,
        pid=lease.pid,
        slurm_job=lease.slurm_job or None,
        since=lease.taken_at,
        seconds_since_sign_of_life=seen.age,
        dead=is_dead(lease),
    )


def _newest(units: list[E]) -> tuple[E, ...]:
    return tuple(sorted(units, key=lambda unit: unit.finished_at, reverse=True)[:NEWEST])
