"""Where events go: a few files of bounded size for each host and role.

Nothing here may stop a run. What cannot be written is dropped, and said once on standard error.
"""

from __future__ import annotations

import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

from bnnray.logs.event import Event, event_of
from bnnray.logs.log import ROOT

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning"]

FOLDER = "logs"
LARGEST, FILES = 5 * 2**20, 3
"""Bytes of a file, and how many are kept: 15 MiB for each host and role."""


@dataclass(frozen=True)
class LogSettings:
    """How a run logs; none of it changes an answer.

    Args:
        folder: of the files; only the driver makes it, as other hosts may not share it.
        format: of the lines.
        level: the least that is written.
    """

    folder: Path
    format: Format = "text"
    level: Level = "info"

    def line(self, event: Event) -> str:
        """An event as it is written."""
        return event.as_json() if self.format == "json" else event.as_text()


def attach(settings: LogSettings, role: str) -> logging.Handler:
    """Has the events of this process written to HOST-ROLE.log from now on."""
    handler = _File(settings, role)
    logger = logging.getLogger(ROOT)
    logger.addHandler(handler)
    logger.setLevel(settings.level.upper())
    return handler


@contextmanager
def logging_to(settings: LogSettings, role: str) -> Iterator[None]:
    """Has events written while the block runs; makes the folder."""
    with suppress(OSError):  # the first event finds that it is not there, and says so
        settings.folder.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger(ROOT)
    before = logger.level
    handler = attach(settings, role)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()


class _File(RotatingFileHandler):
    """A file that is put aside when it is full.

    Where another process of this host and role has put it aside, the next line goes to the new
    one: two keepers on a machine share a file.
    """

    def __init__(self, settings: LogSettings, role: str) -> None:
        path = settings.folder / f"{platform.node() or 'unknown'}-{role}.log"
        super().__init__(
            path, maxBytes=LARGEST, backupCount=FILES - 1, encoding="utf-8", delay=True
        )
        self._settings = settings
        self._complained = False

    def format(self, record: logging.LogRecord) -> str:
        return self._settings.line(event_of(record))

    def emit(self, record: logging.LogRecord) -> None:
        if not self._is_current():
            self._let_go()
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - so it is called there
        """Called in place of raising, for a full disk, a folder that is gone and so on."""
        self._let_go()
        if not self._complained:
            self._complained = True
            reason = getattr(sys.exc_info()[1], "strerror", None) or sys.exc_info()[1]
            with suppress(OSError, ValueError):
                print(
                    f"bnnray: warning: no log in {self.baseFilename}: {reason}; the run goes on",
                    file=sys.stderr,
                    flush=True,
                )

    def close(self) -> None:
        with suppress(OSError):
            super().close()

    def _is_current(self) -> bool:
        if self.stream is None:
            return True
        try:
            return os.path.samestat(os.fstat(self.stream.fileno()), os.stat(self.baseFilename))
        except (OSError, ValueError):
            return False

    def _let_go(self) -> None:
        stream, self.stream = self.stream, None
        with suppress(OSError, ValueError):
            if stream is not None:
                stream.close()
