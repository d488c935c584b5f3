"""Logs: one line for each event, in files of bounded size in the run folder."""

from bnnray.logs.event import Event
from bnnray.logs.files import FOLDER, Format, Level, LogSettings, attach, logging_to
from bnnray.logs.log import Log
from bnnray.logs.reading import follow_events, read_events

__all__ = [
    "FOLDER",
    "Event",
    "Format",
    "Level",
    "Log",
    "LogSettings",
    "attach",
    "follow_events",
    "logging_to",
    "read_events",
]
