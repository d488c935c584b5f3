"""A process that a nursery forked, as its owner sees it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bnnray.errors import ProcessError
from bnnray.processes.requests import TALK_SECONDS, Death, Kill, Role, Start, Status, connect

START_SECONDS = 60.0
STATUS_SECONDS = 5.0
REQUEST_SECONDS = 2.0
REST_SECONDS = 2.0
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Process:
    """Forks a process that plays a role.

    Args:
        nursery: address of the one that forks it.
        role: a function of a module, called with the process's end of :attr:`connection` and the
            arguments.
        arguments: picklable.

    Attributes:
        connection: to talk with it.
        last_words: the end of what it wrote to standard error, once it has an obituary.

    Raises:
        ProcessError: the nursery does not answer, or the process does not start.
    """

    def __init__(self, nursery: str, role: Role, *arguments: Any) -> None:
        self._nursery = nursery
        self.last_words = ""
        try:
            self.connection = connect(nursery, TALK_SECONDS)
            self.connection.send(Start(role, arguments, os.getpid()))
            if not self.connection.poll(START_SECONDS):
                raise TimeoutError(f"no sign of life for {START_SECONDS:.0f} s")
            self.pid, self._number = self.connection.recv()
        except (EOFError, OSError) as error:
            reason = str(error) or "the system forks no more; see ulimit -u and free memory"
            raise ProcessError(f"a process of a slot did not start: {reason}") from None

    def kill(self) -> None:
        """Ends it at once; any thread may call this, at any time."""
        with contextlib.suppress(EOFError, OSError), self._ask() as nursery:
            nursery.send(Kill(self._number))

    def close(self) -> None:
        """Ends it and hangs up; for the thread that talks with it."""
        self.kill()
        self.connection.close()

    def rest(self) -> Iterator[Any]:
        """Ends it, and yields what it had said by then: an answer counts also at the last moment.

        Raises:
            EOFError, OSError: that was all.
        """
        self.kill()
        deadline = time.monotonic() + REST_SECONDS
        while self.connection.poll(max(0.0, deadline - time.monotonic())):
            yield self.connection.recv()

    def obituary(self) -> str:
        """How it ended, as the rest of a sentence that begins with its name."""
        death = self._death()
        if death is None:
            return "hung up and was killed"
        status, self.last_words = death.status, death.words
        if os.WIFSIGNALED(status):
            return f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
        return f"ended with exit code {os.WEXITSTATUS(status)}"

    def memory(self) -> int:
        """Its resident memory in bytes; 0 when it is gone or the system does not say."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE_BYTES
        except (OSError, IndexError):
            return 0

    def _ask(self) -> Connection:
        return connect(self._nursery, REQUEST_SECONDS)

    def _death(self) -> Death | None:
        deadline = time.monotonic() + STATUS_SECONDS
        while time.monotonic() < deadline:
            try:
                with self._ask() as nursery:
                    nursery.send(Status(self._number))
                    death: Death | None = nursery.recv()
            except (EOFError, OSError):
                return None
            if death is not None:
                return death
            time.sleep(0.01)
        self.kill()
        return None
