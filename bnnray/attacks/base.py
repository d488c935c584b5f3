"""The frame of every attack: it starts the clocks, runs the search and asks for the verdict.

A new attack is a settings class and a class with ``kind`` and ``search``; see
docs/adding_an_attack.md.
"""

from __future__ import annotations

import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from bnnray.attacks.search import Effort, Outcome, Search
from bnnray.attacks.settings import AttackSettings
from bnnray.errors import LicenceError
from bnnray.solvers import Solver
from bnnray.threat import Norm, Question
from bnnray.verdicts import Proof, Replay, Status, Verdict

S = TypeVar("S", bound=AttackSettings)


@dataclass(frozen=True, eq=False)
class Task:
    """A question to put to an attack, and the seed of its random choices."""

    question: Question
    seed: int


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

    def prepare(self) -> None:
        """Loads what the search needs, before any clock starts."""

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
        ending: threading.Event | None = None,
    ) -> list[Outcome]:
        """Searches each task and says what is known; a failed search is an outcome too.

        Args:
            tasks: questions on one network. More than one only for batched attacks.
            solver: runs back ends.
            threads: cores that a solve may use.
            ending: set when the run ends and every search should.

        Returns:
            One outcome a task, in their order.

        Raises:
            UsageError: settings that do not fit a question's domain.
        """
        for domain in {task.question.threat.domain for task in tasks}:
            self.settings.check_domain(domain)
        asked = [task for task in tasks if task.question.targets]
        found = iter(self._search_all(asked, solver, threads, ending))
        return [next(found) if task.question.targets else _nothing_asked() for task in tasks]

    def _search_all(
        self,
        tasks: Sequence[Task],
        solver: Solver,
        threads: int,
        ending: threading.Event | None,
    ) -> list[Outcome]:
        if not tasks:
            return []
        try:
            self.prepare()
            solver.prepare()
            searches = [
                Search(
                    question=task.question,
                    time_limit=self.settings.time_limit,
                    seed=task.seed,
                    solver=solver,
                    stop=self.stop,
                    minimize=self.minimize,
                    complete=self.complete,
                    threads=threads,
                    ending=ending,
                )
                for task in tasks
            ]
            statuses = self.search_batch(searches)
            return [s.outcome(status) for s, status in zip(searches, statuses, strict=True)]
        except LicenceError as error:
            return [failed(Status.LICENCE, str(error))] * len(tasks)
        except Exception as error:  # one bad unit must not end a campaign
            place = traceback.extract_tb(error.__traceback__)[-1]
            message = f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})"
            return [failed(Status.CRASHED, message)] * len(tasks)


def _nothing_asked() -> Outcome:
    return failed(Status.SKIPPED, "the goal is the attacked class itself")


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
