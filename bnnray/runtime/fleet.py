"""The keepers on a Ray cluster: one for each node, while nodes come and go, and one for a GPU.

A keeper takes shards once it has answered a call. When one of its calls fails it takes none until
it answers again: Ray restarts a keeper whose process died, within seconds. A keeper whose node is
lost, or that cannot be restarted, is dropped; a node without a keeper gets one.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bnnray.errors import SetupError
from bnnray.logs import Log
from bnnray.runtime.cluster import GPU, SLOTS, Place

LOOK_SECONDS = 10.0
"""How often the nodes are looked at."""

LOST_SECONDS = 60.0
"""How long a run without any node waits for a new one."""

START_SECONDS = 300.0
"""How long a run waits for a keeper on the nodes that there are."""

CONTROL = "control"
"""The actors' concurrency group for what must not wait behind shards that run."""

GPU_SECONDS = 30.0
"""How long a run waits for the keeper on a GPU before the other slots take its units."""

log = Log("fleet")


@dataclass(frozen=True)
class Node:
    """A node of the cluster: its id for Ray, its name for people, and its cores."""

    id: str
    host: str
    cpus: int


@dataclass(eq=False)
class Member:
    """A keeper's actor, and what it has to answer before it gets more; None once it has."""

    place: Place
    actor: Any
    ping: Any

    def ask(self) -> None:
        """Pings the actor."""
        self.ping = control(self.actor.ping).remote()


class Fleet:
    """The keepers of a run.

    Args:
        ray: the package, connected.
        make: makes a keeper's actor.
        cpus_per_solve: cores of a slot.

    Raises:
        SetupError: the cluster has no node with a CPU.
    """

    def __init__(self, ray: Any, make: Callable[[Place], Any], cpus_per_solve: int) -> None:
        self._ray = ray
        self._make = make
        self._cpus = cpus_per_solve
        self._numbers = itertools.count()
        self._keepers: dict[str, Member] = {}
        self._looked = self._node_seen = self._place_seen = time.monotonic()
        if not self._nodes():
            raise SetupError("the Ray cluster has no node with a CPU; start one with --num-cpus")
        self._look()
        on_gpu = [k.ping for k in self._keepers.values() if k.place.pool == GPU]
        if on_gpu:
            self._ray.wait(on_gpu, timeout=GPU_SECONDS)

    def places(self, useful: Callable[[Place], bool]) -> list[Place]:
        """The keepers that are well.

        Args:
            useful: whether a keeper can do anything of what is left.

        Raises:
            SetupError: there has been no useful one for too long.
        """
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._look()
        for keeper in [k for k in self._keepers.values() if k.ping is not None]:
            self._listen(keeper)
        found = [k.place for k in self._keepers.values() if k.ping is None]
        self._check([place for place in found if useful(place)])
        return found

    def actor(self, place: Place) -> Any:
        """The actor of a keeper that was well at the last look at the places."""
        return self._keepers[place.name].actor

    def doubt(self, place: Place) -> None:
        """A call of a keeper failed: it gets no more until it has answered."""
        keeper = self._keepers.get(place.name)
        if keeper is not None and keeper.ping is None:
            log.warning("keeper_silent", **_names(keeper.place))
            keeper.ask()

    def drain(self) -> None:
        """Has the keepers start nothing more; what has not reached one yet finds it so."""
        for keeper in self._keepers.values():
            control(keeper.actor.drain).remote()

    def close(self) -> None:
        """Ends every keeper; their children end with them."""
        for name in list(self._keepers):
            self._ray.kill(self._keepers.pop(name).actor)

    def _look(self) -> None:
        self._looked = time.monotonic()
        nodes = self._nodes()
        if nodes:
            self._node_seen = self._looked
        for name, keeper in list(self._keepers.items()):
            if keeper.place.node and keeper.place.node not in nodes:
                self._drop(name)
        have = {keeper.place.node for keeper in self._keepers.values()}
        for node in nodes.values():
            if node.id not in have:
                self._add(node.id, SLOTS, max(1, node.cpus // self._cpus), node.host)
        if "" not in have and self._ray.cluster_resources().get("GPU", 0) >= 1:
            self._add("", GPU, 1, "")

    def _add(self, node: str, pool: str, slots: int, host: str) -> None:
        place = Place(f"keeper-{next(self._numbers)}", node, pool, slots, host)
        keeper = Member(place, self._make(place), None)
        keeper.ask()
        self._keepers[place.name] = keeper

    def _drop(self, name: str) -> None:
        keeper = self._keepers.pop(name)
        log.warning("keeper_lost", **_names(keeper.place))
        self._ray.kill(keeper.actor)

    def _listen(self, keeper: Member) -> None:
        """Takes a keeper's answer, if there is one."""
        if not self._ray.wait([keeper.ping], timeout=0)[0]:
            return
        try:
            self._ray.get(keeper.ping)
            keeper.ping = None
            log.info("keeper_came", slots=keeper.place.slots, **_names(keeper.place))
        except self._ray.exceptions.ActorUnavailableError:
            keeper.ask()
        except self._ray.exceptions.RayError:
            self._drop(keeper.place.name)

    def _check(self, useful: Sequence[Place]) -> None:
        now = time.monotonic()
        if useful:
            self._node_seen = self._place_seen = now
        if now - self._node_seen >= LOST_SECONDS:
            raise SetupError(
                f"every node of the Ray cluster has been lost for {LOST_SECONDS:.0f} s; "
                "start nodes and run the same command again"
            )
        if now - self._place_seen >= START_SECONDS:
            raise SetupError(
                "no keeper on the Ray cluster that could run what is left has answered for "
                f"{START_SECONDS:.0f} s; see Ray's logs, and run the same command again"
            )

    def _nodes(self) -> Mapping[str, Node]:
        """The nodes that are there and have a core, by their ids."""
        return {
            node["NodeID"]: Node(
                node["NodeID"], node["NodeManagerHostname"], int(node["Resources"]["CPU"])
            )
            for node in self._ray.nodes()
            if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
        }


def _names(place: Place) -> dict[str, str]:
    """What the log says of a keeper; one on a GPU may be anywhere."""
    return {"keeper": place.name, "machine": place.host or place.pool, "node": place.node or "any"}


def control(method: Any) -> Any:
    """A method of a keeper's actor that answers while all its slots are busy."""
    return method.options(concurrency_group=CONTROL)
