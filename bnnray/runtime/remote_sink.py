"""The sink on Ray: the driver keeps every batch until an actor has written it."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from bnnray.errors import SetupError
from bnnray.logs import Log
from bnnray.results import Batch, Buffer, Record

POLL_SECONDS = 0.2

MOST_DEATHS = 3
"""Actors that may die on one batch."""

LONGEST_REASON = 500
"""Characters of what Ray says of an actor's death."""

log = Log("results")


class RemoteSink:
    """Gathers records into batches and has an actor write them.

    A batch may be written twice, after an actor died or was out of reach: its id makes that one.

    Args:
        ray: the module, which only the executor imports.
        start: starts an actor with the method ``write(batch_id, records)``.
        check: called while a flush waits; what it raises ends the wait, as a file server that
            hangs would not.
    """

    def __init__(self, ray: Any, start: Callable[[], Any], check: Callable[[], None]) -> None:
        self._ray = ray
        self._check = check
        self._start = start
        self._writer = start()
        self._buffer = Buffer()
        self._waiting: list[Batch] = []
        self._sent: dict[Any, Batch] = {}
        self._deaths: Counter[str] = Counter()

    def append(self, records: Sequence[Record]) -> None:
        """Takes records, and sends them if it is time; never waits for the actor.

        Raises:
            StorageError: the folder cannot be written; the records are kept for another try.
            SetupError: actor after actor died on the same records.
        """
        self._buffer.add(records)
        if self._buffer.due:
            self._waiting += self._buffer.take()
        self._send()
        if self._sent:
            self._confirm(self._finished(list(self._sent)))

    def flush(self) -> None:
        """Has everything written that was taken.

        Raises:
            StorageError: the folder cannot be written; the records are kept for another try.
            SetupError: actor after actor died on the same records.
        """
        self._waiting += self._buffer.take()
        while self._waiting or self._sent:
            self._send()
            oldest = next(iter(self._sent))
            self._confirm(self._finished([oldest], POLL_SECONDS))
            self._check()

    @property
    def unwritten(self) -> int:
        """Records that no actor has confirmed."""
        batches = [*self._waiting, *self._sent.values()]
        return len(self._buffer) + sum(len(batch.records) for batch in batches)

    def _finished(self, references: list[Any], seconds: float = 0) -> list[Any]:
        done, _ = self._ray.wait(references, num_returns=len(references), timeout=seconds)
        return done

    def _send(self) -> None:
        for batch in self._waiting:
            self._sent[self._writer.write.remote(batch.id, batch.records)] = batch
        self._waiting = []

    def _confirm(self, references: Sequence[Any]) -> None:
        """Lets go of what is written; what an actor did not write is kept to be sent again."""
        for reference in references:
            try:
                self._ray.get(reference)
            except self._ray.exceptions.RayTaskError as error:
                self._waiting.append(self._sent.pop(reference))
                raise error.cause from None
            except self._ray.exceptions.RayError as error:
                self._replace_writer(error)
                return
            log.debug("rows_written", rows=len(self._sent.pop(reference).records))

    def _replace_writer(self, error: Exception) -> None:
        """Starts another actor; it gets all that is not confirmed. The oldest is to blame."""
        self._waiting = [*self._sent.values(), *self._waiting]
        self._sent = {}
        oldest = self._waiting[0]
        self._deaths[oldest.id] += 1
        reason = textwrap.shorten(str(error), LONGEST_REASON, placeholder=" ...")
        log.warning("writer_died", batch=oldest.id, reason=reason)
        if self._deaths[oldest.id] >= MOST_DEATHS:
            raise SetupError(
                f"{MOST_DEATHS} actors died while they wrote the same {len(oldest.records)} "
                f"results: {reason}; run the same command again"
            )
        self._ray.kill(self._writer)  # it may only have been out of reach
        self._writer = self._start()
