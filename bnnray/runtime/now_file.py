"""Telling whoever watches a run what its driver does: a thread writes, so that the driver never
waits for a disk."""

from __future__ import annotations

import functools
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from bnnray.errors import StorageError
from bnnray.files import write_file
from bnnray.results.now import NOW, Now

EVERY_SECONDS = 3.0


class NowFile:
    """The file, which nothing depends on: what cannot be written is dropped.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told = 0.0
        self._next: queue.SimpleQueue[Now | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="now", daemon=True)
        self._thread.start()

    @property
    def due(self) -> bool:
        """Whether it is time to tell, and the last is written."""
        return time.monotonic() - self._told >= EVERY_SECONDS and self._next.empty()

    def tell(self, now: Now) -> None:
        """Has it written soon."""
        self._told = time.monotonic()
        self._next.put(now)

    def close(self) -> None:
        """Ends the thread, unless the disk holds it, and removes the file."""
        self._next.put(None)
        self._thread.join(timeout=1.0)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        while (now := self._next.get()) is not None:
            with suppress(StorageError):
                write_file(self._path, functools.partial(_write_into, now.encode()))


def _write_into(content: bytes, file: BinaryIO) -> None:
    file.write(content)


@contextmanager
def telling(folder: Path) -> Iterator[NowFile]:
    """The file of a run folder, while the block runs."""
    path = folder / NOW
    with suppress(OSError):
        path.unlink(missing_ok=True)  # of a driver that was killed
    file = NowFile(path)
    try:
        yield file
    finally:
        file.close()
