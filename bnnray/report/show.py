"""What every attack says of one point."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnray.errors import UsageError
from bnnray.report.originals import ASKED, FOUND, Originals, witness_of
from bnnray.report.pictures import Picture, make_picture
from bnnray.results import Problem, RunFolder, Tables, query, read

ANSWERS = """
with places as (select key, row_number() over () as place from units)
select model, epsilon, attack, domain, label, predicted, target, verdict, proof, status, objective,
       bound, linf, seconds, message, key
from results join places using (key) where point = {point}
order by place
"""

FLIPS = f"""
with places as (select key, row_number() over () as place from units)
select r.attack, {ASKED}, {FOUND}
from results r join witnesses w using (key) join places p using (key)
where r.point = {{point}} and r.flipped
order by p.place
"""

POINTS = "select min(point), max(point), count(distinct point) from results"


@dataclass(frozen=True)
class PointAnswer:
    """One attack's answer about the point; the columns are those of results."""

    model: str
    epsilon: float
    attack: str
    domain: str
    label: int
    predicted: int
    target: int | None
    verdict: str
    proof: str
    status: str
    objective: float | None
    bound: float | None
    linf: float | None
    seconds: float
    message: str | None
    key: str

    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return dataclasses.asdict(self)


def point_answers(
    run: RunFolder, point: int
) -> tuple[tuple[PointAnswer, ...], tuple[Problem, ...]]:
    """What every attack says of a point, in the order of the job, and files that were left out.

    Raises:
        UsageError: no finished unit is about that point.
        RunFolderError: a file cannot be read.
    """
    answer = query(run, ANSWERS.format(point=point))
    if not answer.rows:
        ((first, last, count),) = query(run, POINTS).rows
        have = f"there are {count}, from {first} to {last}" if count else "none is finished yet"
        raise UsageError(f"expected a point with a finished unit, got {point}; {have}")
    return tuple(PointAnswer(*row) for row in answer.rows), answer.problems


def point_pictures(run: RunFolder, point: int, data_dir: Path | None = None) -> list[Picture]:
    """A picture of each flip of a point, in the order of the job.

    Raises:
        UsageError: the point has no flip.
        DataError: the data set is missing or damaged.
        RunFolderError: a network's file is gone.
    """

    def flips(tables: Tables) -> list[dict[str, Any]]:
        return tables.arrow(FLIPS.format(point=point)).to_pylist()

    rows = read(run, flips)
    if not rows:
        raise UsageError(f"no attack flips point {point}: there is no picture to draw")
    originals = Originals(run, data_dir)
    return [
        make_picture(originals.question(row), witness_of(row), f"{row['model']}, {row['attack']}")
        for row in rows
    ]
