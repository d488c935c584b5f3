"""How well a run used its slots."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bnnray.results import Record


@dataclass(frozen=True)
class SlotUse:
    """What became of the slots' time.

    Args:
        count: the most slots that there were at a time.
        busy_percent: share of the slots' time in which units ran, as their rows say.
        tail_seconds: from the first moment when a slot had nothing to do until the end.
        seconds: wall time of all of it.
    """

    count: int = 0
    busy_percent: float = 0.0
    tail_seconds: float = 0.0
    seconds: float = 0.0


class SlotAccount:
    """Adds up the time of slots, while keepers come and go.

    Args:
        clock: seconds since some moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._noted = clock()
        self._idle_since: float | None = None
        self._slots = self._most = 0
        self._there = self._busy = 0.0

    def note(self, slots: int, *, idle: bool) -> None:
        """How many slots there are from now on, and whether one of them gets nothing to do."""
        self._advance()
        self._slots = slots
        self._most = max(self._most, slots)
        if idle and self._idle_since is None:
            self._idle_since = self._noted

    def took(self, records: Sequence[Record]) -> None:
        """Records of one shard came: units that began together ran together."""
        ends: dict[datetime, datetime] = {}
        for record in records:
            began, ended = record.row["started_at"], record.row["finished_at"]
            ends[began] = max(ended, ends.get(began, ended))
        self._busy += sum((ended - began).total_seconds() for began, ended in ends.items())

    def use(self) -> SlotUse:
        """All until now."""
        self._advance()
        idle_since = self._noted if self._idle_since is None else self._idle_since
        return SlotUse(
            count=self._most,
            busy_percent=100 * self._busy / self._there if self._there else 0.0,
            tail_seconds=self._noted - idle_since,
            seconds=self._noted - self._began,
        )

    def _advance(self) -> None:
        now = self._clock()
        self._there += self._slots * (now - self._noted)
        self._noted = now
