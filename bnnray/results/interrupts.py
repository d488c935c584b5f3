"""Ctrl-C while DuckDB works."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interruptible(connection: Any) -> Iterator[None]:
    """Lets Ctrl-C end a statement, and be a KeyboardInterrupt whatever DuckDB makes of it.

    DuckDB looks at signals itself; what Python's own handler raises there comes out as an error
    about a file or a failed query. Handlers that raise nothing, such as a drain's, stay.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    pressed = False

    def handle(*_: object) -> None:
        nonlocal pressed
        pressed = True
        connection.interrupt()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    except Exception:
        if not pressed:
            raise
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt
