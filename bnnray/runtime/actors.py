"""The Ray actors: thin shells around plain classes. Methods run in the actors' processes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from bnnray.models import EpochRecord, Model, train_model
from bnnray.results import Record, write_batch
from bnnray.runtime.cluster import Shard, TrainRequest
from bnnray.runtime.context import RunContext
from bnnray.runtime.keeper import Keeper


class KeeperActor:
    """Keeps the slots of one node.

    The context comes with every call (it lies in the object store), so that a keeper that Ray
    has restarted knows what to do.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._lock = threading.Lock()
        self._keeper: Keeper | None = None

    def ping(self) -> None:
        """Answers: the keeper is up."""

    def run(self, context: RunContext, shard: Shard) -> tuple[Sequence[Record], str]:
        """Runs a shard in a free slot; called by as many threads as there are slots.

        Returns:
            The records of the units that ended, and why others have none.
        """
        with self._lock:
            keeper = self._keeper = self._keeper or Keeper(context, self._slots)
        done = keeper.run(shard)
        return done.records, done.error


class ModelActor:
    """Trains networks; tells how far it is while it does."""

    def __init__(self) -> None:
        self._epochs: list[EpochRecord] = []
        self._lock = threading.Lock()

    def train(self, request: TrainRequest) -> Model:
        """Trains a network."""
        with self._lock:
            self._epochs = []
        return train_model(
            request.architecture, request.training, request.train, request.test, self._note
        )

    def epochs(self) -> list[EpochRecord]:
        """The epochs that the running training has finished."""
        with self._lock:
            return list(self._epochs)

    def _note(self, record: EpochRecord) -> None:
        with self._lock:
            self._epochs.append(record)


class SinkActor:
    """Writes the batches of a run; it keeps none, so nothing is lost with it."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def write(self, batch_id: str, records: Sequence[Record]) -> None:
        """Writes the parts of a batch."""
        write_batch(self._folder, batch_id, records)
