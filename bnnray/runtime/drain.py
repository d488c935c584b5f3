"""Signals that end a run early without losing what is done."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from bnnray.errors import Interrupted

LAST_SECONDS = 3.0
"""How long the last results may take to get to the disk after a second SIGINT."""


class Drain:
    """What the signals have asked for.

    A first one is only noted. A second SIGINT raises KeyboardInterrupt where nothing is written,
    unless the run is in :meth:`noting`: an exception raised from a handler inside a compiled wait,
    such as DuckDB's or Ray's, may come out as another error. There the run's loops look several
    times a second.

    Attributes:
        requested: nothing new shall start, what runs gets a grace; after SIGINT or SIGUSR1.
        at_once: there shall be no grace; after a second SIGINT.
    """

    def __init__(self) -> None:
        self.requested = False
        self.at_once = False
        self.raised = False
        self._pressed = 0.0
        self._noting = False

    def handle(self, number: int, _frame: FrameType | None) -> None:
        """The signal handler."""
        again = self.requested and number == signal.SIGINT
        if again and not self.at_once:
            self._pressed = time.monotonic()
        self.at_once = self.at_once or again
        self.requested = True
        if again and not self._noting:
            self.raised = True
            raise KeyboardInterrupt

    @contextmanager
    def noting(self) -> Iterator[None]:
        """A second SIGINT is only noted, too."""
        self._noting = True
        try:
            yield
        finally:
            self._noting = False

    def check(self, what: str) -> None:
        """Ends the run if a signal came; for between the steps of it.

        Args:
            what: was interrupted, and what the same command does about it.

        Raises:
            KeyboardInterrupt: SIGINT came twice.
            Interrupted: another signal.
        """
        if self.at_once:
            raise KeyboardInterrupt
        if self.requested:
            raise Interrupted(f"interrupted {what}")

    def check_last(self) -> None:
        """Ends a wait for the disk that takes too long after a second SIGINT.

        Raises:
            KeyboardInterrupt: its time is over.
        """
        if self.at_once and time.monotonic() - self._pressed >= LAST_SECONDS:
            raise KeyboardInterrupt


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
    except Exception:
        if drain.raised:  # and something compiled has made another error of it
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
