"""Sums over the units of each attack, and what they say of the time that is left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bnnray.report.settled import STATE

RECENT_SECONDS = 300.0
"""What counts as the current rate."""

FEWEST = 5
"""Rows that a rate needs to stand for more than chance."""

NEWEST = 5
"""How many of an attack's failed units and flips are named."""

CONFIDENCE = 1.96
"""Standard deviations to either side: 95 % of a normal distribution."""

_UNITS = r"""
with planned as (
    select key, attack, epsilon, time_limit, memory_limit_bytes, row_number() over () as place
    from units
), joined as (
    select u.*, r.* exclude (key, attack, epsilon, time_limit, memory_limit_bytes),
           {state} as state,
           coalesce(r.finished_at > '{since}'::timestamp, false) as recent
    from planned u left join (
        select key, attack, model, point, epsilon, time_limit, memory_limit_bytes, status, message,
               flipped, objective, proof, seconds, started_at, finished_at,
               seconds / greatest(1, coalesce(batch_size, 1)) as share
        from results
    ) r using (key)
), means as (
    select attack, avg(seconds) as mean, avg(share) as mean_share, count(*) >= {fewest} as known,
           coalesce(stddev_samp(seconds), 0) as spread,
           coalesce(stddev_samp(share), 0) as share_spread
    from joined where state = 'done' group by attack
), expected as (
    select *, least(time_limit, if(known, mean, time_limit)) as wait,
           least(time_limit, if(known, mean_share, time_limit)) as work,
           if(known, share_spread, null) as spread_of_work,
           least(time_limit, if(known, mean + {confidence} * spread, time_limit)) as longest_wait
    from joined left join means using (attack)
)
select attack, count(*),
       count(*) filter (state = 'done'), count(*) filter (state = 'failed'),
       count(*) filter (status = 'crashed'), count(*) filter (status = 'licence'),
       count(*) filter (status = 'bad_witness'),
       count(*) filter (flipped), count(*) filter (proof <> 'none'), any_value(mean),
       coalesce(sum(work) filter (state = 'left'), 0),
       coalesce(max(wait) filter (state = 'left'), 0),
       coalesce(max(longest_wait) filter (state = 'left'), 0),
       coalesce(sum(time_limit) filter (state = 'left'), 0),
       any_value(spread_of_work),
       count(finished_at), coalesce(sum(share), 0), min(started_at), max(finished_at),
       count(*) filter (recent), coalesce(sum(share) filter (recent), 0),
       min(started_at) filter (recent),
       max_by(
           {{
               'key': key, 'attack': attack, 'model': model, 'point': point, 'status': status,
               'message': trim(regexp_replace(coalesce(message, ''), '\s+', ' ', 'g')),
               'finished_at': finished_at
           }},
           finished_at, {newest}
       ) filter (state = 'failed'),
       max_by(
           {{
               'key': key, 'attack': attack, 'model': model, 'point': point, 'epsilon': epsilon,
               'objective': objective, 'finished_at': finished_at
           }},
           finished_at, {newest}
       ) filter (state = 'done' and flipped)
from expected
group by attack
order by min(place)
"""


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
class Eta:
    """Seconds until the units left are done, and the least and most of them; see :func:`eta`."""

    seconds: float
    low: float
    high: float


