"""The keeper of a node's slots: it runs shards of units, each in a free slot."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence

from threadpoolctl import threadpool_limits

from bnnray.attacks import Task, make_attack
from bnnray.job import Unit
from bnnray.results import Record
from bnnray.runtime.cluster import Shard, ShardDone
from bnnray.runtime.context import RunContext
from bnnray.runtime.records import Span, make_record, now
from bnnray.solvers import Child, Solver


class Keeper:
    """Holds one solver for each slot; any number of threads may call :meth:`run`.

    Args:
        context: of the run.
        slots: how many shards run at a time.
    """

    def __init__(self, context: RunContext, slots: int) -> None:
        self._context = context
        # numpy in one slot must not take the cores of the others; from here on, process-wide
        threadpool_limits(context.threads, user_api="blas")
        self._ending = threading.Event()
        self._solvers = [Child() for _ in range(slots)]
        self._free: queue.SimpleQueue[Child] = queue.SimpleQueue()
        for solver in self._solvers:
            self._free.put(solver)

    def run(self, shard: Shard) -> ShardDone:
        """Runs the units of a shard, which share attack, model and threat.

        A batched attack searches them together, any other one after the other.
        """
        solver = self._free.get()
        try:
            batched = make_attack(shard.units[0].attack).batched
            batches = [shard.units] if batched else [(unit,) for unit in shard.units]
            records: list[Record] = []
            for batch in batches:
                if self._ending.is_set():
                    break
                records += self._search(batch, shard.attempt, solver)
            return ShardDone(shard, records)
        finally:
            self._free.put(solver)

    def close(self) -> None:
        """Ends every search and every slot's child process, busy or not."""
        self._ending.set()
        for solver in self._solvers:
            solver.close()

    def _search(self, units: Sequence[Unit], attempt: int, solver: Solver) -> list[Record]:
        started, cpu = now(), time.thread_time()
        tasks = [Task(self._context.question(unit), unit.seed) for unit in units]
        outcomes = make_attack(units[0].attack).run(
            tasks, solver, self._context.threads, self._ending
        )
        span = Span(started, now(), (time.thread_time() - cpu) / len(units), attempt)
        return [
            make_record(unit, outcome, self._context, span)
            for unit, outcome in zip(units, outcomes, strict=True)
        ]
