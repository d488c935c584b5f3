"""Where finished units go: Parquet parts in the run folder, or memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bnnray.logs import Log
from bnnray.results.batches import Batch, Buffer, Record, write_batch

log = Log("results")


class Sink(Protocol):
    """Takes finished units."""

    def append(self, records: Sequence[Record]) -> None:
        """Takes records; they are final after the next flush."""
        ...

    def flush(self) -> None:
        """Makes all that was taken final."""
        ...

    @property
    def unwritten(self) -> int:
        """Records that were taken and are not known to be final."""
        ...


class MemorySink:
    """Keeps records in memory: the fake."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, records: Sequence[Record]) -> None:
        self.records.extend(records)

    def flush(self) -> None:
        """Everything is where it stays."""

    @property
    def unwritten(self) -> int:
        """None."""
        return 0


class ParquetSink:
    """Writes immutable part files, flushed by time or count.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._buffer = Buffer()
        self._unwritten: deque[Batch] = deque()

    def append(self, records: Sequence[Record]) -> None:
        """Takes records, and flushes if it is time.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._buffer.add(records)
        if self._buffer.due:
            self.flush()

    def flush(self) -> None:
        """Writes what was taken.

        Raises:
            StorageError: the folder cannot be written; the records are kept for another try.
        """
        self._unwritten += self._buffer.take()
        while self._unwritten:
            write_batch(self._folder, self._unwritten[0].id, self._unwritten[0].records)
            log.debug("rows_written", rows=len(self._unwritten.popleft().records))

    @property
    def unwritten(self) -> int:
        """Records that were taken and are not in a part yet."""
        return len(self._buffer) + sum(len(batch.records) for batch in self._unwritten)
