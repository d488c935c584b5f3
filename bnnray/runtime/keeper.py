"""The keeper of a node's slots: it runs shards of units, each in a free slot."""

from __future__ import annotations

import os
import queue
import threading

from bnnray.logs import Log
from bnnray.processes import Nursery
from bnnray.runtime import slot_process
from bnnray.runtime.cluster import Shard, ShardDone
from bnnray.runtime.context import RunContext
from bnnray.runtime.slot import Slot
from bnnray.solvers import CHILD_MODULES

log = Log("keeper")


class Keeper:
    """Holds a node's slots; any number of threads may call :meth:`run`.

    Args:
        context: of the run.
        slots: how many shards run at a time.
    """

    def __init__(self, context: RunContext, slots: int) -> None:
        modules = (slot_process.__name__, *CHILD_MODULES, *context.modules)
        self._nursery = Nursery(modules, context.threads)
        self._draining = threading.Event()
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        for _ in range(slots):
            self._free.put(Slot(context, self._nursery, self._draining))
        log.info("keeper_began", job=context.job, slots=slots, pid=os.getpid())

    def run(self, shard: Shard) -> ShardDone:
        """Runs the units of a shard, which share attack, model and threat, in a free slot."""
        slot = self._free.get()
        try:
            return slot.run(shard)
        finally:
            self._free.put(slot)

    def drain(self) -> None:
        """Lets no more units begin: shards come back when what runs of them has ended."""
        self._draining.set()

    def close(self) -> None:
        """Ends every slot's processes, busy or not."""
        self._nursery.close()
