"""What the rest of the package says events with; Python's own logging carries them."""

from __future__ import annotations

import logging
from typing import Any

ROOT = "bnnray"
logging.getLogger(ROOT).addHandler(logging.NullHandler())


class Log:
    """Says events of one area of the package.

    An event is a name and fields: ``log.warning("unit_retried", key=unit.key, attempt=2)``. Where
    nobody listens it costs next to nothing.

    Args:
        area: the logger is ``bnnray.AREA``.
    """

    def __init__(self, area: str) -> None:
        self._logger = logging.getLogger(f"{ROOT}.{area}")

    def debug(self, event: str, **fields: Any) -> None:
        """What only a person who looks for a fault wants to see: every unit."""
        self.say(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """What tells the story of a run."""
        self.say(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """What went wrong, and was dealt with."""
        self.say(logging.WARNING, event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """What ends a run."""
        self.say(logging.ERROR, event, fields)

    def say(self, level: int, event: str, fields: dict[str, Any]) -> None:
        """Says an event at a level of Python's logging."""
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"fields": fields})
