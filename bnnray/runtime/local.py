"""The executor without Ray: one keeper in this process, and a thread for each of its slots."""

from __future__ import annotations

import concurrent.futures
import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from bnnray.models import EpochListener, Model, train_model
from bnnray.results import ParquetSink, Sink
from bnnray.runtime.cluster import SLOTS, Place, Shard, ShardDone, TrainRequest
from bnnray.runtime.context import RunContext
from bnnray.runtime.keeper import Keeper
from bnnray.runtime.monitor import Monitor, NoMonitor


class LocalCluster:
    """One keeper in this process, as many slots as cores."""

    dashboard = ""

    def __init__(self) -> None:
        self._keeper: Keeper | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[Future[ShardDone], Shard] = {}
        self._places: list[Place] = []

    def nodes(self) -> int:
        return 1

    def train(
        self, request: TrainRequest, on_epoch: EpochListener, check: Callable[[], None]
    ) -> Model:
        return train_model(
            request.architecture,
            request.training,
            request.train,
            request.test,
            on_epoch,
            on_batch=lambda _: check(),
        )

    def start(self, context: RunContext, cpus_per_solve: int) -> None:
        slots = max(1, len(os.sched_getaffinity(0)) // cpus_per_solve)
        self._keeper = Keeper(context, slots)
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix="slot")
        self._places = [Place("local", platform.node(), SLOTS, slots, platform.node())]

    def places(self, useful: Callable[[Place], bool]) -> Sequence[Place]:
        return self._places

    def sink(self, folder: Path, check: Callable[[], None]) -> Sink:
        return ParquetSink(folder)

    def monitor(self, run: str) -> Monitor:
        return NoMonitor()

    def submit(self, shard: Shard, place: Place) -> None:
        assert self._pool is not None
        assert self._keeper is not None
        self._running[self._pool.submit(self._keeper.run, shard)] = shard

    def collect(self, timeout: float) -> list[ShardDone]:
        if not self._running:
            time.sleep(timeout)
        done, _ = concurrent.futures.wait(
            self._running, timeout, return_when=concurrent.futures.FIRST_COMPLETED
        )
        return [self._done(future) for future in done]

    def drain(self) -> None:
        assert self._keeper is not None
        self._keeper.drain()

    def close(self) -> None:
        for future in self._running:
            future.cancel()
        if self._keeper is not None:
            self._keeper.close()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, future: Future[ShardDone]) -> ShardDone:
        shard = self._running.pop(future)
        error = future.exception()
        if error is not None:
            return ShardDone(shard, error=f"{type(error).__name__}: {error}", begun=shard.keys)
        return future.result()
