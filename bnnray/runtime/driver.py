"""The one loop that waits: it hands out shards, takes records and gives them to the sink."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from bnnray.attacks import attack_type
from bnnray.job import Unit, shards
from bnnray.results import Record, Sink
from bnnray.runtime.cluster import GPU, SLOTS, Cluster, Shard, ShardDone
from bnnray.runtime.context import RunContext
from bnnray.runtime.drain import Drain
from bnnray.runtime.records import crashed

TICK_SECONDS = 0.2
SHORT_SECONDS = 2.0
"""Units with cutoffs up to this share a shard, so that handing out costs little."""

LARGEST_SHARD = 16


class RecordListener(Protocol):
    """Is told of finished units."""

    def __call__(self, records: Sequence[Record], /) -> None: ...


class Driver:
    """Runs units on a cluster.

    Args:
        cluster: started.
        pools: how many shards each of its pools keeps in flight.
        sink: where records go.
        context: of the run.
        on_records: is told of finished units.
    """

    def __init__(
        self,
        cluster: Cluster,
        pools: Mapping[str, int],
        sink: Sink,
        context: RunContext,
        on_records: RecordListener,
    ) -> None:
        self._cluster = cluster
        self._pools = pools
        self._sink = sink
        self._context = context
        self._on_records = on_records
        self._waiting: dict[str, deque[list[Unit]]] = {pool: deque() for pool in pools}
        self._in_flight: Counter[str] = Counter()
        self._pool_of: dict[str, str] = {}

    def run(self, units: Sequence[Unit], drain: Drain, grace: float) -> int:
        """Runs every unit, or until a drain and its grace are over.

        Returns:
            How many units were finished; all of them are on disk.

        Raises:
            KeyboardInterrupt: Ctrl-C came twice; what was finished is on disk.
        """
        for shard in self._plan(units):
            self._waiting[self._pool(shard)].append(shard)
        finished = 0
        deadline: float | None = None
        while self._in_flight.total() or (self._waiting_shards() and not drain.requested):
            if drain.at_once:
                self._sink.flush()
                raise KeyboardInterrupt
            if drain.requested:
                deadline = deadline or time.monotonic() + grace
                if time.monotonic() >= deadline:
                    break
            else:
                self._hand_out()
            finished += self._take()
        self._sink.flush()
        return finished

    def _plan(self, units: Sequence[Unit]) -> list[list[Unit]]:
        """Shards, the longest cutoffs first, so that the tail is short."""
        planned: list[list[Unit]] = []
        for shard in shards(units, LARGEST_SHARD):
            together = _is_batched(shard) or shard[0].attack.time_limit <= SHORT_SECONDS
            planned += [shard] if together else [[unit] for unit in shard]
        return sorted(planned, key=lambda shard: -shard[0].attack.time_limit)

    def _pool(self, shard: Sequence[Unit]) -> str:
        return GPU if GPU in self._pools and _is_batched(shard) else SLOTS

    def _waiting_shards(self) -> int:
        return sum(len(queue) for queue in self._waiting.values())

    def _hand_out(self) -> None:
        for pool, room in self._pools.items():
            queue = self._waiting[pool]
            while queue and self._in_flight[pool] < room:
                shard = queue.popleft()
                self._cluster.submit(Shard(tuple(shard)), pool)
                self._in_flight[pool] += 1
                self._pool_of[shard[0].key] = pool

    def _take(self) -> int:
        done = self._cluster.collect(TICK_SECONDS)
        records = [record for shard in done for record in self._records(shard)]
        for shard in done:
            self._in_flight[self._pool_of.pop(shard.shard.units[0].key)] -= 1
        self._sink.append(records)
        if records:
            self._on_records(records)
        return len(records)

    def _records(self, done: ShardDone) -> Sequence[Record]:
        ended = {record.row["key"] for record in done.records}
        lost = [unit for unit in done.shard.units if unit.key not in ended]
        return [*done.records, *crashed(lost, done.error, self._context)]


def _is_batched(shard: Sequence[Unit]) -> bool:
    return attack_type(shard[0].attack.kind).batched
