"""The Ray actors: thin shells around plain classes. Methods run in the actors' processes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from bnnray.errors import LicenceTaken, SetupError
from bnnray.logs import attach
from bnnray.models import EpochRecord, Model, train_model
from bnnray.results import Record, write_batch
from bnnray.runtime.cluster import Shard, TrainRequest
from bnnray.runtime.context import RunContext
from bnnray.runtime.keeper import Keeper

Returned = tuple[Sequence[Record], str, frozenset[str], LicenceTaken | None]
"""The records of the units that ended, why others have none, which had begun, and why there was no
licence: a :class:`ShardDone` without its shard."""


class KeeperActor:
    """Keeps the slots of one node.

    The context comes with every call (it lies in the object store), so that a keeper that Ray
    has restarted knows what to do.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._lock = threading.Lock()
        self._keeper: Keeper | None = None
        self._draining = False

    def ping(self) -> None:
        """Answers: the keeper is up."""

    def drain(self) -> None:
        """Starts nothing more."""
        with self._lock:
            self._draining = True
            if self._keeper is not None:
                self._keeper.drain()

    def run(self, context: RunContext, shard: Shard) -> Returned:
        """Runs a shard in a free slot; called by as many threads as there are slots."""
        try:
            keeper = self._ready(context)
        except (SetupError, OSError) as error:
            return (), f"the keeper cannot start: {error}", frozenset(), None
        if keeper is None:
            return (), "", frozenset(), None
        done = keeper.run(shard)
        return done.records, done.error, done.begun, done.refusal

    def _ready(self, context: RunContext) -> Keeper | None:
        """The keeper, made by the first call; none during a drain."""
        with self._lock:
            if self._keeper is None and not self._draining:
                if context.log is not None:
                    attach(context.log, "keeper")
                self._keeper = Keeper(context, self._slots)
            return self._keeper


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
