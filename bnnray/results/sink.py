"""Where finished units go: Parquet parts in the run folder, or memory."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bnnray.files import write_file
from bnnray.results.schema import arrow_schema

Row = Mapping[str, Any]

FLUSH_SECONDS = 5.0
FLUSH_UNITS = 5000


@dataclass(frozen=True)
class Record:
    """One finished unit: its row, its anytime curve, its perturbed input and IProp's record."""

    row: Row
    trace: Sequence[Row] = ()
    witness: Row | None = None
    subproblems: Sequence[Row] = ()


class Sink(Protocol):
    """Takes finished units."""

    def append(self, records: Sequence[Record]) -> None:
        """Takes records; they are final after the next flush."""
        ...

    def flush(self) -> None:
        """Makes all that was taken final."""
        ...


class MemorySink:
    """Keeps records in memory: the fake."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, records: Sequence[Record]) -> None:
        self.records.extend(records)

    def flush(self) -> None:
        """Everything is where it stays."""


class ParquetSink:
    """Writes immutable part files, flushed by time or count.

    A part is complete before it gets a name that readers pick up. The rows are written last, so
    a row that can be seen has its witness and all else.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records: list[Record] = []
        self._flushed = time.monotonic()

    def append(self, records: Sequence[Record]) -> None:
        """Takes records, and flushes if it is time.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._records.extend(records)
        due = time.monotonic() - self._flushed >= FLUSH_SECONDS
        if due or len(self._records) >= FLUSH_UNITS:
            self.flush()

    def flush(self) -> None:
        """Writes what was taken.

        Raises:
            StorageError: the folder cannot be written; the records are kept for another try.
        """
        self._flushed = time.monotonic()
        if not self._records:
            return
        witnesses = [r.witness for r in self._records if r.witness is not None]
        write_part(self._folder, "witnesses", witnesses)
        write_part(self._folder, "trace", [point for r in self._records for point in r.trace])
        solved = [subproblem for r in self._records for subproblem in r.subproblems]
        write_part(self._folder, "subproblems", solved)
        write_part(self._folder, "results", [r.row for r in self._records])
        self._records = []


def write_part(folder: Path, table: str, rows: Sequence[Row]) -> None:
    """Adds one part file to a table; no rows, no file.

    Raises:
        StorageError: the folder cannot be written.
    """
    if rows:
        name = f"part-{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.parquet"
        write_table(folder / table / name, table, rows)


def write_table(path: Path, table: str, rows: Sequence[Row]) -> None:
    """Writes rows as one Parquet file, complete or not at all.

    Raises:
        StorageError: the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = pa.Table.from_pylist([dict(row) for row in rows], schema=arrow_schema(table))
    write_file(path, lambda file: pq.write_table(data, file, compression="zstd"))
