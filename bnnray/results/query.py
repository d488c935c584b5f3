"""SQL over a run folder, with DuckDB; during the run too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bnnray.errors import UsageError
from bnnray.results.folder import RunFolder
from bnnray.results.schema import TABLES, arrow_schema

ONE_ROW_A_KEY = "qualify row_number() over (partition by key order by finished_at desc) = 1"


@dataclass(frozen=True)
class Answer:
    """A result table: column names and rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def query(run: RunFolder, sql: str) -> Answer:
    """Runs one SQL statement over the run's tables.

    Tables: ``results`` (one row for each finished unit of the current job), ``all_results``
    (every row on disk), ``trace``, ``witnesses`` and ``units``.

    Raises:
        UsageError: DuckDB refuses the statement.
    """
    import duckdb

    with connect(run) as connection:
        try:
            cursor = connection.execute(sql)
            columns = tuple(d[0] for d in cursor.description or ())
            return Answer(columns, tuple(cursor.fetchall()))
        except duckdb.Error as error:
            text = " ".join(str(error).split())
            raise UsageError(f"the query failed: {text}") from None


@contextmanager
def connect(run: RunFolder) -> Iterator[Any]:
    """A DuckDB connection with a view for each table of the run."""
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for table in ("trace", "witnesses"):
            _view(connection, table, table, [str(p) for p in run.parts(table)])
        _view(connection, "all_results", "results", [str(p) for p in run.parts("results")])
        _view(connection, "units", "units", [str(run.units)] if run.units.exists() else [])
        connection.execute(
            "create view results as select * from all_results "
            f"where key in (select key from units) {ONE_ROW_A_KEY}"
        )
        yield connection


def _view(connection: Any, name: str, table: str, files: list[str]) -> None:
    if files:
        listed = ", ".join("'" + f.replace("'", "''") + "'" for f in files)
        source = f"read_parquet([{listed}], union_by_name = true)"
    else:
        connection.register(f"empty_{name}", arrow_schema(table).empty_table())
        source = f"empty_{name}"
    columns = ", ".join(c.name for c in TABLES[table])
    connection.execute(f"create view {name} as select {columns} from {source}")
