"""The executor seam: Ray and this process answer the same calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bnnray.datasets import Dataset
from bnnray.errors import LicenceTaken
from bnnray.job import Unit
from bnnray.models import Architecture, EpochListener, Model, Training
from bnnray.results import Record, Sink
from bnnray.runtime.context import RunContext
from bnnray.runtime.monitor import Monitor
from bnnray.threat import format_epsilon

SLOTS, GPU = "slots", "gpu"
"""The pools of keepers: slots run any attack, a GPU runs batched ones."""


@dataclass(frozen=True, eq=False)
class TrainRequest:
    """A network to train, and the splits to train and test it on."""

    architecture: Architecture
    training: Training
    train: Dataset
    test: Dataset

    @property
    def title(self) -> str:
        """What is trained, in a few words: "train 100-100 on mnist"."""
        hidden = "-".join(map(str, self.architecture.hidden))
        return f"train {hidden} on {self.train.name}"


@dataclass(frozen=True, eq=False)
class Shard:
    """Units that a slot takes together.

    Args:
        units: they share attack, model and threat.
        attempt: of each of them, 1 for the first.
    """

    units: tuple[Unit, ...]
    attempt: int = 1

    @property
    def keys(self) -> frozenset[str]:
        """Of its units."""
        return frozenset(unit.key for unit in self.units)

    @property
    def title(self) -> str:
        """What it searches, in a few words: "pgd 2x100 points 16-31 eps 2/255"."""
        unit = self.units[0]
        again = f" attempt {self.attempt}" if self.attempt > 1 else ""
        points = _name_points(sorted({unit.point for unit in self.units}))
        epsilon = format_epsilon(unit.threat.epsilon)
        return f"{unit.attack.name} {unit.model} {points} eps {epsilon}{again}"


def _name_points(points: Sequence[int]) -> str:
    first, last = points[0], points[-1]
    if first == last:
        return f"point {first}"
    if last - first == len(points) - 1:
        return f"points {first}-{last}"
    return f"{len(points)} points of {first}-{last}"


@dataclass(frozen=True, eq=False)
class ShardDone:
    """A shard that came back: a unit without a record has to run again.

    Args:
        shard: as it was handed out.
        records: of the units that ended.
        error: why the others have none.
        keeper_lost: whether the whole keeper died, so that any unit in it may be the reason.
        begun: keys of the units whose clocks ran before it ended; only these may be the reason
            where the keeper is not lost.
        refusal: why the others have no licence, where they are to wait for one.
    """

    shard: Shard
    records: Sequence[Record] = ()
    error: str = ""
    keeper_lost: bool = False
    begun: frozenset[str] = frozenset()
    refusal: LicenceTaken | None = None

    def blames(self, unit: Unit) -> bool:
        """Whether a unit without a record may be why there is none."""
        return self.keeper_lost or unit.key in self.begun

    @property
    def in_vain(self) -> bool:
        """Whether the keeper is well and yet nothing of the shard began."""
        return not (self.keeper_lost or self.begun or self.records or self.refusal)


@dataclass(frozen=True)
class Place:
    """A keeper that takes shards.

    Args:
        name: its own among all keepers of the run.
        node: where it is; empty if that can change.
        pool: SLOTS or GPU.
        slots: how many shards run in it at a time.
        host: the node's name for people; empty if that can change.
    """

    name: str
    node: str
    pool: str
    slots: int
    host: str = ""


class Cluster(Protocol):
    """Workers that train networks and run shards."""

    @property
    def dashboard(self) -> str:
        """Where a page shows them at work, for a person to read; empty without one."""
        ...

    def nodes(self) -> int:
        """How many nodes are there now."""
        ...

    def train(
        self, request: TrainRequest, on_epoch: EpochListener, check: Callable[[], None]
    ) -> Model:
        """Trains a network, where there is a GPU on it.

        Calls ``check`` several times a second; what it raises ends the training.
        """
        ...

    def start(self, context: RunContext, cpus_per_solve: int) -> None:
        """Starts the workers of a run."""
        ...

    def places(self, useful: Callable[[Place], bool]) -> Sequence[Place]:
        """The keepers that take shards now; they come and go with their nodes.

        Args:
            useful: whether a keeper can do anything of what is left.

        Raises:
            SetupError: there has been no useful one for too long.
        """
        ...

    def sink(self, folder: Path, check: Callable[[], None]) -> Sink:
        """Where records go.

        While a flush waits it calls ``check`` several times a second; what that raises ends it.
        """
        ...

    def monitor(self, run: str) -> Monitor:
        """Who watches a run of this name."""
        ...

    def submit(self, shard: Shard, place: Place) -> None:
        """Hands a shard to a keeper, which may hold more than run at a time."""
        ...

    def collect(self, timeout: float) -> list[ShardDone]:
        """Shards that came back, the same objects that were handed out; waits for the first of
        them, ``timeout`` seconds at most."""
        ...

    def drain(self) -> None:
        """Has the keepers start nothing more: shards come back after the unit, or the batch, that
        runs, and those where nothing runs at once."""
        ...

    def close(self) -> None:
        """Ends every worker, busy or not."""
        ...
