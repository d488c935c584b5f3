"""All that a run knows of one unit: its row, those before it, its anytime curve, its log."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnray.attacks import attack_type
from bnnray.errors import UsageError
from bnnray.logs import FOLDER, Event, read_events
from bnnray.results import Problem, RunFolder, Tables, read
from bnnray.verdicts import FAILED, Status, hit_limit

LONGEST_POINT = 5
FEWEST_DIGITS = 6
NAMED = 3
"""Units of several that a short key may mean."""

KEYS = """
select distinct key from (
    select key from units union all select key from all_results union all select key from archived
) where starts_with(key, '{digits}') order by key
"""
PLANNED = "select * from units where key = '{key}'"
ROW = "select * from results where key = '{key}'"
EARLIER = """
select finished_at, session, attempt, host, verdict, status, seconds, message, reason
from archived where key = '{key}' order by finished_at
"""
TRACE = """
select count(*), max(seconds), first(objective order by seconds), last(objective order by seconds),
       last(bound order by seconds), count(*) filter (improves)
from (
    select *, objective > lag(objective) over (order by seconds) as improves
    from trace where key = '{key}'
) having count(*) > 0
"""


@dataclass(frozen=True)
class Curve:
    """A unit's anytime curve in short.

    Args:
        points: of the curve.
        seconds: when the last of them was.
        first, last: objective at the clean image and in the end.
        bound: proven in the end; None for none.
        improvements: how often the objective rose.
    """

    points: int
    seconds: float
    first: float
    last: float
    bound: float | None
    improvements: int


@dataclass(frozen=True)
class UnitStory:
    """All that a run knows of one unit.

    Args:
        key: of the unit.
        planned: its row of the job's units; None where the job has it no more.
        row: its row of the results; None where it has not ended, or its row does not count.
        earlier: rows of it that do not count any more, the oldest first.
        curve: its anytime curve; None without one.
        log: what drivers and keepers say about it, the oldest first.
        problems: files that were left out.
    """

    key: str
    planned: Mapping[str, Any] | None
    row: Mapping[str, Any] | None
    earlier: tuple[Mapping[str, Any], ...]
    curve: Curve | None
    log: tuple[Event, ...]
    problems: tuple[Problem, ...]

    @property
    def again(self) -> str:
        """Which rerun does it again; empty where only "all" does."""
        if self.planned is None:
            return ""
        if self.row is None:
            return "failed"
        status, complete = Status(self.row["status"]), attack_type(self.row["kind"]).complete
        if status in FAILED:
            return "failed"
        return "limit" if hit_limit(status, complete=complete) else ""

    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "key": self.key,
            "planned": self.planned,
            "row": self.row,
            "earlier": self.earlier,
            "curve": self.curve and dataclasses.asdict(self.curve),
            "log": [dataclasses.asdict(event) for event in self.log],
        }


def is_key(text: str) -> bool:
    """Whether a user means a unit's key and not a point: points have up to 5 digits, keys 6 or more
    hexadecimal ones.

    Raises:
        UsageError: it is neither.
    """
    if text.isascii() and text.isdecimal() and len(text) <= LONGEST_POINT:
        return False
    if re.fullmatch(rf"[0-9a-f]{{{FEWEST_DIGITS},}}", text):
        return True
    raise UsageError(
        f"expected a point, of at most {LONGEST_POINT} digits, or a unit's key, at least its first "
        f"{FEWEST_DIGITS} hexadecimal digits; got {text!r}"
    )


def unit_story(run: RunFolder, digits: str) -> UnitStory:
    """All that a run knows of a unit.

    Args:
        run: the folder; a driver may be writing to it.
        digits: of the unit's key, so many of the first that no other unit has them.

    Raises:
        UsageError: no unit's key begins so, or several do.
        RunFolderError: a file cannot be read.
        StorageError: a log cannot be read.
    """

    def tell(tables: Tables) -> UnitStory:
        key = _only(run.path, digits, [k for (k,) in tables.fetch(KEYS.format(digits=digits))])
        curve = tables.fetch(TRACE.format(key=key))
        return UnitStory(
            key=key,
            planned=_first(tables, PLANNED.format(key=key)),
            row=_first(tables, ROW.format(key=key)),
            earlier=tuple(tables.arrow(EARLIER.format(key=key)).to_pylist()),
            curve=Curve(*curve[0]) if curve else None,
            log=tuple(read_events(run.path / FOLDER, key=key)),
            problems=tables.problems,
        )

    return read(run, tell)


def _first(tables: Tables, sql: str) -> Mapping[str, Any] | None:
    rows: list[dict[str, Any]] = tables.arrow(sql).to_pylist()
    return rows[0] if rows else None


def _only(folder: Path, digits: str, keys: list[str]) -> str:
    if len(keys) == 1:
        return keys[0]
    if not keys:
        raise UsageError(
            f"no unit of {folder} has a key that begins with {digits}; keys are in the column key: "
            f'bnnray query {folder} "select key from results"'
        )
    named = ", ".join(keys[:NAMED]) + (", ..." if len(keys) > NAMED else "")
    raise UsageError(
        f"{len(keys)} units have keys that begin with {digits}: {named}; give more digits"
    )
