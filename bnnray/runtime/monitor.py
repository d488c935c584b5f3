"""What a run says of itself while it goes, for whoever watches it: the seam to Ray's metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bnnray.results import Record

REPORT_SECONDS = 1.0
"""How often a driver says how it stands."""


@dataclass(frozen=True)
class Load:
    """How busy a keeper is.

    Args:
        host: where it is; empty if that can change.
        pool: SLOTS or GPU.
        slots: how many shards run in it at a time.
        shards: how many it has.
    """

    host: str
    pool: str
    slots: int
    shards: int


@dataclass(frozen=True)
class Standing:
    """How a run stands at a moment.

    Args:
        waiting: units that no keeper has.
        loads: of the keepers that take shards.
        written: rows of this session that are on disk.
        lag: seconds since the oldest row came that is not on disk; 0 if all are.
        licence_waits: how often units were put back as no licence was free.
    """

    waiting: int
    loads: Sequence[Load]
    written: int
    lag: float
    licence_waits: int = 0


class Monitor(Protocol):
    """Is told what happens in a run. Nothing depends on it, so it raises nothing."""

    def finished(self, records: Sequence[Record]) -> None:
        """Units have ended."""
        ...

    def searched(self, attack: str, pool: str, units: int) -> None:
        """A keeper of this pool has searched a batch of units together."""
        ...

    def retried(self, units: int, lost: str) -> None:
        """Units will be tried again, as their slot's process or their keeper was lost."""
        ...

    def stands(self, standing: Standing) -> None:
        """The run stands like this now."""
        ...


class NoMonitor:
    """Nobody watches."""

    def finished(self, records: Sequence[Record]) -> None:
        pass

    def searched(self, attack: str, pool: str, units: int) -> None:
        pass

    def retried(self, units: int, lost: str) -> None:
        pass

    def stands(self, standing: Standing) -> None:
        pass
