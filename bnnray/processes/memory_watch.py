"""Holds a process to a cap of its memory while its owner may be busy with something else."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bnnray.processes.process import Process

LOOK_SECONDS = 0.05


class MemoryWatch:
    """Looks at a process's memory 20 times a second, and kills it when it outgrows its cap.

    Args:
        process: that is watched.
        cap: of its resident memory in bytes.

    Attributes:
        over: whether it was killed for that.
        peak: the largest memory that was seen, in bytes.
    """

    def __init__(self, process: Process, cap: float) -> None:
        self._process = process
        self._cap = cap
        self._done = threading.Event()
        self.over = False
        self.peak = 0

    def run(self) -> None:
        """Watches until :meth:`stop`."""
        while not (self.over or self._done.wait(LOOK_SECONDS)):
            self.peak = max(self.peak, self._process.memory())
            if self.peak > self._cap:
                self.over = True
                self._process.kill()

    def stop(self) -> None:
        """Ends the watch."""
        self._done.set()


@contextmanager
def watching(process: Process, cap: float) -> Iterator[MemoryWatch]:
    """Watches a process in a thread; does nothing without a cap."""
    watch = MemoryWatch(process, cap)
    if math.isinf(cap):
        yield watch
        return
    thread = threading.Thread(target=watch.run, name="memory watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()
