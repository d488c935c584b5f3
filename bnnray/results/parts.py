"""Part files: their names, and which of them can be read."""

from __future__ import annotations

import base64
import functools
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from bnnray.results.schema import SCHEMA_VERSION, TABLES

MAGIC = b"PAR1"
TAIL_BYTES = 4 + len(MAGIC)
"""A Parquet file ends with the length of its footer and the magic."""


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
    columns: set[bytes] = set()
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


def _columns(path: Path, table: str) -> bytes:
    """The columns of a part, as Arrow encodes them."""
    footer = _footer(path)
    tag = (_value(footer, b"bnnray") or b"").decode(errors="replace")
    name, _, version = tag.partition(" ")
    if not version.isdecimal():
        raise Unreadable("not a file of bnnray")
    if name != table:
        raise Unreadable(f"expected rows of {table}, got {name}")
    if int(version) > SCHEMA_VERSION:
        raise Unreadable(f"expected schema version {SCHEMA_VERSION} or older, got {version}")
    columns = _value(footer, b"ARROW:schema") or b""
    unknown = _names(columns) - {c.name for c in TABLES[table]}
    if unknown:
        raise Unreadable(f"made by a newer bnnray: it has the column {min(unknown)}")
    return columns


@functools.lru_cache(256)
def _names(columns: bytes) -> frozenset[str]:
    """Names of columns as Arrow encodes them."""
    import pyarrow as pa

    try:
        return frozenset(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(columns))).names)
    except (ValueError, OSError):
        return frozenset()


def _footer(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size == 0:
            raise Unreadable("empty")
        file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != MAGIC or length > size - TAIL_BYTES - len(MAGIC):
            raise Unreadable("not Parquet, or cut off")
        file.seek(size - TAIL_BYTES - length)
        return file.read(length)


def _value(footer: bytes, name: bytes) -> bytes | None:
    """A value of the footer's metadata, found without decoding the rest of the footer.

    Thrift's compact protocol writes key and value as 0x18, length, bytes. The metadata come
    after the statistics of the columns, so the last match is theirs.
    """
    head = b"\x18" + bytes([len(name)]) + name + b"\x18"
    at = footer.rfind(head)
    if at < 0:
        return None
    length, start = _varint(footer, at + len(head))
    return footer[start : start + length]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and where it ends."""
    value = shift = 0
    while at < len(data) and data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | (data[at] if at < len(data) else 0) << shift, at + 1
