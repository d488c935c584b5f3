"""Many part files merged into few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bnnray.results.folder import RunFolder
from bnnray.results.moving import Rows, by_file, others, remove_part
from bnnray.results.parts import Place, Problem
from bnnray.results.query import Tables, connect
from bnnray.results.schema import PARTED
from bnnray.results.tables import write_stream

MERGED_ROWS = 1_000_000
MERGED_BYTES = 256 * 2**20
"""A merged file has at most so many rows, and its sources so many bytes."""

COPIES = """
select filename, file_row_number from {view} semi join (
    select key, finished_at from {view} group by all having count(distinct filename) > 1
) using (key, finished_at)
anti join (
    select key, finished_at, max(filename) as filename from {view} group by all
) using (key, finished_at, filename)
"""
"""Rows that are in a newer file too, as a move was interrupted."""


@dataclass(frozen=True)
class Compaction:
    """How many part files there were and are, and those that were left alone as unreadable."""

    before: int
    after: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class _Part:
    path: Path
    rows: int
    size: int


def compact(run: RunFolder) -> Compaction:
    """Merges the part files of each table, archive included.

    A merged file is complete before its sources go; until then readers show its rows once.
    Only for who holds the run.

    Raises:
        StorageError: the folder cannot be written.
        RunFolderError: a file cannot be read, or is gone.
    """
    places = {
        **{f"live_{table}": run.live[table] for table in PARTED},
        **{f"archive_{table}": run.archive[table] for table in PARTED},
    }
    with connect(run) as tables:
        copies = {view: by_file(tables.fetch(COPIES.format(view=view))) for view in places}
        parts = {view: _parts(tables, view, place) for view, place in places.items()}
    counts = [_compact(place, parts[view], copies[view]) for view, place in places.items()]
    before = sum(map(len, parts.values()))
    return Compaction(before, sum(counts), tables.problems)


def _parts(tables: Tables, view: str, place: Place) -> list[_Part]:
    rows = dict(tables.fetch(f"select filename, count(*) from {view} group by all"))
    files = [path for path in tables.files if path.parent == place.folder]
    return [_Part(path, rows.get(str(path), 0), path.stat().st_size) for path in files]


def _compact(place: Place, parts: Sequence[_Part], copies: Rows) -> int:
    """Merges the files of one place; returns how many are left."""
    groups = list(_groups(parts))
    for group in groups:
        if len(group) > 1:
            pieces = (p for path in group for p in others(path, copies.get(path, ())))
            write_stream(place.new_part(), place.table, pieces)
            for path in group:
                remove_part(path)
    return len(groups)


def _groups(parts: Sequence[_Part]) -> Iterator[list[Path]]:
    """Neighbours that fit into one file. No part is split: a unit's rows stay in one file."""
    group: list[Path] = []
    rows = size = 0
    for part in parts:
        rows, size = rows + part.rows, size + part.size
        if group and (rows > MERGED_ROWS or size > MERGED_BYTES):
            yield group
            group, rows, size = [], part.rows, part.size
        group.append(part.path)
    if group:
        yield group
