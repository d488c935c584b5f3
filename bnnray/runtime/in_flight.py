"""Which of the shards that keepers have run, and which wait there for a slot."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from bnnray.results.now import Now, RunningShard
from bnnray.runtime.cluster import Place, Shard


class InFlight:
    """Follows shards on their way; a slot that gets free takes the one that came first.

    Args:
        clock: seconds since some moment.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._running: dict[Shard, tuple[Place, float]] = {}
        self._busy: Counter[Place] = Counter()
        self._behind: defaultdict[Place, dict[Shard, None]] = defaultdict(dict)

    def out(self, shard: Shard, place: Place) -> None:
        """A shard was handed to a keeper."""
        if self._busy[place] < place.slots:
            self._start(shard, place)
        else:
            self._behind[place][shard] = None

    def back(self, shard: Shard, place: Place) -> None:
        """It came back, from its slot or from behind others."""
        behind = self._behind[place]
        if shard in behind:
            del behind[shard]
            return
        del self._running[shard]
        self._busy[place] -= 1
        if behind:
            first = next(iter(behind))
            del behind[first]
            self._start(first, place)

    def look(self, places: Sequence[Place], waiting: int) -> Now:
        """What a watcher sees.

        Args:
            places: the keepers that are there.
            waiting: units that no keeper has.
        """
        behind = sum(len(s.units) for shards in self._behind.values() for s in shards)
        running = tuple(self._seen(shard) for shard in self._running)
        slots = sum(place.slots for place in places)
        return Now(slots, len(running), waiting + behind, running)

    def _start(self, shard: Shard, place: Place) -> None:
        self._busy[place] += 1
        self._running[shard] = (place, self._clock())

    def _seen(self, shard: Shard) -> RunningShard:
        place, since = self._running[shard]
        first = shard.units[0]
        return RunningShard(
            attack=first.attack.name,
            model=first.model,
            points=tuple(unit.point for unit in shard.units),
            epsilon=float(first.threat.epsilon),
            attempt=shard.attempt,
            host=place.host,
            seconds=round(self._clock() - since, 1),
        )
