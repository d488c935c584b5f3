"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is: only a failure keeps bnnray from its work."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Args:
        level: how bad it is.
        said: what was found, in one line.
        hint: what to do, in one line; empty where nothing is.
        check: the check's name, which :func:`bnnray.doctor.examine` fills in.
    """

    level: Level
    said: str
    hint: str = ""
    check: str = ""


def ok(said: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, said)


def note(said: str, hint: str = "") -> Finding:
    """Worth knowing, and fine for most."""
    return Finding(Level.NOTE, said, hint)


def warning(said: str, hint: str) -> Finding:
    """It works, and may end badly."""
    return Finding(Level.WARNING, said, hint)


def failure(said: str, hint: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAILURE, said, hint)
