"""SQL over a run folder, with DuckDB; during the run too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bnnray.errors import RunFolderError, UsageError
from bnnray.results.folder import RunFolder
from bnnray.results.interrupts import interruptible
from bnnray.results.parts import Parts, Place, Problem, check_parts, sound_parts
from bnnray.results.reading import damaged_inside, one_line, reader
from bnnray.results.schema import DETAILS, PARTED, TABLES, arrow_schema
from bnnray.verdicts import FAILED

T = TypeVar("T")

NO_QUERY = 'expected a query, such as "select * from results"; got none'

TRIES = 10
"""How often a query starts anew because a file was replaced under it."""

FAILURES = str(tuple(sorted(status.value for status in FAILED)))
"""As a list of SQL."""

ORDER = f"""
status in {FAILURES}, coalesce(session, 0) desc, finished_at desc, filename desc,
file_row_number desc
"""
"""The best row of a key comes first: the newest that did not fail, else the newest. A session does
no unit twice, and its number tells new from old even where clocks differ or are set back."""

REPEATED = "select count(*) > count(distinct key) from live_results"

PLACES = "select key, finished_at, filename, file_row_number from live_results"
BEST = f"{PLACES} qualify row_number() over (partition by key order by {ORDER}) = 1"

PICKED = """
create table job_units as select key, any_value(model) as model from units group by key;
create {kind} best_results as {best};
create {kind} counted_results as
select b.*, u.model from best_results b join job_units u using (key);
"""
"""The place of the best row of each key, and of those of the job's units alone, with the name that
their model has in the job now: a key has the network's digest, so a row outlives a renaming."""

RESULTS = """
create view results as select {columns} from (
    select r.* replace (coalesce(u.model, r.model) as model)
    from live_results r {only_best} join job_units u using (key)
)
"""
ONLY_BEST = "semi join best_results using (filename, file_row_number)"

ALL = """
create view all_{table} as select {columns} from live_{table}
semi join (
    select key, finished_at, max(filename) as filename from live_{table} group by all
) using (key, finished_at, filename)
"""
"""After an interrupted move a unit's rows may be in two files: the newer one shows them."""

DETAIL = """
create view {table} as select {columns} from live_{table}
semi join (
    select key, finished_at, max(filename) as filename from live_{table}
    semi join counted_results using (key, finished_at) group by all
) using (key, finished_at, filename)
"""

ARCHIVED = """
create view archived as select {columns} from archive_results
anti join counted_results using (key, finished_at)
qualify row_number() over (
    partition by key, finished_at order by filename desc, file_row_number desc
) = 1
"""


class Replaced(RunFolderError):
    """A file is gone since it was listed: its rows are in another one now."""


@dataclass(frozen=True)
class Answer:
    """A result table: column names and rows, and the files that were left out of it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Tables:
    """A run's tables, ready for SQL.

    Args:
        connection: to DuckDB.
        files: that it reads.
        problems: files that are left out.
    """

    connection: Any
    files: tuple[Path, ...]
    problems: tuple[Problem, ...]

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        return self.connection.execute(sql).fetchall()

    def arrow(self, sql: str) -> Any:
        """The same as a pyarrow table."""
        return self.connection.sql(sql).to_arrow_table()

    def add(self, name: str, table: Any) -> None:
        """Makes a pyarrow table one more table for SQL."""
        self.connection.register(name, table)


def query(run: RunFolder, sql: str) -> Answer:
    """Runs one SQL statement over the run's tables.

    Tables: ``results`` (one row for each finished unit of the current job), ``all_results``
    (every row outside the archive), ``trace``, ``witnesses``, ``subproblems`` and ``proofs`` of
    the results, ``archived`` (rows that do not count any more) and ``units``. Files that are no
    parts of the run are left out, and named in the answer.

    Raises:
        UsageError: DuckDB refuses the statement.
        RunFolderError: a file cannot be read, or files are replaced again and again.
    """
    (answer,) = queries(run, [_some(sql)])
    return answer


def query_table(run: RunFolder, sql: str) -> tuple[Any, tuple[Problem, ...]]:
    """The same as a pyarrow table, and the files that were left out.

    Raises:
        UsageError: DuckDB refuses the statement.
        RunFolderError: a file cannot be read, or files are replaced again and again.
    """
    asked = _some(sql)
    return read(run, lambda tables: _table(run, tables, asked))


def _some(sql: str) -> str:
    if not sql.strip():
        raise UsageError(NO_QUERY)
    return sql


def queries(run: RunFolder, statements: Sequence[str]) -> list[Answer]:
    """Runs several statements as :func:`query` does one, over the same files.

    Raises:
        UsageError: DuckDB refuses a statement.
        RunFolderError: a file cannot be read, or files are replaced again and again.
    """
    return read(run, lambda tables: [_answer(run, tables, sql) for sql in statements])


def read(run: RunFolder, work: Callable[[Tables], T]) -> T:
    """Gives a run's tables to a function, anew where a file is replaced under it.

    Raises:
        RunFolderError: a file cannot be read, or files are replaced again and again.
    """
    for _ in range(TRIES - 1):
        try:
            return _try(run, work)
        except Replaced:
            continue
    return _try(run, work)


@contextmanager
def connect(run: RunFolder, keys: Collection[str] | None = None) -> Iterator[Tables]:
    """The run's tables.

    Beside what :func:`query` names there are, for each table of parts, ``live_*`` and
    ``archive_*``, all rows of all sound files, with ``filename`` and ``file_row_number``; and
    ``best_results`` and ``counted_results``, see :data:`PICKED`.

    Args:
        run: the folder.
        keys: of the job's units, if not those that the folder names.

    Raises:
        Replaced: a file was replaced meanwhile.
        RunFolderError: a file cannot be read.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection, interruptible(connection):
        files: tuple[Path, ...] = ()
        try:
            connection.execute("set python_enable_replacements = false")
            every = _every_part(run)
            files = tuple(path for parts in every.values() for path in parts.files)
            _make_views(connection, every, keys)
            problems = tuple(problem for parts in every.values() for problem in parts.problems)
            yield Tables(connection, files, problems)
        except duckdb.Error as error:
            if isinstance(error, _wrong_statements()):
                raise
            _raise_if_replaced(run, files)
            _raise_if_damaged(files)
            raise RunFolderError(
                f"a file of {run.path} cannot be read: {one_line(error)}; move it elsewhere and "
                "run the job again: what is missing is done anew"
            ) from None


