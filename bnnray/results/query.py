"""SQL over a run folder, with DuckDB; during the run too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnnray.errors import RunFolderError, UsageError
from bnnray.results.folder import RunFolder
from bnnray.results.schema import TABLES, arrow_schema

RESULTS = """
create view results as select * from all_results
where key in (select key from units)
qualify row_number() over (
    partition by key order by status in ('crashed', 'licence'), finished_at desc
) = 1
"""
"""One row for each unit of the job: the newest that did not fail, else the newest."""


@dataclass(frozen=True)
class Answer:
    """A result table: column names and rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def query(run: RunFolder, sql: str) -> Answer:
    """Runs one SQL statement over the run's tables.

    Tables: ``results`` (one row for each finished unit of the current job), ``all_results``
    (every row on disk), ``trace``, ``witnesses`` and ``subproblems`` of the results, and
    ``units``.

    Raises:
        UsageError: DuckDB refuses the statement.
    """
    import duckdb

    if not sql.strip():
        raise UsageError('expected a query, such as "select * from results"; got none')
    with connect(run) as connection:
        try:
            cursor = connection.execute(sql)
            columns = tuple(d[0] for d in cursor.description or ())
            return Answer(columns, tuple(cursor.fetchall()))
        except duckdb.Error as error:
            raise UsageError(f"the query failed: {_one_line(error)}") from None


@contextmanager
def connect(run: RunFolder) -> Iterator[Any]:
    """A DuckDB connection with a view for each table of the run."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        try:
            _make_views(connection, run)
        except duckdb.Error as error:
            raise RunFolderError(
                f"a file of {run.path} cannot be read: {_one_line(error)}; move it elsewhere and "
                "run the job again: what is missing is done anew"
            ) from None
        yield connection


def _make_views(connection: Any, run: RunFolder) -> None:
    _view(connection, "all_results", "results", run.parts("results"))
    _view(connection, "units", "units", [run.units] if run.units.exists() else [])
    connection.execute(RESULTS)
    for table in ("trace", "witnesses", "subproblems"):
        _view(connection, f"all_{table}", table, run.parts(table))
        connection.execute(
            f"create view {table} as select * from all_{table} semi join results "
            "using (key, finished_at)"
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _view(connection: Any, name: str, table: str, files: list[Path]) -> None:
    """The files as one view; columns that came later than a file are null in its rows."""
    source = f"empty_{name}"
    connection.register(source, arrow_schema(table).empty_table())
    if files:
        listed = ", ".join("'" + str(f).replace("'", "''") + "'" for f in files)
        parts = f"from read_parquet([{listed}], union_by_name = true)"
        source = f"(from {source} union all by name {parts})"
    columns = ", ".join(c.name for c in TABLES[table])
    connection.execute(f"create view {name} as select {columns} from {source}")
