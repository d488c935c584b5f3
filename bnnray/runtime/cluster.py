"""The executor seam: Ray and this process answer the same calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bnnray.datasets import Dataset
from bnnray.job import Unit
from bnnray.models import Architecture, EpochListener, Model, Training
from bnnray.results import Record, Sink
from bnnray.runtime.context import RunContext

SLOTS, GPU = "slots", "gpu"
"""The pools of workers: slots run any attack, a GPU runs batched ones."""


@dataclass(frozen=True, eq=False)
class TrainRequest:
    """A network to train, and the splits to train and test it on."""

    architecture: Architecture
    training: Training
    train: Dataset
    test: Dataset


@dataclass(frozen=True, eq=False)
class Shard:
    """Units that a slot takes together; they share attack, model and threat.

    Args:
        units: one at least.
        attempt: how often each of them was begun, this time included.
    """

    units: tuple[Unit, ...]
    attempt: int = 1


@dataclass(frozen=True, eq=False)
class ShardDone:
    """A shard that came back: its records, and why units without one have none."""

    shard: Shard
    records: Sequence[Record] = ()
    error: str = ""


class Cluster(Protocol):
    """Workers that train networks and run shards."""

    def train(
        self, request: TrainRequest, on_epoch: EpochListener, check: Callable[[], None]
    ) -> Model:
        """Trains a network, where there is a GPU on it.

        Calls ``check`` several times a second; what it raises ends the training.
        """
        ...

    def start(self, context: RunContext, cpus_per_solve: int) -> Mapping[str, int]:
        """Starts the workers of a run; returns how many shards each pool keeps in flight."""
        ...

    def sink(self, folder: Path) -> Sink:
        """Where records go."""
        ...

    def submit(self, shard: Shard, pool: str) -> None:
        """Hands a shard to a pool."""
        ...

    def collect(self, timeout: float) -> list[ShardDone]:
        """Shards that are done; waits for the first of them, ``timeout`` seconds at most."""
        ...

    def close(self) -> None:
        """Ends every worker, busy or not."""
        ...
