"""The executor on Ray: the only module that imports it, but for its metrics.

One keeper actor a node holds that node's slots; a model actor trains, on a GPU where there is
one, and a keeper of one slot beside it serves batched attacks there; a sink actor writes Parquet.
Actors and their tasks have names that say what they do, for Ray's dashboard.
"""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from bnnray.errors import SetupError
from bnnray.models import EpochListener, Model
from bnnray.results import Sink
from bnnray.runtime.actors import KeeperActor, ModelActor, SinkActor
from bnnray.runtime.cluster import GPU, Place, Shard, ShardDone, TrainRequest
from bnnray.runtime.context import RunContext
from bnnray.runtime.fleet import CONTROL, Fleet
from bnnray.runtime.monitor import Monitor
from bnnray.runtime.ray_metrics import RayMonitor
from bnnray.runtime.remote_sink import RemoteSink

POLL_SECONDS = 0.2
CONNECT_SECONDS = 10.0
CONNECT_ATTEMPTS = 5
CONNECT_PAUSE = 2.0
OWN = "local"
"""Ray's word for a cluster of one's own."""


class RayCluster:
    """Actors on a Ray cluster.

    Args:
        address: of a running cluster; without one, RAY_ADDRESS is used, and without that a
            cluster is started in this process and ended with it.
        run: the actors' namespace begins with it.
        dashboard: whether a cluster that is started has Ray's dashboard.
    """

    def __init__(
        self, address: str | None = None, run: str = "bnnray", *, dashboard: bool = False
    ) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # On a cluster of our own: Ray would kill a whole keeper where one slot took the memory.
        os.environ.setdefault("RAY_memory_monitor_refresh_ms", "0")
        import ray

        self._ray = ray
        # Without an address Ray would join whatever cluster last started on this machine.
        address = address or os.environ.get("RAY_ADDRESS") or OWN
        _check_reachable(address)
        # Runs on one cluster, also of one name, must not meet in the names of their actors.
        namespace = f"{run} {uuid.uuid4().hex[:8]}"
        self.dashboard = _connect(ray, address, namespace, dashboard)
        self._names = Counter[str]()
        self._model: Any = None
        self._context: Any = None
        self._fleet: Fleet | None = None
        self._returned: queue.SimpleQueue[tuple[Shard, Place, Future[Any]]] = queue.SimpleQueue()

    def nodes(self) -> int:
        return sum(1 for node in self._ray.nodes() if node["Alive"])

    def train(
        self, request: TrainRequest, on_epoch: EpochListener, check: Callable[[], None]
    ) -> Model:
        if self._model is None:
            options = {"num_gpus": self._gpus(), "max_concurrency": 2}
            actor = self._actor(ModelActor, "models", **options)
            self._model = actor.remote()
        told = 0
        train = self._model.train.options(name=request.title)
        epochs_so_far = self._model.epochs.options(enable_task_events=False)
        running = train.remote(self._ray.put(request))
        while True:
            check()
            done, _ = self._ray.wait([running], timeout=POLL_SECONDS)
            epochs = self.get(epochs_so_far.remote())
            for record in epochs[told:]:
                on_epoch(record)
            told = len(epochs)
            if done:
                return self.get(running)

    def start(self, context: RunContext, cpus_per_solve: int) -> None:
        self._context = self._ray.put(context)
        if self._model is not None:
            self._ray.kill(self._model)  # its GPU, or its memory, is for the attacks now
            self._model = None
        self._fleet = Fleet(self._ray, self._keeper, cpus_per_solve)

    def places(self, useful: Callable[[Place], bool]) -> Sequence[Place]:
        assert self._fleet is not None
        return self._fleet.places(useful)

    def sink(self, folder: Path, check: Callable[[], None]) -> Sink:
        here = self._ray.get_runtime_context().get_node_id()

        def start() -> Any:
            writer = self._actor(SinkActor, "sink", scheduling_strategy=_on_node(here))
            return writer.remote(str(folder.resolve()))

        return RemoteSink(self._ray, start, check)

    def monitor(self, run: str) -> Monitor:
        return RayMonitor(run)

    def submit(self, shard: Shard, place: Place) -> None:
        assert self._fleet is not None
        run = self._fleet.actor(place).run.options(name=shard.title)
        reference = run.remote(self._context, shard)
        # Ray calls back; waiting for every reference at every look costs in proportion to them.
        reference.future().add_done_callback(
            lambda future: self._returned.put((shard, place, future))
        )

    def collect(self, timeout: float) -> list[ShardDone]:
        found: list[ShardDone] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._done(*self._returned.get(timeout=timeout)))
            while True:
                found.append(self._done(*self._returned.get_nowait()))
        return found

    def drain(self) -> None:
        assert self._fleet is not None
        self._fleet.drain()

    def close(self) -> None:
        if self._fleet is not None:
            self._fleet.close()
        self._ray.shutdown()

    def _done(self, shard: Shard, place: Place, future: Future[Any]) -> ShardDone:
        errors = self._ray.exceptions
        try:
            records, error, begun, refusal = future.result()
        except errors.RayTaskError as raised:
            error = f"the keeper raised {_last_line(raised)}"
            return ShardDone(shard, error=error, begun=shard.keys)
        except errors.RayError as raised:
            assert self._fleet is not None
            self._fleet.doubt(place)
            error = f"the keeper died: {_first_line(raised)}"
            return ShardDone(shard, error=error, keeper_lost=True)
        return ShardDone(shard, records, error, begun=begun, refusal=refusal)

    def get(self, reference: Any) -> Any:
        """The result of a remote call; its errors are raised as they were there.

        Raises:
            SetupError: the actor died.
        """
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            raise SetupError(
                f"a Ray actor died: {_first_line(error)}; run the same command again"
            ) from error

    def _keeper(self, place: Place) -> Any:
        return self._actor(
            KeeperActor,
            _keeper_name(place),
            num_gpus=int(place.pool == GPU),
            max_concurrency=place.slots,
            concurrency_groups={CONTROL: 1},
            max_restarts=-1,
            scheduling_strategy=_on_node(place.node) if place.node else "DEFAULT",
        ).remote(place.slots)

    def _actor(self, kind: type[Any], name: str, **options: Any) -> Any:
        """An actor to be made, of a name of its own: that of a lost one may still be taken."""
        self._names[name] += 1
        if self._names[name] > 1:
            name = f"{name}, number {self._names[name]}"
        return self._ray.remote(num_cpus=0, **options)(kind).options(name=name)

    def _gpus(self) -> int:
        return min(1, int(self._ray.cluster_resources().get("GPU", 0)))


