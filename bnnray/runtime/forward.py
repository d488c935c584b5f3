"""How events of a slot's process get to the log: over its keeper, which writes them."""

from __future__ import annotations

import logging
from multiprocessing.connection import Connection

from bnnray.logs import LogSettings
from bnnray.logs.log import ROOT
from bnnray.runtime.slot_messages import Said


def forward(connection: Connection, settings: LogSettings | None) -> None:
    """Sends the events of this process to its keeper from now on.

    Args:
        connection: to the keeper.
        settings: of the run; None for a run without logs.
    """
    if settings is not None:
        logger = logging.getLogger(ROOT)
        logger.setLevel(settings.level.upper())
        logger.addHandler(_ToKeeper(connection))


class _ToKeeper(logging.Handler):
    """Everything that is said in a slot's process is said by the thread that talks."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    def emit(self, record: logging.LogRecord) -> None:
        fields = {k: str(v) for k, v in getattr(record, "fields", {}).items()}
        self._connection.send(Said(record.levelno, record.getMessage(), fields))
