"""Rows that do not count any more go to the archive, and come back when they count again.

Every move copies first and removes then. A kill in between leaves rows at both places: readers
show them once, and the next move removes what is left over. A row of the results is copied after
what belongs to it and removed before, so whoever sees it sees all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bnnray.results.folder import RunFolder
from bnnray.results.moving import Rows, by_file, copy_rows, drop_rows
from bnnray.results.parts import Place
from bnnray.results.query import FAILURES, ORDER, Tables, connect, register_keys
from bnnray.results.schema import DETAILS, PARTED

OBSOLETE, SUPERSEDED, RERUN = "obsolete", "superseded", "rerun"
"""Why a row does not count: its unit left the job, a better row took its place, or its unit is to
be done again."""

COMING = f"""
create table coming as
select key, finished_at, filename, file_row_number from archive_results a
semi join units using (key)
anti join (from archive_results where reason <> '{OBSOLETE}') using (key, finished_at)
where not exists (
    from archive_results r where r.key = a.key and r.reason = '{RERUN}'
    and (coalesce(r.session, 0), r.finished_at) > (coalesce(a.session, 0), a.finished_at)
) and not exists (
    from live_results l where l.key = a.key
    and (l.status not in {FAILURES} or a.status in {FAILURES})
)
qualify row_number() over (partition by key order by {ORDER}) = 1
"""
"""Of each unit the best obsolete row: not where a live one is as good, nor where a later row was
put away to do the unit again."""

STAYING = "create table staying as from counted_results anti join again using (key)"

LEAVING = """
create table leaving_{table} as select distinct key, finished_at from live_{table}
anti join staying using (key, finished_at)
anti join (
    from archive_{table} anti join counted_results using (key, finished_at)
) using (key, finished_at)
"""
"""What the archive does not have yet. Rows there that count are leftovers, and are removed."""

NEWEST = """
{place}_{table} semi join (
    select key, finished_at, max(filename) as filename from {place}_{table}
    semi join {which} using (key, finished_at) group by all
) using (key, finished_at, filename)
"""
"""Rows of some units, each unit's from the newest of the files that hold them."""

LEFT = "live_results semi join leaving_results using (key, finished_at)"
ONCE = "qualify row_number() over (partition by key, finished_at order by filename desc) = 1"
REASONS = {
    RERUN: f"{LEFT} semi join counted_results using (key, finished_at) {ONCE}",
    OBSOLETE: f"""
        {LEFT} anti join counted_results using (key, finished_at)
        semi join best_results using (key, finished_at) {ONCE}
    """,
    SUPERSEDED: f"{LEFT} anti join best_results using (key, finished_at) {ONCE}",
}
"""The rows that leave, by reason; of exact copies one."""


def take_back(run: RunFolder, keys: Collection[str]) -> None:
    """Brings back the archived rows of units that left the job and are in it again.

    Args:
        run: the folder.
        keys: of the job's units.

    Raises:
        StorageError: the folder cannot be written.
    """
    if not run.archive["results"].parts():
        return
    with connect(run, keys) as tables:
        tables.connection.execute(COMING)
        if not tables.fetch("from coming limit 1"):
            return
        copied = {t: _newest(tables, "archive", t, "coming") for t in DETAILS}
        copied["results"] = _rows(tables, "coming")
        removed = _archived(tables, "coming")
    for table in PARTED:
        copy_rows(copied[table], run.live[table])
    _drop(removed, run.archive)


def tidy(run: RunFolder, keys: Collection[str], again: Collection[str] = ()) -> None:
    """Moves to the archive what does not count: rows of no unit of the job, or not its best.

    What an interrupted move left over is removed. Only files that hold such rows are rewritten.

    Args:
        run: the folder.
        keys: of the job's units.
        again: of units that are to be done again, whose rows shall not count.

    Raises:
        StorageError: the folder cannot be written.
    """
    with connect(run, keys) as tables:
        register_keys(tables.connection, "again", again)
        tables.connection.execute(STAYING)
        for table in PARTED:
            tables.connection.execute(LEAVING.format(table=table))
        leftover = _archived(tables, "counted_results")
        details = {t: _newest(tables, "live", t, f"leaving_{t}") for t in DETAILS}
        results = {reason: _rows(tables, source) for reason, source in REASONS.items()}
        removed = {t: _rows(tables, _not_staying(t)) for t in DETAILS}
        removed["results"] = _rows(
            tables, "live_results anti join staying using (filename, file_row_number)"
        )
    _drop(leftover, run.archive)
    for table, rows in details.items():
        copy_rows(rows, run.archive[table])
    for reason, rows in results.items():
        copy_rows(rows, run.archive["results"], reason)
    _drop(removed, run.live)


def _drop(rows: Mapping[str, Rows], places: Mapping[str, Place]) -> None:
    for table in reversed(PARTED):
        drop_rows(rows[table], places[table])


def _archived(tables: Tables, which: str) -> dict[str, Rows]:
    return {
        t: _rows(tables, f"archive_{t} semi join {which} using (key, finished_at)") for t in PARTED
    }


def _newest(tables: Tables, place: str, table: str, which: str) -> Rows:
    return _rows(tables, NEWEST.format(place=place, table=table, which=which))


def _not_staying(table: str) -> str:
    newest = f"""
        select key, finished_at, max(filename) as filename from live_{table}
        semi join staying using (key, finished_at) group by all
    """
    return f"live_{table} anti join ({newest}) using (key, finished_at, filename)"


def _rows(tables: Tables, source: str) -> Rows:
    return by_file(tables.fetch(f"select filename, file_row_number from {source}"))
