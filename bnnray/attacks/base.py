"""The frame of every attack: it starts the clocks, runs the search and asks for the verdict.

A new attack is a settings class and a class with ``kind`` and ``search``; see
docs/adding_an_attack.md.
"""

from __future__ import annotations

import importlib
import traceback
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar, Generic, TypeVar

from bnnray.attacks.search import Effort, Listener, Nobody, Outcome, Search
from bnnray.attacks.settings import AttackSettings
from bnnray.errors import LicenceError, LicenceWait, ProcessError
from bnnray.logs import Log
from bnnray.solvers import InProcess, Solver
from bnnray.threat import Norm, Question, Witness
from bnnray.verdicts import Proof, Replay, Status, Verdict

S = TypeVar("S", bound=AttackSettings)
log = Log("attacks")


@dataclass(frozen=True, eq=False)
class Task:
    """A question to put to an attack.

    Args:
        question: what is asked.
        seed: of the attack's random choices.
        listener: is told of what is found, as it is found.
    """

    question: Question
    seed: int
    listener: Listener = field(default_factory=Nobody)


@dataclass(frozen=True, eq=False)
class Found:
    """What a search had found when it was cut off from outside.

    Args:
        witness: of its incumbent, or None for the clean input.
        bound: the least that it had proven, and what that rests on; or None.
        distance: the largest lower limit of the distance that it had proven, likewise.
    """

    witness: Witness | None = None
    bound: tuple[Fraction, Proof] | None = None
    distance: tuple[Fraction, Proof] | None = None


class Attack(ABC, Generic[S]):
    """A search for a perturbation that flips the network.

    Attributes:
        kind: the name in job files.
        settings_type: what a job file may set.
        complete: whether it can prove; a heuristic never says robust.
        batched: whether it searches several questions of one network together.
    """

    kind: ClassVar[str]
    settings_type: ClassVar[type[AttackSettings]]
    complete: ClassVar[bool] = False
    batched: ClassVar[bool] = False

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @abstractmethod
    def search(self, search: Search) -> Status:
        """Searches one question until it is settled, its time is over or nothing is left to try.

        Offers witnesses to ``search`` and proves bounds on it; returns why it stopped.

        Raises:
            LicenceError: a solver has no licence.
        """

    def search_batch(self, searches: Sequence[Search]) -> list[Status]:
        """Searches several questions; one after the other unless an attack does better."""
        return [self.search(search) for search in searches]

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules that the search needs and that take long to load; no clock pays for that."""
        return ()

    @property
    def stop(self) -> str:
        """When a search may end early: "optimum" or "flip"."""
        return str(getattr(self.settings, "stop", "optimum"))

    @property
    def minimize(self) -> Norm | None:
        """The norm of the smallest perturbation, or None where the objective is maximized."""
        norm: Norm | None = getattr(self.settings, "minimize", None)
        return norm

    def run(
        self,
        tasks: Sequence[Task],
        solver: Solver,
        threads: int = 1,
    ) -> list[Outcome]:
        """Searches each task and says what is known; a failed search is an outcome too.

        Args:
            tasks: questions on one network. More than one only for batched attacks.
            solver: runs back ends.
            threads: cores that a solve may use.

        Returns:
            One outcome a task, in their order.

        Raises:
            UsageError: settings that do not fit a question's threat or its network's quantizer.
            ProcessError: the solver's process cannot be started.
            LicenceWait: the searches are to begin anew when there is a licence.
        """
        for threat, quantizer in {(t.question.threat, t.question.network.quantizer) for t in tasks}:
            self.settings.check(threat.domain, threat.max_pixels, quantizer)
        asked = [task for task in tasks if task.question.targets]
        found = iter(self._search_all(asked, solver, threads))
        return [next(found) if task.question.targets else _nothing_asked() for task in tasks]

    def cut_off(self, task: Task, found: Found, status: Status, seconds: float) -> Outcome:
        """The outcome of a search that was killed: what it had found, replayed here."""
        if not task.question.targets:
            return _nothing_asked()
        search = self._begin(task, InProcess(), 1)
        search.clock = lambda: search.started + seconds
        if found.witness is not None:
            search.offer(found.witness)
        if found.bound is not None:
            search.prove(*found.bound)
        if found.distance is not None:
            search.prove_distance(*found.distance)
        return search.outcome(status)

    def _search_all(self, tasks: Sequence[Task], solver: Solver, threads: int) -> list[Outcome]:
        if not tasks:
            return []
        try:
            for module in self.modules:
                importlib.import_module(module)
            solver.prepare(licensed=self.settings.licensed)
            searches = [self._begin(task, solver, threads) for task in tasks]
            statuses = self.search_batch(searches)
            return [s.outcome(status) for s, status in zip(searches, statuses, strict=True)]
        except (ProcessError, LicenceWait):
            raise  # the machine, or who holds all licences, is to blame: this is no outcome
        except Exception as error:  # one bad unit must not end a campaign
            return [failed(*why_failed(error))] * len(tasks)

    def _begin(self, task: Task, solver: Solver, threads: int) -> Search:
        return Search(
            question=task.question,
            time_limit=self.settings.time_limit,
            seed=task.seed,
            solver=solver,
            stop=self.stop,
            minimize=self.minimize,
            complete=self.complete,
            threads=threads,
            listener=task.listener,
        )


def _nothing_asked() -> Outcome:
    return failed(Status.SKIPPED, "the goal is the attacked class itself")


def why_failed(error: Exception) -> tuple[Status, str]:
    """The status and the message of a search that ended by an error; the log gets the traceback."""
    if isinstance(error, LicenceError):
        return Status.LICENCE, str(error)
    if isinstance(error, MemoryError):
        return Status.MEMORY_LIMIT, "the search found no more memory"
    log.warning("search_raised", traceback="".join(traceback.format_exception(error)))
    place = traceback.extract_tb(error.__traceback__)[-1]
    return Status.CRASHED, f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"


def failed(status: Status, message: str) -> Outcome:
    """The outcome of a search that did not run to an end."""
    return Outcome(
        verdict=Verdict.UNKNOWN,
        proof=Proof.NONE,
        status=status,
        replay=Replay.NONE,
        incumbent=None,
        claimed=None,
        bound=None,
        seconds=0.0,
        trace=(),
        effort=Effort(),
        message=message,
    )
