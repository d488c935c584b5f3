"""What a forked process wrote to standard error before it died; a flood of it fills nothing."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import re
import sys

LONGEST = 4000
"""Characters that are kept, the last ones."""

MOST_BYTES = 2**20
"""More than a pipe holds: one read empties it."""

STANDARD_ERROR = 2

MODULES = re.compile(r"^Extension modules: .*$", re.MULTILINE)
"""The last line of a stack: all that is loaded, which would leave no room for the stack."""


class LastWords:
    """A pipe that becomes a process's standard error. Nobody waits for it: what does not fit into
    it (64 KiB, usually) is lost. It is read when the process is dead.

    Attributes:
        mine: that of this process, once it has one.
    """

    mine: LastWords | None = None

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def take(self) -> None:
        """In the process: has it write there, also where and how it dies of a signal."""
        os.dup2(self._writer, STANDARD_ERROR)
        os.close(self._writer)
        faulthandler.enable(STANDARD_ERROR)
        sys.stderr = sys.__stderr__ = _Errors()  # type: ignore[misc, assignment]
        LastWords.mine = self

    def leave(self) -> None:
        """In whoever forked the process: leaves the writing to it."""
        os.close(self._writer)

    def close(self) -> None:
        """Lets go of the reading end."""
        os.close(self._reader)

    def read(self) -> str:
        """All that was written since the last time, or the end of it."""
        with contextlib.suppress(BlockingIOError):
            text = os.read(self._reader, MOST_BYTES).decode(errors="replace")
            return MODULES.sub("", text).strip()[-LONGEST:]
        return ""


def forget_words() -> None:
    """Makes room: what this process wrote until now is about something that went well."""
    if LastWords.mine is not None:
        LastWords.mine.read()


class _Errors(io.TextIOBase):
    """Standard error for Python, to which it is an error that a pipe is full."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            os.write(STANDARD_ERROR, text.encode(errors="replace"))
        return len(text)

    def fileno(self) -> int:
        return STANDARD_ERROR
