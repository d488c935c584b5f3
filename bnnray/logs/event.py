"""An event and its line: key=value fields for people and grep, or a JSON object."""

from __future__ import annotations

import functools
import json
import logging
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LONGEST = 4000
"""Characters of a field; of a longer one the end is kept, where tracebacks say what happened."""

PLAIN = re.compile(r"[^\s\"=]+")
FIELD = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)')


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Args:
        time: in UTC, as 2026-03-01T12:00:00.000000Z, so that the order of texts is that of times.
        level: DEBUG, INFO, WARNING or ERROR.
        host: the machine that says it.
        name: what happened, such as unit_retried.
        fields: about what; numbers and texts.
    """

    time: str
    level: str
    host: str
    name: str
    fields: Mapping[str, Any]

    def about(self, key: str) -> bool:
        """Whether a unit of this content key is meant."""
        return key == self.fields.get("key") or key in str(self.fields.get("keys", "")).split(",")

    def as_text(self) -> str:
        """One line: time, level, host and key=value; what has spaces in it is quoted as in JSON."""
        fields = {"event": self.name, **self.fields}
        said = " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())
        return f"{self.time} {self.level} {self.host} {said}"

    def as_json(self) -> str:
        """One line: a JSON object of time, level, host, event, and the fields."""
        head = {"time": self.time, "level": self.level, "host": self.host, "event": self.name}
        return json.dumps({**head, **self.fields}, default=str)


def event_of(record: logging.LogRecord) -> Event:
    """What a record of Python's logging says; a plain message is an event without fields."""
    when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")
    given = getattr(record, "fields", {})
    fields = {name: _bounded(value) for name, value in given.items() if value is not None}
    return Event(f"{when[:-6]}Z", record.levelname, _host(), record.getMessage(), fields)


def parse_event(line: str) -> Event | None:
    """The event of a line in either format; None for what is neither, such as half a line."""
    return _parse_json(line) if line.startswith("{") else _parse_text(line)


def _parse_json(line: str) -> Event | None:
    try:
        found = json.loads(line)
        time, level, host, name = (str(found.pop(n)) for n in ("time", "level", "host", "event"))
    except (ValueError, KeyError):
        return None
    return Event(time, level, host, name, found)


def _parse_text(line: str) -> Event | None:
    time, _, rest = line.rstrip("\n").partition(" ")
    level, _, rest = rest.partition(" ")
    host, _, rest = rest.partition(" ")
    fields = {name: _unquoted(value) for name, value in FIELD.findall(rest)}
    name = fields.pop("event", "")
    return Event(time, level, host, name, fields) if name else None


def _bounded(value: Any) -> Any:
    if isinstance(value, int | float):
        return value
    text = str(value)
    return text if len(text) <= LONGEST else f"... {text[-LONGEST:]}"


def _quoted(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if PLAIN.fullmatch(text) else json.dumps(text)


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text)) if text.startswith('"') else text
    except ValueError:
        return text


@functools.cache
def _host() -> str:
    return platform.node() or "unknown"
