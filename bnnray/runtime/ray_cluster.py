"""The executor on Ray: the only module that imports it.

One keeper actor a node holds that node's slots; a model actor trains, on a GPU where there is
one, and a keeper of one slot beside it serves batched attacks there; a sink actor writes Parquet.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bnnray.errors import SetupError
from bnnray.job import Unit
from bnnray.models import EpochListener, Model
from bnnray.results import Record, Sink
from bnnray.runtime.actors import KeeperActor, ModelActor, SinkActor
from bnnray.runtime.cluster import GPU, SLOTS, ShardDone, TrainRequest
from bnnray.runtime.context import RunContext
from bnnray.runtime.remote_sink import RemoteSink

POLL_SECONDS = 0.2
CONNECT_SECONDS = 10.0
OWN = "local"
"""Ray's word for a cluster of one's own."""


class RayCluster:
    """Actors on a Ray cluster.

    Args:
        address: of a running cluster; without one, RAY_ADDRESS is used, and without that a
            cluster is started in this process and ended with it.
    """

    def __init__(self, address: str | None = None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        self._ray = ray
        # Without an address Ray would join whatever cluster last started on this machine.
        address = address or os.environ.get("RAY_ADDRESS") or OWN
        _check_reachable(address)
        try:
            ray.init(
                address=address,
                include_dashboard=False if address == OWN else None,
                log_to_driver=False,
                logging_level="ERROR",
                namespace="bnnray",
            )
        except Exception as error:  # Ray raises of its own, of gRPC's and of the system's kinds
            raise _unreachable(address, error) from error
        self._model: Any = None
        self._context: Any = None
        self._keepers: dict[str, list[Any]] = {SLOTS: [], GPU: []}
        self._running: dict[Any, tuple[Sequence[Unit], Any]] = {}
        self._load: Counter[Any] = Counter()
        self._node_of: dict[Any, str] = {}

    def train(
        self, request: TrainRequest, on_epoch: EpochListener, check: Callable[[], None]
    ) -> Model:
        if self._model is None:
            actor = self._actor(ModelActor, num_gpus=self._gpus(), max_concurrency=2)
            self._model = actor.remote()
        told = 0
        running = self._model.train.remote(self._ray.put(request))
        while True:
            check()
            done, _ = self._ray.wait([running], timeout=POLL_SECONDS)
            epochs = self.get(self._model.epochs.remote())
            for record in epochs[told:]:
                on_epoch(record)
            told = len(epochs)
            if done:
                return self.get(running)

    def start(self, context: RunContext, cpus_per_solve: int) -> Mapping[str, int]:
        self._context = self._ray.put(context)
        if self._model is not None:
            self._ray.kill(self._model)  # its GPU, or its memory, is for the attacks now
            self._model = None
        pools = {SLOTS: 0}
        for node in self._nodes():
            slots = max(1, int(node["Resources"].get("CPU", 0)) // cpus_per_solve)
            keeper = self._keeper(slots, node["NodeID"], 0)
            self._keepers[SLOTS].append(keeper)
            self._node_of[keeper] = node["NodeID"]
            pools[SLOTS] += slots + 1
        if self._gpus():
            self._keepers[GPU].append(self._keeper(1, None, 1))
            pools[GPU] = 2
        return pools

    def sink(self, folder: Path) -> Sink:
        here = self._ray.get_runtime_context().get_node_id()
        writer = self._actor(SinkActor, scheduling_strategy=_on_node(here))
        return RemoteSink(self._ray, lambda: writer.remote(str(folder.resolve())))

    def submit(self, shard: Sequence[Unit], pool: str) -> None:
        keeper = min(self._keepers[pool], key=lambda k: self._load[k])
        self._load[keeper] += 1
        self._running[keeper.run.remote(self._context, shard)] = (shard, keeper)

    def collect(self, timeout: float) -> list[ShardDone]:
        if not self._running:
            return []
        waiting = list(self._running)
        done, _ = self._ray.wait(waiting, num_returns=1, timeout=timeout)
        more, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        return [self._done(ref) for ref in {*done, *more}]

    def close(self) -> None:
        for keeper in [*self._keepers[SLOTS], *self._keepers[GPU]]:
            self._ray.kill(keeper)  # its children end with it
        self._ray.shutdown()

    def _done(self, reference: Any) -> ShardDone:
        shard, keeper = self._running.pop(reference)
        self._load[keeper] -= 1
        try:
            records: list[Record] = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._drop_if_lost(keeper)
            return ShardDone(shard, error=f"the keeper failed: {_first_line(error)}")
        return ShardDone(shard, records)

    def _drop_if_lost(self, keeper: Any) -> None:
        """A keeper whose process died is restarted by Ray; one whose node is gone is not."""
        node = self._node_of.get(keeper)
        alive = {n["NodeID"] for n in self._ray.nodes() if n["Alive"]}
        if node is not None and node not in alive and keeper in self._keepers[SLOTS]:
            self._keepers[SLOTS].remove(keeper)
            if not self._keepers[SLOTS]:
                raise SetupError(
                    "every node of the Ray cluster is lost; run the same command again"
                )

    def get(self, reference: Any) -> Any:
        """The result of a remote call; its errors are raised as they were there.

        Raises:
            SetupError: the actor died.
        """
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayActorError as error:
            raise SetupError(
                f"a Ray actor died: {_first_line(error)}; run the same command again"
            ) from error

    def _keeper(self, slots: int, node: str | None, gpus: int) -> Any:
        return self._actor(
            KeeperActor,
            num_gpus=gpus,
            max_concurrency=slots,
            max_restarts=-1,
            scheduling_strategy="DEFAULT" if node is None else _on_node(node),
        ).remote(slots)

    def _actor(self, kind: type[Any], **options: Any) -> Any:
        return self._ray.remote(kind).options(num_cpus=0, **options)

    def _nodes(self) -> list[dict[str, Any]]:
        alive = [n for n in self._ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0) >= 1]
        if not alive:
            raise SetupError("the Ray cluster has no node with a CPU; start one with --num-cpus")
        return alive

    def _gpus(self) -> int:
        return min(1, int(self._ray.cluster_resources().get("GPU", 0)))


def _on_node(node: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=False)


def _check_reachable(address: str) -> None:
    """Ray itself tries for minutes before it says that nobody answers."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "://" not in host:
        try:
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        except OSError as error:
            raise _unreachable(address, error) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _unreachable(address: str, error: Exception) -> SetupError:
    return SetupError(
        f"cannot start or reach Ray at {address}: {_first_line(error)}; "
        "check --address and RAY_ADDRESS, or run without Ray: --local"
    )
