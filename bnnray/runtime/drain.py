"""Signals that end a run early without losing what is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from bnnray.errors import Interrupted

Handler = Callable[[int, FrameType | None], None]


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
    with _handled_by(drain.handle):
        yield drain


@contextmanager
def interrupting(message: str) -> Iterator[None]:
    """Lets the signals end at once what has nothing to drain.

    Raises:
        Interrupted: with the message, when a signal comes.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted(message)

    with _handled_by(interrupt):
        yield


@contextmanager
def _handled_by(handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {s: signal.signal(s, handler) for s in (signal.SIGINT, signal.SIGUSR1)}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
