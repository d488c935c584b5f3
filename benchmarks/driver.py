"""How well the driver keeps 512 slots busy, and what a unit costs it.

    python benchmarks/driver.py

The cluster is a fake in this process: 64 keepers of 8 slots, and units that "run" for a second by
the clock alone. What is measured is the loop: choosing keepers, bookkeeping, records to a sink in
memory. Ray's own cost is in ray_slots.py.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import timedelta

from tiny_run import tiny_context, tiny_units

from bnnray.attacks import MilpSettings, failed
from bnnray.results import MemorySink, Record
from bnnray.runtime.cluster import SLOTS, Place, Shard, ShardDone
from bnnray.runtime.drain import Drain
from bnnray.runtime.driver import Driver
from bnnray.runtime.records import Span, make_record, now
from bnnray.verdicts import Status


class TimedCluster:
    """Keepers whose units take a second each, by the clock.

    Args:
        record: of any unit, made once: making it is the slots' work, not the driver's.
        places: the keepers.
        seconds: that a unit takes.
    """

    def __init__(self, record: Record, places: Sequence[Place], seconds: float) -> None:
        self._record = record
        self._places = places
        self._seconds = seconds
        self._running: list[tuple[float, int, Place, Shard]] = []
        self._numbers = itertools.count()
        self._busy: Counter[Place] = Counter()
        self._behind: dict[Place, deque[Shard]] = {place: deque() for place in places}
        self.cpu = 0.0

    def places(self, useful: Callable[[Place], bool]) -> Sequence[Place]:
        return self._places

    def submit(self, shard: Shard, place: Place) -> None:
        began = time.thread_time()
        if self._busy[place] < place.slots:
            self._start(shard, place, time.monotonic())
        else:
            self._behind[place].append(shard)
        self.cpu += time.thread_time() - began

    def collect(self, timeout: float) -> list[ShardDone]:
        if self._running:
            time.sleep(min(timeout, max(0.0, self._running[0][0] - time.monotonic())))
        began = time.thread_time()
        done: list[ShardDone] = []
        while self._running and self._running[0][0] <= time.monotonic():
            done.append(self._end(*heapq.heappop(self._running)))
        self.cpu += time.thread_time() - began
        return done

    def _start(self, shard: Shard, place: Place, when: float) -> None:
        self._busy[place] += 1
        end = when + self._seconds * len(shard.units)
        heapq.heappush(self._running, (end, next(self._numbers), place, shard))

    def _end(self, end: float, _: int, place: Place, shard: Shard) -> ShardDone:
        self._busy[place] -= 1
        if self._behind[place]:
            self._start(self._behind[place].popleft(), place, end)
        ended = now() - timedelta(seconds=time.monotonic() - end)
        rows = [
            {
                **self._record.row,
                "key": unit.key,
                "started_at": ended - timedelta(seconds=(number + 1) * self._seconds),
                "finished_at": ended - timedelta(seconds=number * self._seconds),
            }
            for number, unit in enumerate(reversed(shard.units))
        ]
        return ShardDone(shard, [Record(row, self._record.trace) for row in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--keepers", type=int, default=64)
    parser.add_argument("--slots", type=int, default=8, help="of each keeper")
    parser.add_argument("--seconds", type=float, default=1.0, help="that a unit takes")
    parser.add_argument("--limit", type=float, default=60.0, help="cutoff of a unit in seconds")
    asked = parser.parse_args()
    context = tiny_context()
    units = tiny_units(asked.units, MilpSettings(time_limit=asked.limit))
    places = [Place(f"k{i}", f"n{i}", SLOTS, asked.slots) for i in range(asked.keepers)]
    outcome = failed(Status.OPTIMAL, "")
    record = make_record(units[0], outcome, context, Span(now(), now(), 0.0))
    cluster = TimedCluster(record, places, asked.seconds)
    driver = Driver(cluster, MemorySink(), context, lambda records: None)  # type: ignore[arg-type]
    began = time.thread_time()
    driver.run(units, Drain(), 0.0)
    cpu = time.thread_time() - began - cluster.cpu
    done = driver.done()
    ideal = len(units) * asked.seconds / done.slots.count
    print(f"units {done.units}, slots {done.slots.count}, wall {done.slots.seconds:.1f} s")
    print(f"slots busy {done.slots.busy_percent:.1f} %, tail {done.slots.tail_seconds:.2f} s")
    print(f"wall time over the least possible: {done.slots.seconds / ideal:.3f}")
    print(f"CPU of the driver: {1000 * cpu / done.units:.3f} ms a unit")


if __name__ == "__main__":
    main()
