"""Batches: records that are written together, under one id, as often as need be."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bnnray.results.parts import new_batch_id, part_name
from bnnray.results.schema import PARTED
from bnnray.results.tables import Row, write_table

FLUSH_SECONDS = 5.0
FLUSH_UNITS = 5000


@dataclass(frozen=True)
class Record:
    """One finished unit: its row, its anytime curve, its perturbed input, IProp's record and the
    exact engine's proof."""

    row: Row
    trace: Sequence[Row] = ()
    witness: Row | None = None
    subproblems: Sequence[Row] = ()
    proof: Row | None = None


@dataclass(frozen=True)
class Batch:
    """Records with the id that names their part files."""

    id: str
    records: tuple[Record, ...]


def write_batch(folder: Path, batch_id: str, records: Sequence[Record]) -> None:
    """Writes the parts of a batch; once more, it replaces the same files.

    The rows are written last, so a row that can be seen has its witness and all else.

    Raises:
        StorageError: the folder cannot be written.
    """
    rows: dict[str, list[Row]] = {
        "witnesses": [r.witness for r in records if r.witness is not None],
        "trace": [point for r in records for point in r.trace],
        "subproblems": [subproblem for r in records for subproblem in r.subproblems],
        "proofs": [r.proof for r in records if r.proof is not None],
        "results": [r.row for r in records],
    }
    for table in PARTED:
        if rows[table]:
            write_table(folder / table / part_name(batch_id), table, rows[table])


class Buffer:
    """Gathers records until it is time to write them."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._taken = time.monotonic()

    def add(self, records: Sequence[Record]) -> None:
        """Takes records."""
        self._records.extend(records)

    def __len__(self) -> int:
        return len(self._records)

    @property
    def due(self) -> bool:
        """Whether it is time, by seconds or by count."""
        late = time.monotonic() - self._taken >= FLUSH_SECONDS
        return late or len(self._records) >= FLUSH_UNITS

    def take(self) -> list[Batch]:
        """What was gathered as a batch with its id for good; none if it is nothing."""
        self._taken = time.monotonic()
        records, self._records = tuple(self._records), []
        return [Batch(new_batch_id(), records)] if records else []
