"""Signals that end a run early without losing what is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Drain:
    """What the signals have asked for.

    The handler only notes it: an exception raised from a handler inside a compiled wait, such
    as Ray's, comes out as another error. The run's loops look here several times a second.

    Attributes:
        requested: nothing new shall start, what runs gets a grace; after SIGINT or SIGUSR1.
        at_once: there shall be no grace; after a second SIGINT.
    """

    def __init__(self) -> None:
        self.requested = False
        self.at_once = False

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        self.at_once = self.at_once or (self.requested and number == signal.SIGINT)
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
