"""Writing tables as Parquet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from bnnray.files import write_file
from bnnray.results.schema import arrow_schema

Row = Mapping[str, Any]

COMPRESSION = "zstd"
GROUP_ROWS = 100_000
GROUP_BYTES = 128 * 2**20
"""A row group of a streamed file is written when it has so many rows, or bytes in memory."""


def write_table(path: Path, table: str, rows: Sequence[Row]) -> None:
    """Writes rows as one Parquet file, complete or not at all.

    Raises:
        StorageError: the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = arrow_schema(table)
    columns = [pa.array([row.get(f.name) for row in rows], type=f.type) for f in schema]
    data = pa.Table.from_arrays(columns, schema=schema)
    write_file(path, lambda file: pq.write_table(data, file, compression=COMPRESSION))


def write_stream(path: Path, table: str, pieces: Iterable[Any]) -> None:
    """Writes pyarrow tables as one Parquet file, complete or not at all.

    Args:
        path: of the file.
        table: a name of the schema; columns that a piece does not have are null.
        pieces: read one by one, so that memory holds one row group at most.

    Raises:
        StorageError: the folder cannot be written.
    """
    import pyarrow.parquet as pq

    schema = arrow_schema(table)

    def write(file: BinaryIO) -> None:
        with pq.ParquetWriter(file, schema, compression=COMPRESSION) as writer:
            for group in _groups(fitted(piece, table) for piece in pieces):
                writer.write_table(group, row_group_size=GROUP_ROWS)

    write_file(path, write)


def write_arrow(path: Path, table: Any) -> None:
    """Writes a pyarrow table as Parquet, complete or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    import pyarrow.parquet as pq

    write_file(path, lambda file: pq.write_table(table, file, compression=COMPRESSION))


def write_csv(path: Path, table: Any) -> None:
    """Writes a pyarrow table as CSV with a header, complete or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    import pyarrow.csv

    write_file(path, lambda file: pyarrow.csv.write_csv(table, file))


def fitted(piece: Any, table: str) -> Any:
    """A pyarrow table with exactly the columns of the schema; those that it lacks are null."""
    import pyarrow as pa

    schema = arrow_schema(table)
    if piece.schema.equals(schema):
        return piece
    have = set(piece.schema.names)
    columns = [
        piece.column(f.name).cast(f.type) if f.name in have else pa.nulls(len(piece), f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _groups(pieces: Iterator[Any]) -> Iterator[Any]:
    group: list[Any] = []
    rows = size = 0
    for piece in pieces:
        group.append(piece)
        rows, size = rows + len(piece), size + piece.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield _joined(group)
            group, rows, size = [], 0, 0
    if group:
        yield _joined(group)


def _joined(group: list[Any]) -> Any:
    """One table in one chunk: thousands of tiny ones are slow to write."""
    import pyarrow as pa

    return pa.concat_tables(group).combine_chunks()
