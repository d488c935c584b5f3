"""What a driver does at the moment, as it tells whoever watches: hints, and no part of a result."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from bnnray.logs import FOLDER

NOW = Path(FOLDER) / "now.json"

STALE_SECONDS = 60.0
"""A driver that lives has written it anew by then."""


@dataclass(frozen=True)
class RunningShard:
    """Units that a slot has taken together.

    Args:
        attack, model: names.
        points: of its units.
        epsilon: budget per pixel.
        attempt: of each of them, 1 for the first.
        host: the machine.
        seconds: since it took them.
    """

    attack: str
    model: str
    points: tuple[int, ...]
    epsilon: float
    attempt: int
    host: str
    seconds: float


@dataclass(frozen=True)
class Now:
    """What a driver does.

    Args:
        slots: that there are.
        busy: those that have something to do.
        waiting: units that no slot has taken.
        running: what the busy slots do, the longest first.
    """

    slots: int
    busy: int
    waiting: int
    running: tuple[RunningShard, ...]

    def encode(self) -> bytes:
        """The file's content."""
        return (json.dumps(asdict(self)) + "\n").encode()


def read_now(folder: Path) -> Now | None:
    """What the driver of a run folder said last; None where it says nothing, or said it long ago by
    the clocks of this machine and the file's."""
    try:
        path = folder / NOW
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            return None
        found = json.loads(path.read_bytes())
        shards = [RunningShard(**s | {"points": tuple(s["points"])}) for s in found.pop("running")]
        return Now(**found, running=tuple(shards))
    except (OSError, ValueError, KeyError, TypeError):
        return None
