"""What a keeper and the process of a slot say to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bnnray.attacks import Found
from bnnray.errors import LicenceTaken
from bnnray.job import Unit
from bnnray.results import Record
from bnnray.runtime.context import RunContext


@dataclass(frozen=True, eq=False)
class Errand:
    """To the slot: units to search together.

    Args:
        units: of one attack, model and threat.
        attempt: of each of them, 1 for the first.
        context: with their images; the networks are there already.
    """

    units: tuple[Unit, ...]
    attempt: int
    context: RunContext


@dataclass(frozen=True)
class Begun:
    """From the slot: the clocks of these units run, by their keys. The others ask nothing."""

    keys: frozenset[str]


@dataclass(frozen=True, eq=False)
class News:
    """From the slot: all that a unit has found so far."""

    key: str
    found: Found


@dataclass(frozen=True, eq=False)
class Ended:
    """From the slot: the units of the errand have ended."""

    records: Sequence[Record]


@dataclass(frozen=True)
class NoSolver:
    """From the slot: the solver's process cannot be started, so nothing can be searched."""

    reason: str


@dataclass(frozen=True)
class NoLicence:
    """From the slot: the units of the errand wait for a licence."""

    refusal: LicenceTaken


@dataclass(frozen=True)
class Said:
    """From the slot: something for the log, at a level of Python's logging."""

    level: int
    event: str
    fields: Mapping[str, str]


Message = Begun | News | Ended | NoSolver | NoLicence | Said
