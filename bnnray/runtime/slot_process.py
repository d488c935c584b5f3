"""The process of a slot: it searches, with a child process of its own for the solver.

A process and not a thread, as a search takes the interpreter for itself between solves: with
threads, sixteen slots would wait for one core.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from multiprocessing.connection import Connection

from threadpoolctl import threadpool_limits

from bnnray.attacks import Outcome, Task, failed, make_attack
from bnnray.job import Unit
from bnnray.results import Record
from bnnray.runtime.cluster import Shard
from bnnray.runtime.context import RunContext
from bnnray.runtime.records import Span, make_record, now
from bnnray.runtime.slot_messages import Begun, Ended, Errand, NewBound, NewIncumbent
from bnnray.solvers import Child, Solver
from bnnray.threat import Witness
from bnnray.verdicts import Proof, Status


def serve(connection: Connection, nursery: str, context: RunContext) -> None:
    """Runs errands until the keeper is gone.

    Args:
        connection: to the keeper.
        nursery: address of the one that forks the solver's process.
        context: of the run, without images.
    """
    threadpool_limits(context.threads, user_api="blas")
    solver = Child(nursery, context.memory)
    try:
        while True:
            errand: Errand = connection.recv()
            here = replace(errand.context, networks=context.networks)
            for batch in _batches(errand.shard.units):
                searching = _Batch(connection, batch, errand.shard, here, solver)
                connection.send(Ended(searching.run()))
    except (EOFError, ConnectionError):
        return
    finally:
        solver.close()


def _batches(units: Sequence[Unit]) -> Iterator[Sequence[Unit]]:
    """Units that are searched together: all of a batched attack, else one."""
    if make_attack(units[0].attack).batched:
        yield units
    else:
        yield from ([unit] for unit in units)


@dataclass(frozen=True)
class _Batch:
    """Units of one attack on one network, searched together."""

    connection: Connection
    units: Sequence[Unit]
    shard: Shard
    context: RunContext
    solver: Solver

    def run(self) -> list[Record]:
        started, cpu = now(), time.process_time()
        outcomes = self._search()
        span = Span(
            started, now(), (time.process_time() - cpu) / len(self.units), self.shard.attempt
        )
        return [
            make_record(unit, outcome, self.context, span)
            for unit, outcome in zip(self.units, outcomes, strict=True)
        ]

    def _search(self) -> list[Outcome]:
        try:
            tasks = [
                Task(self.context.question(unit), unit.seed, _Reporter(self, unit.key))
                for unit in self.units
            ]
            attack = make_attack(self.units[0].attack)
            return attack.run(tasks, self.solver, self.context.threads)
        except ConnectionError:
            raise  # the keeper is gone
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
            return [failed(Status.CRASHED, reason)] * len(self.units)


@dataclass(frozen=True)
class _Reporter:
    """Tells the keeper what one unit finds, so that it outlives this process."""

    batch: _Batch
    key: str

    def begun(self) -> None:
        if self.key == self.batch.units[-1].key:
            self.batch.connection.send(Begun(tuple(unit.key for unit in self.batch.units)))

    def found(self, witness: Witness) -> None:
        self.batch.connection.send(NewIncumbent(self.key, witness))

    def proved(self, bound: Fraction, proof: Proof) -> None:
        self.batch.connection.send(NewBound(self.key, bound, proof))
