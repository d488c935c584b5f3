"""Keepers that are there but cannot start anything, such as on a node without a free process."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from bnnray.errors import SetupError
from bnnray.logs import Log
from bnnray.runtime.cluster import Place, ShardDone

FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
"""Seconds for which a sick keeper gets nothing; they double each time."""

STUCK_SECONDS = 60.0
"""How long a run goes on in which every keeper is sick and nothing runs."""

log = Log("sickness")


@dataclass(frozen=True)
class Spell:
    """How long a sick keeper gets nothing, and until when."""

    delay: float
    until: float


class Sickness:
    """Which keepers give shards back in vain.

    Args:
        clock: seconds since some moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._spells: dict[Place, Spell] = {}
        self._stuck_since: float | None = None
        self._reason = ""

    def took(self, place: Place, done: ShardDone) -> None:
        """A shard came back from a keeper."""
        if done.in_vain:
            self._reason = done.error or "no unit began"
            self._worsen(place)
        elif not done.keeper_lost:
            self._spells.pop(place, None)
        if done.records:
            self._stuck_since = None

    def rests(self, place: Place) -> bool:
        """Whether a keeper shall get nothing now."""
        return place in self._spells and self._clock() < self._spells[place].until

    def check(self, places: Collection[Place]) -> None:
        """Looks whether anything can go on, while nothing runs.

        Args:
            places: the keepers that could run what waits.

        Raises:
            SetupError: all of these have been sick for too long.
        """
        now = self._clock()
        if not places or any(place not in self._spells for place in places):
            self._stuck_since = None
            return
        self._stuck_since = now if self._stuck_since is None else self._stuck_since
        if now - self._stuck_since >= STUCK_SECONDS:
            raise SetupError(
                f"no slot could start anything for {STUCK_SECONDS:.0f} s: {self._reason}; see to "
                "that, and run the same command again"
            )

    def _worsen(self, place: Place) -> None:
        """Shards that came back while it rests were handed out before, and say nothing new."""
        if self.rests(place):
            return
        last = self._spells.get(place)
        delay = min(2 * last.delay, LONGEST_DELAY) if last else FIRST_DELAY
        self._spells[place] = Spell(delay, self._clock() + delay)
        log.warning("keeper_rests", keeper=place.name, seconds=delay, reason=self._reason)
