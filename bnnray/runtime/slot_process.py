"""The process of a slot: it searches, with a child process of its own for the solver.

A process and not a thread, as a search takes the interpreter for itself between solves: with
threads, sixteen slots would wait for one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from multiprocessing.connection import Connection

from threadpoolctl import threadpool_limits

from bnnray.attacks import Found, Outcome, Task, failed, make_attack, why_failed
from bnnray.errors import LicenceWait, ProcessError
from bnnray.processes import forget_words
from bnnray.runtime.context import RunContext
from bnnray.runtime.forward import forward
from bnnray.runtime.records import Span, make_record, now
from bnnray.runtime.slot_messages import Begun, Ended, Errand, News, NoLicence, NoSolver
from bnnray.solvers import Child, Solver
from bnnray.threat import Witness
from bnnray.verdicts import Proof


def serve(connection: Connection, nursery: str, context: RunContext) -> None:
    """Runs errands until the keeper is gone.

    Args:
        connection: to the keeper.
        nursery: address of the one that forks the solver's process.
        context: of the run, without images.
    """
    forward(connection, context.log)
    threadpool_limits(context.threads, user_api="blas")
    solver = Child(nursery, context.memory, context.licence)
    try:
        while True:
            errand: Errand = connection.recv()
            forget_words()
            here = replace(errand.context, networks=context.networks)
            ended = _Search(connection, replace(errand, context=here), solver).run()
            solver.release()
            connection.send(ended)
    except (EOFError, ConnectionError):
        return
    finally:
        solver.close()


class _Search:
    """The units of one errand, searched together."""

    def __init__(self, connection: Connection, errand: Errand, solver: Solver) -> None:
        self._connection = connection
        self._errand = errand
        self._solver = solver
        questions = [errand.context.question(unit) for unit in errand.units]
        self._tasks = [
            Task(question, unit.seed, _Reporter(connection, unit.key, self._begun))
            for unit, question in zip(errand.units, questions, strict=True)
        ]
        asked = (u.key for u, q in zip(errand.units, questions, strict=True) if q.targets)
        self._asked = frozenset(asked)
        self._waiting = set(self._asked)

    def run(self) -> Ended | NoSolver | NoLicence:
        """Searches; what came of it."""
        units, context = self._errand.units, self._errand.context
        started, cpu = now(), time.process_time()
        try:
            outcomes = self._outcomes()
        except ProcessError as error:
            return NoSolver(str(error))
        except LicenceWait as wait:
            return NoLicence(wait.refusal)
        spent = (time.process_time() - cpu) / len(units)
        span = Span(started, now(), spent, self._errand.attempt)
        pairs = zip(units, outcomes, strict=True)
        return Ended([make_record(unit, outcome, context, span) for unit, outcome in pairs])

    def _outcomes(self) -> list[Outcome]:
        attack = make_attack(self._errand.units[0].attack)
        try:
            return attack.run(self._tasks, self._solver, self._errand.context.threads)
        except (ProcessError, LicenceWait, ConnectionError):
            raise  # the machine is to blame, all licences are taken, or the keeper is gone
        except Exception as error:
            return [failed(*why_failed(error))] * len(self._tasks)

    def _begun(self, key: str) -> None:
        """The clocks count as running when the last one is: until then nothing is searched."""
        self._waiting.discard(key)
        if not self._waiting:
            self._connection.send(Begun(self._asked))


class _Reporter:
    """Tells the keeper what one unit finds, so that it outlives this process."""

    def __init__(self, connection: Connection, key: str, begun: Callable[[str], None]) -> None:
        self._connection = connection
        self._key = key
        self._begun = begun
        self._found = Found()

    def begun(self) -> None:
        self._begun(self._key)

    def found(self, witness: Witness) -> None:
        self._send(replace(self._found, witness=witness))

    def proved(self, bound: Fraction, proof: Proof) -> None:
        self._send(replace(self._found, bound=(bound, proof)))

    def proved_distance(self, least: Fraction, proof: Proof) -> None:
        self._send(replace(self._found, distance=(least, proof)))

    def took_back(self) -> None:
        self._send(replace(self._found, bound=None, distance=None))

    def _send(self, found: Found) -> None:
        self._found = found
        self._connection.send(News(self._key, found))