def _keeper_name(place: Place) -> str:
    if place.pool == GPU:
        return "keeper of a GPU"
    slots = "1 slot" if place.slots == 1 else f"{place.slots} slots"
    return f"keeper of {place.host} ({slots})"


def _on_node(node: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=False)


def _connect(ray: Any, address: str, namespace: str, dashboard: bool) -> str:
    """Connects; where the dashboard is, if there is one.

    A head that has just begun answers before its node does: then Ray gives up at once.
    """
    for attempt in range(CONNECT_ATTEMPTS):
        try:
            context = ray.init(
                address=address,
                include_dashboard=dashboard if address == OWN else None,
                log_to_driver=False,
                logging_level="ERROR",
                namespace=namespace,
            )
            break
        except Exception as error:  # Ray raises of its own, of gRPC's and of the system's kinds
            ray.shutdown()
            last = attempt == CONNECT_ATTEMPTS - 1
            if last or address == OWN or not isinstance(error, ConnectionError):
                raise _unreachable(address, error) from error
            time.sleep(CONNECT_PAUSE)
    if not context.dashboard_url:
        return ""
    token = ", with the token of `ray get-auth-token`" if address == OWN else ""
    return f"http://{context.dashboard_url}{token}"


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


def _last_line(error: Exception) -> str:
    """Of an error that comes with the traceback of its worker."""
    return str(error).strip().splitlines()[-1]


def _unreachable(address: str, error: Exception) -> SetupError:
    return SetupError(
        f"cannot start or reach Ray at {address}: {_first_line(error)}; "
        "check --address and RAY_ADDRESS, or run without Ray: --local"
    )
