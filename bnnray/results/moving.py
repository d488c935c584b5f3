"""Rows from part files into other part files, so that a kill at any moment loses none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bnnray.errors import RunFolderError, StorageError
from bnnray.results.parts import Place
from bnnray.results.tables import write_stream

Rows = Mapping[Path, Sequence[int]]
"""Rows by their numbers in the files that hold them, from 0."""

BATCH_ROWS = 10_000


def by_file(places: Sequence[tuple[str, int]]) -> dict[Path, list[int]]:
    """Rows from pairs of filename and number."""
    rows: defaultdict[Path, list[int]] = defaultdict(list)
    for filename, number in places:
        rows[Path(filename)].append(number)
    return dict(rows)


def copy_rows(rows: Rows, place: Place, reason: str | None = None) -> None:
    """Adds one part with these rows to a place; no rows, no part.

    Args:
        rows: what to copy.
        place: where to.
        reason: the column of that name, in the archive's results.

    Raises:
        StorageError: the folder cannot be written.
    """
    if rows:
        pieces = (p for path, numbers in rows.items() for p in chosen(path, numbers))
        write_stream(place.new_part(), place.table, (_with(piece, reason) for piece in pieces))


def drop_rows(rows: Rows, place: Place) -> None:
    """Takes rows out of a place: what stays is in new files before the old ones go.

    Raises:
        StorageError: the folder cannot be written.
    """
    for path, numbers in rows.items():
        if len(numbers) < _count(path):
            write_stream(place.new_part(), place.table, others(path, numbers))
        remove_part(path)


def chosen(path: Path, numbers: Sequence[int]) -> Iterator[Any]:
    """These rows of a file, as pyarrow tables."""
    return _filtered(path, numbers, keep=True)


def others(path: Path, numbers: Sequence[int]) -> Iterator[Any]:
    """All rows of a file but these, as pyarrow tables."""
    return _filtered(path, numbers, keep=False)


def _filtered(path: Path, numbers: Sequence[int], *, keep: bool) -> Iterator[Any]:
    import numpy as np
    import pyarrow as pa

    with read_part(path) as file:
        mask = np.full(file.metadata.num_rows, not keep)
        mask[np.asarray(numbers, np.intp)] = keep
        if mask.all():
            yield from map(_table, file.iter_batches(BATCH_ROWS))
            return
        start = 0
        for batch in file.iter_batches(BATCH_ROWS):
            part = mask[start : start + len(batch)]
            yield _table(batch).filter(pa.array(part))
            start += len(batch)


def _table(batch: Any) -> Any:
    import pyarrow as pa

    return pa.Table.from_batches([batch])


def _count(path: Path) -> int:
    with read_part(path) as file:
        return int(file.metadata.num_rows)


@contextmanager
def read_part(path: Path) -> Iterator[Any]:
    """A part as a pyarrow ParquetFile.

    Raises:
        RunFolderError: it is gone, or what is read of it is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield file
    except FileNotFoundError:
        raise _gone(path) from None
    except (OSError, pa.ArrowException) as error:
        raise RunFolderError(
            f"cannot read {path}: {' '.join(str(error).split())}; move it elsewhere, or let the "
            "next bnnray run move it away and do what is missing anew"
        ) from None


def remove_part(path: Path) -> None:
    """Deletes a part whose rows are in another one.

    Raises:
        RunFolderError: it is gone already.
        StorageError: the folder cannot be written.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        raise _gone(path) from None
    except OSError as error:
        raise StorageError(
            f"cannot remove {path}: {error.strerror}; make the folder writable, then run the same "
            "command again"
        ) from error


def _gone(path: Path) -> RunFolderError:
    return RunFolderError(
        f"{path} is gone: expected nobody else to change the run's files; see that nobody does, "
        "then run the same command again"
    )


def _with(piece: Any, reason: str | None) -> Any:
    import pyarrow as pa

    if reason is None:
        return piece
    return piece.append_column("reason", pa.array([reason] * len(piece), pa.string()))
