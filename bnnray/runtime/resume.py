"""The start of a run on its folder: what is there, what is put away, and what is left to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bnnray.attacks import attack_type
from bnnray.job import Unit
from bnnray.results import RunFolder, queries, query, take_back, tidy, write_table
from bnnray.runtime.rerun import Ended, Limits, Rerun, is_due
from bnnray.verdicts import Status, Verdict

ENDED = """
select status, verdict, time_limit, memory_limit_bytes, kind, list(key) from results group by all
"""
"""Few ways to end and many keys: a hundred thousand rows take no loop here."""

BARE = f"""
select key from results anti join {{table}} using (key)
where objective is not null and status <> '{Status.SKIPPED}'
"""
"""What was searched left a perturbed input and an anytime curve."""


def resume(
    folder: RunFolder,
    units: Sequence[Unit],
    memory: int | None,
    rule: Rerun,
    write_plan: Callable[[], None],
) -> list[Unit]:
    """Brings a folder in line with a job; returns the units that are left to do.

    Rows of units that the job has again come back out of the archive before the plan names these
    units; rows that do not count go there after. What a rule beyond FAILED does again leaves its
    row to the archive at once, so that a plain run completes it after an interruption. So does
    a row whose witness or trace was damaged: its unit is done again under every rule.

    Args:
        folder: held by this process, and repaired.
        units: of the job.
        memory: cap of a slot's memory in bytes, None without one.
        rule: what is done again.
        write_plan: makes the folder name these units.

    Raises:
        StorageError: the folder cannot be written.
    """
    keys = [unit.key for unit in units]
    take_back(folder, keys)
    write_plan()
    bare = _bare(folder)
    rows = {key: ended for key, ended in _rows(folder).items() if key not in bare}
    left = _due(units, memory, rule, rows)
    stay = {unit.key for unit in _due(left, memory, Rerun.FAILED, rows)} - bare
    again = bare if rule is Rerun.NEVER else {unit.key for unit in left} - stay
    tidy(folder, keys, again)
    return left


def _bare(folder: RunFolder) -> set[str]:
    """Units without all that belongs to their rows; only where files were damaged one looks."""
    lost = [t for t in ("witnesses", "trace") if any((folder.damaged / t).glob("*"))]
    answers = queries(folder, [BARE.format(table=table) for table in lost])
    return {key for answer in answers for (key,) in answer.rows}


def _due(
    units: Sequence[Unit], memory: int | None, rule: Rerun, rows: Mapping[str, Ended]
) -> list[Unit]:
    return [u for u in units if is_due(rule, rows.get(u.key), Limits(u.attack.time_limit, memory))]


def _rows(folder: RunFolder) -> dict[str, Ended]:
    rows: dict[str, Ended] = {}
    for status, verdict, seconds, memory, kind, keys in query(folder, ENDED).rows:
        ended = Ended(
            status=Status(status),
            verdict=Verdict(verdict),
            limits=Limits(seconds, memory),
            complete=attack_type(kind).complete,
        )
        rows |= dict.fromkeys(keys, ended)
    return rows


def write_units(folder: RunFolder, units: Sequence[Unit], memory: int | None) -> None:
    """Makes the folder name these units.

    Args:
        folder: held by this process.
        units: of the job.
        memory: cap of a slot's memory in bytes, None without one.

    Raises:
        StorageError: the folder cannot be written.
    """
    rows = [
        {
            "key": unit.key,
            "question": unit.question,
            "family": unit.family,
            "model": unit.model,
            "point": unit.point,
            "epsilon": float(unit.threat.epsilon),
            "attack": unit.attack.name,
            "time_limit": unit.attack.time_limit,
            "memory_limit_bytes": memory,
        }
        for unit in units
    ]
    write_table(folder.units, "units", rows)
