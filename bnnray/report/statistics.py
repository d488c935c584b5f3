"""The numbers that papers print: flip rates, robust and verified accuracy, PAR2, Ronval's table.

All of them are counted in DuckDB, for each scope, model, epsilon and attack, and for the worst
case of all attacks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from bnnray.report.scope import Scope
from bnnray.report.wilson import wilson
from bnnray.results import Tables
from bnnray.verdicts import FAILED, HIT_TIME_LIMIT, Status, Verdict

WORST_CASE = "worst case"
"""What stands for an attack's name where all attacks count together."""

COUNTS = f"""
count(*), count(*) filter (correct),
count(*) filter (flipped), count(*) filter (flipped and correct),
count(*) filter (verdict = '{Verdict.ROBUST}'),
count(*) filter (verdict = '{Verdict.ROBUST}' and correct),
count(*) filter (ran_out), count(*) filter (failed),
count(*) filter (proof <> 'none'),
avg(seconds), avg(seconds) filter (not ran_out), median(seconds),
avg(seconds) filter (flipped), avg(seconds) filter (verdict = '{Verdict.ROBUST}'),
avg(case when decided then seconds else 2 * time_limit end)
"""


def _listed(statuses: Iterable[Status]) -> str:
    return ", ".join(f"'{status}'" for status in sorted(statuses))


SQL = f"""
with judged as (
    select *, verdict <> '{Verdict.UNKNOWN}' as decided,
           verdict = '{Verdict.UNKNOWN}' and status in ({_listed(HIT_TIME_LIMIT)}) as ran_out,
           status in ({_listed(FAILED)}) as failed
    from rows
), together as (
    select scope, model, epsilon, bool_or(correct) as correct, bool_or(flipped) as flipped,
           case when bool_or(flipped) then '{Verdict.VULNERABLE}'
                when bool_or(verdict = '{Verdict.ROBUST}') then '{Verdict.ROBUST}'
                else '{Verdict.UNKNOWN}' end as verdict,
           bool_or(decided) as decided, not bool_or(decided) and bool_or(ran_out) as ran_out,
           bool_and(failed) as failed, if(bool_or(proof <> 'none'), 'some', 'none') as proof,
           coalesce(min(seconds) filter (decided), max(seconds)) as seconds,
           max(time_limit) as time_limit
    from judged group by scope, model, epsilon, question
)
select scope, model, epsilon, attack, {COUNTS} from judged group by scope, model, epsilon, attack
union all
select scope, model, epsilon, null, {COUNTS} from together group by scope, model, epsilon
"""


@dataclass(frozen=True)
class Rate:
    """A share of points.

    Args:
        count: of ``total``.
        total: points.
    """

    count: int
    total: int

    @property
    def percent(self) -> float | None:
        """None where there are no points."""
        return 100.0 * self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval, in percent."""
        low, high = wilson(self.count, self.total)
        return 100.0 * low, 100.0 * high

    def as_json(self) -> dict[str, Any]:
        """The count, the total, percent and its interval."""
        return {
            "count": self.count,
            "total": self.total,
            "percent": self.percent,
            "interval": self.interval,
        }


@dataclass(frozen=True)
class AttackStatistics:
    """What one attack, or all together, found at one budget on one model.

    Args:
        scope: its number in the campaign.
        model, epsilon: as in the job.
        attack: its name; :data:`WORST_CASE` for all attacks together, where a point is vulnerable
            if any attack flips it, else robust if any proves it, and takes the seconds of the
            fastest attack that decides it.
        points: finished units that were asked something, failed ones included.
        correct: of them, those that the network classifies correctly.
        vulnerable: with a replayed flip ("SAT").
        vulnerable_correct: of the correctly classified ones.
        robust: proven that none flips ("UNSAT").
        robust_correct: of the correctly classified ones.
        ran_out: undecided at a time limit.
        failed: crashed or without a licence.
        proven: units with a proof, of a robust verdict or of an optimum.
        mean_seconds: wall time of all units.
        mean_seconds_without: of those that did not run out; None without any.
        median_seconds: of all units.
        mean_vulnerable_seconds, mean_robust_seconds: of those units; None without any.
        par2: penalized mean seconds: a unit without a verdict counts twice its time limit.
    """

    scope: int
    model: str
    epsilon: float
    attack: str
    points: int
    correct: int
    vulnerable: int
    vulnerable_correct: int
    robust: int
    robust_correct: int
    ran_out: int
    failed: int
    proven: int
    mean_seconds: float | None
    mean_seconds_without: float | None
    median_seconds: float | None
    mean_vulnerable_seconds: float | None
    mean_robust_seconds: float | None
    par2: float | None

    @property
    def unknown(self) -> int:
        """Points without a verdict, those that ran out and failed ones included."""
        return self.points - self.vulnerable - self.robust

    @property
    def flip_rate(self) -> Rate:
        """Over all points."""
        return Rate(self.vulnerable, self.points)

    @property
    def flip_rate_of_correct(self) -> Rate:
        """Over the correctly classified points."""
        return Rate(self.vulnerable_correct, self.correct)

    @property
    def robust_accuracy(self) -> Rate:
        """Empirical: points that are correct and not flipped; an upper bound."""
        return Rate(self.correct - self.vulnerable_correct, self.points)

    @property
    def verified_accuracy(self) -> Rate:
        """Points that are correct and proven robust, for this goal; a lower bound."""
        return Rate(self.robust_correct, self.points)

    @property
    def gap(self) -> Rate:
        """Between the two: correct points that are undecided."""
        return Rate(self.robust_accuracy.count - self.robust_correct, self.points)

    @property
    def is_worst_case(self) -> bool:
        """Whether all attacks count together."""
        return self.attack == WORST_CASE

    def as_json(self, scope: Scope) -> dict[str, Any]:
        """All of it, rates included, as JSON can hold it."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        rates = ["flip_rate", "flip_rate_of_correct"]
        rates += ["robust_accuracy", "verified_accuracy", "gap"]
        found |= {name: getattr(self, name).as_json() for name in rates}
        return {**found, "unknown": self.unknown, "scope": scope.title}


def count_units(
    tables: Tables, models: Sequence[str], attacks: Sequence[str]
) -> tuple[AttackStatistics, ...]:
    """For each scope, model, epsilon and attack; the worst case of all attacks last.

    Args:
        tables: with ``rows``, see :class:`bnnray.report.campaign.Campaign`.
        models, attacks: in the order that they shall have.
    """
    rows = [
        AttackStatistics(scope, model, epsilon, attack or WORST_CASE, *counts)
        for scope, model, epsilon, attack, *counts in tables.fetch(SQL)
    ]

    def place(row: AttackStatistics) -> tuple[int, int, float, int]:
        attack = len(attacks) if row.is_worst_case else attacks.index(row.attack)
        return row.scope, models.index(row.model), row.epsilon, attack

    return tuple(sorted(rows, key=place))
