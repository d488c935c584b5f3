"""Damage behind a sound footer: it shows only when the rows are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bnnray.results.interrupts import interruptible
from bnnray.results.parts import Parts, Problem

OPTIONS = "hive_partitioning = false, filename = true, file_row_number = true"
"""A folder named column=value, above the files, must not become a column."""

EVERY_VALUE = "select bit_xor(hash(r)) from {source} r"


def reader(files: Sequence[Path], *, alike: bool) -> str:
    """Files as a source for SQL.

    Args:
        files: at least one.
        alike: whether all of them have the same columns.
    """
    listed = ", ".join("'" + str(f).replace("'", "''") + "'" for f in files)
    return f"read_parquet([{listed}], union_by_name = {not alike}, {OPTIONS})"


def damaged_parts(places: Sequence[Parts]) -> list[Problem]:
    """As :func:`damaged_inside`, of the sound files of several places."""
    with _duckdb() as connection:
        suspect = [p for p in places if p.files and _fault(connection, p.files, p.alike)]
    return [bad for p in suspect for bad in damaged_inside(p.files, alike=p.alike)]


def damaged_inside(files: Sequence[Path], *, alike: bool = False) -> list[Problem]:
    """Of files with sound footers those whose rows cannot be read; every value is decoded.

    Args:
        files: any number; those that are gone meanwhile are left out.
        alike: whether all of them have the same columns, which is faster.
    """
    fault = _alone(files, alike) if files else None
    if fault is None:
        return []
    if len(files) == 1:
        return _problem(files[0], fault)
    half = len(files) // 2
    return damaged_inside(files[:half], alike=alike) + damaged_inside(files[half:], alike=alike)


def one_line(error: Exception) -> str:
    """What DuckDB says, without its drawings."""
    return " ".join(str(error).split())


def _alone(files: Sequence[Path], alike: bool) -> str | None:
    """After some errors DuckDB refuses whatever it is asked, so each answer is a new one's."""
    with _duckdb() as connection:
        return _fault(connection, files, alike)


def _fault(connection: Any, files: Sequence[Path], alike: bool) -> str | None:
    import duckdb

    try:
        source = reader(files, alike=alike)
        connection.execute(EVERY_VALUE.format(source=source)).fetchall()
    except duckdb.OutOfMemoryException:
        return None
    except duckdb.Error as error:
        return one_line(error)
    return None


@contextmanager
def _duckdb() -> Iterator[Any]:
    import duckdb

    with duckdb.connect(":memory:") as connection, interruptible(connection):
        yield connection


def _problem(path: Path, fault: str) -> list[Problem]:
    """What cannot even be read as bytes is the system's fault; the file may be whole."""
    try:
        with path.open("rb") as file:
            while file.read(2**20):
                pass
    except FileNotFoundError:
        return []
    except OSError as error:
        return [Problem(path, f"{error.strerror}", damaged=False)]
    return [Problem(path, f"damaged inside: {fault}")]
