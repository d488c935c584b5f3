"""Two runs, or several attacks of one: contradictions between their answers first.

An answer is held against all that it speaks of: what was reached within a smaller budget, or on the
grid, lies in the larger region too, and a flip in every region that is as large as its distance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bnnray.results import RunFolder, Tables, read
from bnnray.verdicts import Verdict

SLACK = 1e-9
"""Objectives, bounds and distances are exact numbers, rounded to doubles in the rows."""

LISTED = 1000
"""Contradictions that are listed; all are counted."""

CLAIMS = """
select question, key, family, model, dataset, point, epsilon, domain, levels, attack, verdict,
       flipped, objective, bound, linf, l1, minimize, distance_bound, seconds
from results left join (select key, family from units) using (key)
"""

EXTREMES = f"""
select question, coalesce(max(family), question) as family, any_value(model) as model,
       any_value(point) as point, any_value(epsilon) as epsilon, any_value(domain) as domain,
       any_value(levels) as levels,
       arg_max(who, seconds) filter (verdict = '{Verdict.ROBUST}') as prover,
       arg_min(who, bound) as tightest, min(bound) as bound,
       arg_max(who, objective) as best, max(objective) as objective,
       arg_max(who, objective) filter (flipped) as flipper,
       arg_min(who, linf) filter (flipped) as near, min(linf) filter (flipped) as linf,
       arg_min(objective, linf) filter (flipped) as near_objective,
       arg_max(who, distance_bound) filter (minimize = 'linf') as linf_prover,
       max(distance_bound) filter (minimize = 'linf') as linf_bound,
       arg_min(who, l1) filter (flipped) as l1_near, min(l1) filter (flipped) as l1,
       arg_max(who, distance_bound) filter (minimize = 'l1') as l1_prover,
       max(distance_bound) filter (minimize = 'l1') as l1_bound
from (
    select *, {{'run': run, 'attack': attack, 'key': key, 'epsilon': epsilon, 'domain': domain}}
        as who
    from claims
) group by question
"""
"""What is proven and reached at most, of each question."""

REACHED = f"""
with inputs as (
    select family, domain, levels, epsilon as budget, best, objective, flipper
    from extremes where best is not null
    union all
    select family, domain, levels, linf + if(domain = 'box', {SLACK}, 0), near, near_objective, near
    from extremes where near is not null
), line as (
    select null as question, * from inputs
    union all
    select null, * replace ('box' as domain, null as levels) from inputs where domain = 'grid'
    union all
    select question, family, domain, levels, epsilon, null, null, null from extremes
)
select question, arg_max(best, objective) over smaller as best,
       max(objective) over smaller as objective,
       arg_max(flipper, objective) filter (flipper is not null) over smaller as flipper
from line
window smaller as (partition by family, domain, levels order by budget)
qualify question is not null
"""
"""What was reached in the region of each question, also by those about other regions. On the box a
distance is a rounded number, and is taken to be a little larger."""

CONTRADICTIONS = f"""
extremes as materialized ({EXTREMES}), reached as ({REACHED}), found as (
    select e.* exclude (best, objective, flipper), r.best, r.objective, r.flipper, case
        when prover is not null and r.flipper is not null then 'robust against vulnerable'
        when r.objective > bound + {SLACK} * greatest(1, abs(bound)) then 'objective above a bound'
        when linf < linf_bound - {SLACK} then 'flip nearer than a proven linf distance'
        when l1 < l1_bound - {SLACK} * greatest(1, l1) then 'flip nearer than a proven l1 distance'
        end as kind
    from extremes e join reached r using (question)
)
select kind, question, model, point, epsilon, domain,
       case kind when 'robust against vulnerable' then prover
                 when 'objective above a bound' then tightest
                 when 'flip nearer than a proven linf distance' then linf_prover
                 else l1_prover end as claim,
       case kind when 'robust against vulnerable' then bound
                 when 'objective above a bound' then bound
                 when 'flip nearer than a proven linf distance' then linf_bound
                 else l1_bound end as claimed,
       case kind when 'robust against vulnerable' then flipper
                 when 'objective above a bound' then best
                 when 'flip nearer than a proven linf distance' then near
                 else l1_near end as witness,
       case kind when 'robust against vulnerable' then objective
                 when 'objective above a bound' then objective
                 when 'flip nearer than a proven linf distance' then linf
                 else l1 end as reached,
       count(*) over () as total
from found where kind is not null
order by kind desc, model, epsilon, point
limit {LISTED}
"""

QUESTIONS = """
select count(*) filter (in_a and in_b), count(*) filter (not in_b), count(*) filter (not in_a)
from (
    select bool_or(run = 'a') as in_a, bool_or(run = 'b') as in_b from (
        select distinct question, 'a' as run from claims_a
        union all select distinct question, 'b' from claims_b
    ) group by question
)
"""

PAIRS = f"""
select a.model, a.epsilon, a.attack, count(*),
       count(*) filter (a.verdict <> '{Verdict.UNKNOWN}' and b.verdict = '{Verdict.UNKNOWN}'),
       count(*) filter (a.verdict = '{Verdict.UNKNOWN}' and b.verdict <> '{Verdict.UNKNOWN}'),
       count(*) filter (a.objective > b.objective), count(*) filter (a.objective < b.objective),
       avg(a.seconds), avg(b.seconds)
