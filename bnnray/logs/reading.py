"""The events of a run, out of the files of all its hosts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bnnray.errors import StorageError
from bnnray.logs.event import Event, parse_event

POLL_SECONDS = 0.5


def read_events(folder: Path, key: str = "", host: str = "") -> list[Event]:
    """What the logs of a run say, the oldest first.

    Args:
        folder: of the logs; one that is not there says nothing.
        key: only what is about this unit; all if empty.
        host: only what this machine says; all if empty.

    Raises:
        StorageError: a file cannot be read.
    """
    return _wanted(_Files(folder, key).new_lines(), key, host)


def follow_events(folder: Path, host: str, over: Callable[[], bool]) -> Iterator[Event]:
    """The same as it comes, until ``over`` says that no more will.

    Raises:
        StorageError: a file cannot be read.
    """
    files = _Files(folder)
    while True:
        last = over()
        yield from _wanted(files.new_lines(), "", host)
        if last:
            return
        time.sleep(POLL_SECONDS)


class _Files:
    """What is new in files that grow and are renamed when they are full; a file is known again by
    its first line.

    Args:
        folder: of the files.
        word: lines without it are passed over.
    """

    def __init__(self, folder: Path, word: str = "") -> None:
        self._folder = folder
        self._word = word.encode()
        self._read: dict[bytes, int] = {}

    def new_lines(self) -> list[str]:
        """The lines that were written to any file since the last look."""
        paths = sorted(self._folder.glob("*.log*"), reverse=True)  # .log.1 is older than .log
        lines = [line for path in paths for line in self._new(path)]
        return [line.decode(errors="replace") for line in lines if self._word in line]

    def _new(self, path: Path) -> list[bytes]:
        """A line that is not complete yet is left for the next look."""
        try:
            with path.open("rb") as file:
                first = file.readline()
                file.seek(self._read.get(first, 0))
                lines = [line for line in file if line.endswith(b"\n")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}; make it readable") from None
        self._read[first] = self._read.get(first, 0) + sum(map(len, lines))
        return lines


def _wanted(lines: list[str], key: str, host: str) -> list[Event]:
    events = [event for event in map(parse_event, lines) if event is not None]
    found = [e for e in events if (not key or e.about(key)) and (not host or e.host == host)]
    return sorted(found, key=lambda event: event.time)
