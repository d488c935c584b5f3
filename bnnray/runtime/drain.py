"""Signals that end a run early without losing what is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Drain:
    """Whether the run was asked to end.

    The first SIGINT or SIGUSR1 asks for a drain: nothing new starts, what runs gets a grace.
    A second SIGINT raises KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.requested = False

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def draining() -> Iterator[Drain]:
    """Handles the signals while the run goes; outside the main thread there is nothing to do."""
    drain = Drain()
    if threading.current_thread() is not threading.main_thread():
        yield drain
        return
    before = {s: signal.signal(s, drain.handle) for s in (signal.SIGINT, signal.SIGUSR1)}
    try:
        yield drain
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