def _try(run: RunFolder, work: Callable[[Tables], T]) -> T:
    with connect(run) as tables:
        return work(tables)


def _answer(run: RunFolder, tables: Tables, sql: str) -> Answer:
    with _asking(run, tables):
        cursor = tables.connection.execute(sql)
        columns = tuple(d[0] for d in cursor.description or ())
        return Answer(columns, tuple(cursor.fetchall()), tables.problems)


def _table(run: RunFolder, tables: Tables, sql: str) -> Any:
    with _asking(run, tables):
        found = tables.connection.sql(sql)
        if found is None:
            raise UsageError(NO_QUERY)
        return found.to_arrow_table(), tables.problems


@contextmanager
def _asking(run: RunFolder, tables: Tables) -> Iterator[None]:
    """Says whose fault it is where DuckDB refuses a statement."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        if not isinstance(error, _wrong_statements()):
            _raise_if_replaced(run, tables.files)
            _raise_if_damaged(tables.files)
        raise UsageError(f"the query failed: {one_line(error)}") from None


def _wrong_statements() -> tuple[type[Exception], ...]:
    """What DuckDB raises before it looks at a row."""
    import duckdb

    return (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)


def _raise_if_replaced(run: RunFolder, files: Collection[Path]) -> None:
    if not all(path.exists() for path in files):
        raise Replaced(f"files of {run.path} are replaced meanwhile; try again") from None


def _raise_if_damaged(files: Sequence[Path]) -> None:
    bad = damaged_inside(files)
    if bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise RunFolderError(
            f"cannot read {bad[0].path}{more}: {bad[0].reason}; move it elsewhere, or let the "
            "next bnnray run move it away and do what is missing anew"
        ) from None


def _every_part(run: RunFolder) -> dict[str, Parts]:
    """By the name of the view. Results come first: what belongs to a row is there before it."""
    try:
        found = {}
        for table in reversed(PARTED):
            found[f"live_{table}"] = sound_parts(run.live[table])
        for table in reversed(PARTED):
            found[f"archive_{table}"] = sound_parts(run.archive[table])
        units = [run.units] if run.units.exists() else []
        found["units"] = check_parts(Place("units", run.path), units)
        return found
    except FileNotFoundError:
        raise Replaced(f"files of {run.path} are replaced meanwhile; try again") from None


def _make_views(connection: Any, every: dict[str, Parts], keys: Collection[str] | None) -> None:
    for name, parts in every.items():
        if name != "units" or keys is None:
            _view(connection, name, parts)
    if keys is not None:
        register_keys(connection, "unit_keys", keys)
        connection.execute("create view units as select key, null as model from unit_keys")
    _pick(connection, lasting=keys is not None)
    connection.execute(ARCHIVED.format(columns=_columns("archived")))
    for table in PARTED:
        connection.execute(ALL.format(table=table, columns=_columns(table)))
    for table in DETAILS:
        connection.execute(DETAIL.format(table=table, columns=_columns(table)))


def _pick(connection: Any, *, lasting: bool) -> None:
    """Makes the view ``results``. Where no key has two rows, as is the rule, nothing is sorted.

    Args:
        connection: with the views of the files.
        lasting: whether the best rows will be asked for again and again.
    """
    ((repeated,),) = connection.execute(REPEATED).fetchall()
    kind = "table" if lasting or repeated else "view"
    connection.execute(PICKED.format(kind=kind, best=BEST if repeated else PLACES))
    only_best = ONLY_BEST if repeated else ""
    connection.execute(RESULTS.format(columns=_columns("results"), only_best=only_best))


def register_keys(connection: Any, name: str, keys: Collection[str]) -> None:
    """Makes keys a table of one column."""
    import pyarrow as pa

    connection.register(name, pa.table({"key": pa.array(list(keys), pa.string())}))


def _columns(table: str) -> str:
    return ", ".join(c.name for c in TABLES[table])


def _view(connection: Any, name: str, parts: Parts) -> None:
    """The files as one view; columns that came later than a file are null in its rows."""
    table = parts.place.table
    connection.register(f"empty_{name}", _empty(table))
    source = f"empty_{name}"
    if parts.files:
        read = reader(parts.files, alike=parts.alike)
        source = f"(from {source} union all by name from {read})"
    columns = f"{_columns(table)}, filename, file_row_number"
    connection.execute(f"create view {name} as select {columns} from {source}")


def _empty(table: str) -> Any:
    import pyarrow as pa

    schema = arrow_schema(table).append(pa.field("filename", pa.string()))
    return schema.append(pa.field("file_row_number", pa.int64())).empty_table()