from claims_a a join claims_b b using (key)
group by all order by all
"""


@dataclass(frozen=True)
class Claim:
    """Who says something.

    Args:
        run, attack: names.
        key: of the unit.
        epsilon, domain: of its question.
    """

    run: str
    attack: str
    key: str
    epsilon: float
    domain: str

    def __str__(self) -> str:
        return f"{self.attack} of {self.run} ({self.key[:8]})"


@dataclass(frozen=True)
class Contradiction:
    """Two answers of which one is wrong.

    Args:
        kind: which sort; "robust against vulnerable" is the worst.
        question: the content key of what the proof is about.
        model, point, epsilon, domain: what that asks.
        claim: who claims a proof; ``claimed`` is the bound, or the least distance.
        witness: who has a replayed input in that region, perhaps of another question; ``reached``
            is its objective, or its distance.
    """

    kind: str
    question: str
    model: str
    point: int
    epsilon: float
    domain: str
    claim: Claim
    claimed: float | None
    witness: Claim
    reached: float | None

    def __str__(self) -> str:
        where = f"{self.model}, point {self.point}, epsilon {self.epsilon:g}, {self.domain}"
        other = self.witness
        region = f"epsilon {other.epsilon:g}, {other.domain}"
        elsewhere = (other.epsilon, other.domain) != (self.epsilon, self.domain)
        return (
            f"{self.kind}: {where}: {self.claim} proves {_number(self.claimed)}, "
            f"{other} reaches {_number(self.reached)}" + (f" at {region}" if elsewhere else "")
        )


@dataclass(frozen=True)
class Pairs:
    """Units that both runs have, of one model, budget and attack.

    Args:
        units: how many.
        decided_in_a, decided_in_b: with a verdict there, and unknown in the other run.
        better_in_a, better_in_b: with a larger objective there.
        seconds_a, seconds_b: mean wall times.
    """

    model: str
    epsilon: float
    attack: str
    units: int
    decided_in_a: int
    decided_in_b: int
    better_in_a: int
    better_in_b: int
    seconds_a: float | None
    seconds_b: float | None


@dataclass(frozen=True)
class Comparison:
    """What two runs, or the attacks of one, say about the same questions.

    Args:
        runs: their names.
        common, only_a, only_b: questions; of one run alone all are common.
        contradictions: at most 1,000 of them.
        total: how many contradictions there are.
        pairs: units with the same key in both runs; none for one run.
    """

    runs: tuple[str, ...]
    common: int
    only_a: int
    only_b: int
    contradictions: tuple[Contradiction, ...]
    total: int
    pairs: tuple[Pairs, ...]

    def as_json(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return dataclasses.asdict(self)


def compare(first: RunFolder, second: RunFolder | None = None) -> Comparison:
    """Looks for contradictions between two runs and within each, or within one.

    Args:
        first: a run.
        second: another, if there is one; it need not have the same attacks.

    Raises:
        RunFolderError: a file cannot be read.
    """
    if second is None:
        return read(first, lambda tables: _within(first, tables))
    claims = read(second, lambda tables: tables.arrow(CLAIMS))
    return read(first, lambda tables: _between(first, second, tables, claims))


def contradictions(run: RunFolder, tables: Tables) -> tuple[Contradiction, ...]:
    """Those within a run, at most 1,000 of them."""
    return _contradictions(tables, f"select '{_name(run)}' as run, * from ({CLAIMS})")[0]


def _within(run: RunFolder, tables: Tables) -> Comparison:
    found, total = _contradictions(tables, f"select '{_name(run)}' as run, * from ({CLAIMS})")
    (questions,) = tables.fetch("select count(distinct question) from results")
    return Comparison((run.path.resolve().name,), questions[0], 0, 0, found, total, ())


def _between(first: RunFolder, second: RunFolder, tables: Tables, claims: Any) -> Comparison:
    tables.add("claims_b", claims)
    tables.fetch(f"create temp table claims_a as {CLAIMS}")
    both = " union all ".join(
        f"select '{_name(run)}' as run, * from claims_{letter}"
        for run, letter in ((first, "a"), (second, "b"))
    )
    found, total = _contradictions(tables, both)
    ((common, only_a, only_b),) = tables.fetch(QUESTIONS)
    pairs = tuple(Pairs(*row) for row in tables.fetch(PAIRS))
    return Comparison(_names(first, second), common, only_a, only_b, found, total, pairs)


def _contradictions(tables: Tables, claims: str) -> tuple[tuple[Contradiction, ...], int]:
    rows = tables.fetch(f"with claims as ({claims}), {CONTRADICTIONS}")
    return tuple(map(_contradiction, rows)), rows[0][-1] if rows else 0


def _contradiction(row: Sequence[Any]) -> Contradiction:
    kind, question, model, point, epsilon, domain, claim, claimed, witness, reached, _ = row
    return Contradiction(
        kind, question, model, point, epsilon, domain,
        Claim(**claim), claimed, Claim(**witness), reached,
    )  # fmt: skip


def _names(first: RunFolder, second: RunFolder) -> tuple[str, str]:
    return first.path.resolve().name, second.path.resolve().name


def _name(run: RunFolder) -> str:
    return run.path.resolve().name.replace("'", "''")


def _number(value: float | None) -> str:
    return "no flip" if value is None else f"{value:.6g}"