@dataclass(frozen=True)
class Tally:
    """Sums over the units of an attack, in the order of the query.

    Args:
        work: slot-seconds that the units left may take; ``longest`` the wall time of one of them,
            and ``longest_high`` that of one that takes long.
        limits: sum of the time limits of the units left.
        spread: standard deviation of the slot-seconds of a unit; None while too few are finished.
        rows, seconds, begun, ended: finished units, their slot-seconds, and when they ran.
        recent_rows, recent_seconds, recent_begun: of those that finished lately.
        failures, newest_flips: the newest failed units, and those with a flip.
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
    longest_high: float
    limits: float
    spread: float | None
    rows: int
    seconds: float
    begun: datetime | None
    ended: datetime | None
    recent_rows: int
    recent_seconds: float
    recent_begun: datetime | None
    failures: list[dict[str, Any]] | None
    newest_flips: list[dict[str, Any]] | None

    @property
    def left(self) -> int:
        return self.total - self.done - self.failed

    @property
    def variance(self) -> float:
        """Of the work left: by chance, and as the mean is that of so many units only."""
        if self.spread is None:
            return 0.0
        return self.spread**2 * (self.left + self.left**2 / self.done)


def tally_sql(since: datetime) -> str:
    """The query that gives a :class:`Tally` for each attack, in the order of the job.

    Args:
        since: what finished after it is recent; in UTC.
    """
    return _UNITS.format(
        state=STATE,
        since=since.isoformat(),
        fewest=FEWEST,
        confidence=CONFIDENCE,
        newest=NEWEST,
    )


def eta(tallies: Sequence[Tally], slowness: float | None) -> Eta | None:
    """Seconds until the units left are done, as well as the finished ones tell.

    A unit left is taken to need the mean seconds of its attack's finished units, at most its time
    limit, and its time limit while fewer than 5 are finished. The sum of that is divided by how
    many such seconds the run gets done a second: over the units that finished in the last 5
    minutes, or over the whole run where these are fewer than 5. Units that were searched together
    share their seconds. No less than what the slowest unit left needs.

    ``low`` and ``high`` hold the work left with a confidence of 95 %, were the seconds of an
    attack's units normally distributed: for n units left of an attack with m finished ones of
    standard deviation s, its variance is s^2 (n + n^2 / m). An attack with fewer than 5 finished
    units takes between nothing and its time limits. No unit takes longer than its limit. ``high``
    is no less than a single unit left may take: the mean and 1.96 s, or its limit.

    Args:
        tallies: of all attacks.
        slowness: seconds that pass for each second of work, see above.

    Returns:
        None where nothing has finished yet.
    """
    if slowness is None:
        return None
    known = [t for t in tallies if t.spread is not None]
    unknown = sum(t.work for t in tallies if t.spread is None)
    work, limits = sum(t.work for t in known), sum(t.limits for t in known)
    margin = CONFIDENCE * math.sqrt(sum(t.variance for t in known))
    return Eta(
        seconds=max([slowness * (work + unknown), *(t.longest for t in tallies)]),
        low=slowness * max(0.0, work - margin),
        high=max(
            [
                slowness * (min(limits, work + margin) + unknown),
                *(t.longest_high for t in tallies),
            ]
        ),
    )


def slowness_of(tallies: Sequence[Tally], now: datetime, since: datetime) -> float | None:
    """Seconds that pass for each slot-second of finished units; None where there are none."""
    recent = sum(t.recent_rows for t in tallies) >= FEWEST
    done = sum(t.recent_seconds if recent else t.seconds for t in tallies)
    span = _recent_span(tallies, now, since) if recent else _whole_span(tallies)
    return span / done if done and span else None


def rates(tallies: Sequence[Tally], now: datetime, since: datetime) -> Rates:
    recent, whole = sum(t.recent_rows for t in tallies), sum(t.rows for t in tallies)
    return Rates(
        recent=_per_minute(recent, _recent_span(tallies, now, since)),
        whole=_per_minute(whole, _whole_span(tallies)),
    )


def _per_minute(count: int, seconds: float) -> float:
    return 60.0 * count / seconds if seconds else 0.0


def _recent_span(tallies: Sequence[Tally], now: datetime, since: datetime) -> float:
    begun = [t.recent_begun for t in tallies if t.recent_begun is not None]
    return max(1.0, (now - max(since, min(begun))).total_seconds()) if begun else 0.0


def _whole_span(tallies: Sequence[Tally]) -> float:
    begun = [t.begun for t in tallies if t.begun is not None]
    ended = [t.ended for t in tallies if t.ended is not None]
    return max(1.0, (max(ended) - min(begun)).total_seconds()) if begun and ended else 0.0
