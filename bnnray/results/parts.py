"""Part files: their names, and which of them can be read."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from bnnray.results.schema import SCHEMA_VERSION, TABLES


@dataclass(frozen=True)
class Place:
    """Where part files of one table lie.

    Args:
        table: a name of the schema.
        folder: of the part files.
    """

    table: str
    folder: Path

    def parts(self) -> list[Path]:
        """The finished part files, oldest first.

        Two listings must agree: one listing alone may miss both a file that is replaced
        meanwhile and the one that takes its place.
        """
        found = self._names()
        while (again := self._names()) != found:
            found = again
        return [self.folder / name for name in sorted(found)]

    def new_part(self) -> Path:
        """A path for one more part."""
        return self.folder / part_name(new_batch_id())

    def _names(self) -> set[str]:
        return {path.name for path in self.folder.glob("part-*.parquet")}


@dataclass(frozen=True)
class Problem:
    """A part file that is left out.

    Args:
        path: of the file.
        reason: what is wrong with it.
        damaged: False where the system did not let it be read; the file itself may be whole.
    """

    path: Path
    reason: str
    damaged: bool = True


@dataclass(frozen=True)
class Parts:
    """The part files of a place.

    Args:
        place: where they lie.
        files: those that can be read, oldest first.
        problems: the others.
        alike: whether all of the first have the same columns.
    """

    place: Place
    files: tuple[Path, ...]
    problems: tuple[Problem, ...]
    alike: bool


class Unreadable(Exception):
    """A file is no part of a table."""


def new_batch_id() -> str:
    """Of a batch or part: when it was made, and what makes it unique."""
    return f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"


def part_name(batch_id: str) -> str:
    """The name of a batch's part files, the same in every table."""
    return f"part-{batch_id}.parquet"


def sound_parts(place: Place) -> Parts:
    """The part files of a place, told apart by their footers alone.

    Raises:
        FileNotFoundError: one is gone since it was listed.
    """
    return check_parts(place, place.parts())


def check_parts(place: Place, paths: list[Path]) -> Parts:
    """These files of a place, told apart by their footers alone.

    Raises:
        FileNotFoundError: one is gone.
    """
    files: list[Path] = []
    problems: list[Problem] = []
    columns: set[str] = set()
    for path in paths:
        try:
            columns.add(_columns(path, place.table))
            files.append(path)
        except Unreadable as problem:
            problems.append(Problem(path, str(problem)))
        except FileNotFoundError:
            if not path.is_symlink():
                raise
            problems.append(Problem(path, "a link to nothing", damaged=False))
        except OSError as error:
            problems.append(Problem(path, f"{error.strerror}", damaged=False))
    return Parts(place, tuple(files), tuple(problems), alike=len(columns) == 1)


def _columns(path: Path, table: str) -> str:
    """The columns of a part, in words."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                raise Unreadable("empty")
            schema = pq.read_schema(file)
    except pa.ArrowException:
        raise Unreadable("not Parquet, or cut off") from None
    tag = (schema.metadata or {}).get(b"bnnray", b"").decode(errors="replace")
    name, _, version = tag.partition(" ")
    if not version.isdecimal():
        raise Unreadable("not a file of bnnray")
    if name != table:
        raise Unreadable(f"expected rows of {table}, got {name}")
    if int(version) > SCHEMA_VERSION:
        raise Unreadable(f"expected schema version {SCHEMA_VERSION} or older, got {version}")
    unknown = set(schema.names) - {c.name for c in TABLES[table]}
    if unknown:
        raise Unreadable(f"made by a newer bnnray: it has the column {min(unknown)}")
    return str(schema.remove_metadata())
