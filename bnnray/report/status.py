"""How far a run is, from the files of its folder alone: no driver and no Ray is asked."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from bnnray.report.settled import STATE
from bnnray.results import Problem, RunFolder, queries
from bnnray.results.lease import SeenLease, is_dead, read_lease

RECENT_SECONDS = 300.0
"""What counts as the current rate."""

FEWEST = 5
"""Rows that a rate needs to stand for more than chance."""

ERRORS = 5

UNITS = r"""
with planned as (
    select key, attack, time_limit, memory_limit_bytes, row_number() over () as place from units
), joined as (
    select u.*, r.* exclude (key, attack, time_limit, memory_limit_bytes),
           {state} as state,
           coalesce(r.finished_at > '{since}'::timestamp, false) as recent
    from planned u left join (
        select key, attack, model, point, time_limit, memory_limit_bytes, status, message,
               flipped, proof, seconds, started_at, finished_at,
               seconds / greatest(1, coalesce(batch_size, 1)) as share
        from results
    ) r using (key)
), means as (
    select attack, avg(seconds) as mean, avg(share) as mean_share, count(*) >= {fewest} as known
    from joined where state = 'done' group by attack
), expected as (
    select *, least(time_limit, if(known, mean, time_limit)) as wait,
           least(time_limit, if(known, mean_share, time_limit)) as work
    from joined left join means using (attack)
)
select attack, count(*),
       count(*) filter (state = 'done'), count(*) filter (state = 'failed'),
       count(*) filter (status = 'crashed'), count(*) filter (status = 'licence'),
       count(*) filter (status = 'bad_witness'),
       count(*) filter (flipped), count(*) filter (proof <> 'none'), any_value(mean),
       coalesce(sum(work) filter (state = 'left'), 0),
       coalesce(max(wait) filter (state = 'left'), 0),
       count(finished_at), coalesce(sum(share), 0), min(started_at), max(finished_at),
       count(*) filter (recent), coalesce(sum(share) filter (recent), 0),
       min(started_at) filter (recent),
       max_by(
           {{
               'key': key, 'attack': attack, 'model': model, 'point': point, 'status': status,
               'message': trim(regexp_replace(coalesce(message, ''), '\s+', ' ', 'g')),
               'finished_at': finished_at
           }},
           finished_at, {errors}
       ) filter (state = 'failed')
from expected
group by attack
order by min(place)
"""

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
class Rates:
    """Finished units a minute.

    Args:
        recent: over the last 5 minutes, or since the first unit of them began.
        whole: from the first unit's start to the last one's end, pauses included.
    """

    recent: float
    whole: float


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
class RunStatus:
    """How far a run is.

    Args:
        run: name of the folder.
        folder: its path.
        state: whether somebody works on it.
        listed: whether the units are listed yet, in a file that can be read; a run trains its
            networks first.
        total, done, left, failed: units, see :class:`AttackStatus`.
        crashed, licence, bad_witness: units whose row has that status.
        archived_rows: rows that the run put aside.
        per_minute: how fast, all attacks together.
        eta_seconds: until the units left are done, see :func:`eta_seconds`; None without a driver
            or a rate.
        driver: who holds the folder; None for nobody.
        attacks: in the order of the job.
        errors: the newest failed units, the newest first.
        problems: files that are left out.
    """

    run: str
    folder: str
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
    driver: DriverStatus | None
    attacks: tuple[AttackStatus, ...]
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
        for error in found["errors"]:
            error["finished_at"] = error["finished_at"].isoformat(timespec="seconds")
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
    sql = UNITS.format(state=STATE, since=since.isoformat(), fewest=FEWEST, errors=ERRORS)
    units, archived = queries(run, [sql, ARCHIVED])
    tallies = [_Tally(*row) for row in units.rows]
    attacks = tuple(tally.status(now, since) for tally in tallies)
    driver = _driver(read_lease(run.path))
    left = sum(a.left for a in attacks)
    failed = sum(a.failed for a in attacks)
    state = _state(driver, all_done=bool(attacks) and not left + failed)
    return RunStatus(
        run=run.path.resolve().name,
        folder=os.fspath(run.path),
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
        per_minute=_rates(tallies, now, since),
        eta_seconds=eta_seconds(tallies, now, since)
        if state is RunState.RUNNING and left
        else None,
        driver=driver,
        attacks=attacks,
        errors=_newest(tallies),
        problems=units.problems,
    )


@dataclass(frozen=True)
class _Tally:
    """Sums over the units of an attack, in the order of the query.

    Args:
        work: slot-seconds that the units left may take; ``longest`` the wall time of one of them.
        rows, seconds, begun, ended: finished units, their slot-seconds, and when they ran.
        recent_rows, recent_seconds, recent_begun: of those that finished lately.
        failures: the newest failed units.
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
    mean: float | None
    work: float
    longest: float
    rows: int
    seconds: float
    begun: datetime | None
    ended: datetime | None
    recent_rows: int
    recent_seconds: float
    recent_begun: datetime | None
    failures: list[dict[str, Any]] | None

    def status(self, now: datetime, since: datetime) -> AttackStatus:
        return AttackStatus(
            attack=self.attack,
            total=self.total,
            done=self.done,
            failed=self.failed,
            crashed=self.crashed,
            licence=self.licence,
            bad_witness=self.bad_witness,
            flips=self.flips,
            proofs=self.proofs,
            mean_seconds=self.mean,
            per_minute=_rates([self], now, since),
        )


def eta_seconds(tallies: list[_Tally], now: datetime, since: datetime) -> float | None:
    """Seconds until the units left are done, as well as the finished ones tell.

    A unit left is taken to need the mean seconds of its attack's finished units, at most its time
    limit, and its time limit while fewer than 5 are finished. The sum of that is divided by how
    many such seconds the run gets done a second: over the units that finished in the last 5
    minutes, or over the whole run where these are fewer than 5. Units that were searched together
    share their seconds. No less than what the slowest unit left needs.

    Returns:
        None where nothing has finished yet.
    """
    work = sum(t.work for t in tallies)
    recent = sum(t.recent_rows for t in tallies) >= FEWEST
    done = sum(t.recent_seconds if recent else t.seconds for t in tallies)
    span = _recent_span(tallies, now, since) if recent else _whole_span(tallies)
    if not done or not span:
        return None
    return max([work * span / done, *(t.longest for t in tallies)])


def _rates(tallies: list[_Tally], now: datetime, since: datetime) -> Rates:
    recent, whole = sum(t.recent_rows for t in tallies), sum(t.rows for t in tallies)
    return Rates(
        recent=_per_minute(recent, _recent_span(tallies, now, since)),
        whole=_per_minute(whole, _whole_span(tallies)),
    )


def _per_minute(count: int, seconds: float) -> float:
    return 60.0 * count / seconds if seconds else 0.0


def _recent_span(tallies: list[_Tally], now: datetime, since: datetime) -> float:
    begun = [t.recent_begun for t in tallies if t.recent_begun is not None]
    return max(1.0, (now - max(since, min(begun))).total_seconds()) if begun else 0.0


def _whole_span(tallies: list[_Tally]) -> float:
    begun = [t.begun for t in tallies if t.begun is not None]
    ended = [t.ended for t in tallies if t.ended is not None]
    return max(1.0, (max(ended) - min(begun)).total_seconds()) if begun and ended else 0.0


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


def _newest(tallies: list[_Tally]) -> tuple[FailedUnit, ...]:
    failed = [FailedUnit(**found) for tally in tallies for found in tally.failures or ()]
    return tuple(sorted(failed, key=lambda f: f.finished_at, reverse=True)[:ERRORS])
