"""The table that a run ends with."""

from __future__ import annotations

from dataclasses import dataclass

from bnnray.results import RunFolder, query

SQL = """
with places as (
    select key, row_number() over () as place from units
)
select model, epsilon, attack,
       count(*) as points,
       100.0 * avg(coalesce(flipped, false)::int) as flipped,
       100.0 * avg((proof <> 'none')::int) as proven,
       median(seconds) as seconds,
       count(*) filter (status in ('crashed', 'licence', 'skipped')) as failed
from results join places using (key)
group by model, epsilon, attack
order by min(place)
"""


@dataclass(frozen=True)
class SummaryRow:
    """One line of the table.

    Args:
        points: finished units.
        flipped: percent of them with a replayed flip.
        proven: percent of them with a proof: that there is no flip, or that the incumbent is
            the optimum.
        seconds: median wall time.
        failed: units that crashed, had no licence or were skipped.
    """

    model: str
    epsilon: float
    attack: str
    points: int
    flipped: float
    proven: float
    seconds: float
    failed: int


def summarize(run: RunFolder) -> list[SummaryRow]:
    """One row for each model, epsilon and attack, in the order of the job."""
    answer = query(run, SQL)
    return [SummaryRow(*row) for row in answer.rows]
