"""An attack and a solver that misbehave in every way that we could think of."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_info

from bnnray.attacks import Attack, AttackSettings, Search
from bnnray.encodings import LinearModel
from bnnray.solvers import Limits, Problem, Progress, Report, Solution
from bnnray.verdicts import Proof, Status

How = Literal[
    "well",
    "spin",
    "sleep",
    "allocate",
    "segfault",
    "exit",
    "raise",
    "flood",
    "wrong witness",
    "hang at start",
    "die once",
    "count threads",
]


class HostileSettings(AttackSettings):
    """Settings of ``kind = "hostile"``.

    Attributes:
        where: whether the search itself misbehaves or its solver.
        how: in which way, after it has found a flip where there is one.
        seconds: that it works before it ends well.
        mark: a file that "die once" makes before it dies.
    """

    kind: Literal["hostile", "hostile batch"] = "hostile"
    where: Literal["search", "solver"] = "solver"
    how: How = "well"
    seconds: float = 0.0
    mark: str = ""


class Hostile(Attack[HostileSettings]):
    """Offers the upper corner of the region, then misbehaves."""

    kind: ClassVar[str] = "hostile"
    settings_type: ClassVar[type[AttackSettings]] = HostileSettings
    complete: ClassVar[bool] = True

    @property
    def modules(self) -> tuple[str, ...]:
        if self.settings.how == "hang at start":
            time.sleep(3600)
        return ()

    def search(self, search: Search) -> Status:
        settings = self.settings
        search.offer(search.question.region.upper)
        search.prove(search.question.maximum, Proof.EXACT)
        if settings.how == "count threads":
            search.message = str(blas_threads())
        if settings.where == "search":
            misbehave(settings)
            return Status.LOCAL_OPTIMUM
        limits = Limits(search.remaining)
        solution = search.solver.solve(Misbehaving(settings), Problem(MODEL), limits, never)
        search.message = solution.message
        if settings.how == "wrong witness":
            search.offer(search.question.region.upper + 1, claimed=search.question.maximum + 1)
        return solution.status


class HostileBatch(Hostile):
    """The same for several units together."""

    kind: ClassVar[str] = "hostile batch"
    batched: ClassVar[bool] = True

    def search_batch(self, searches: Sequence[Search]) -> list[Status]:
        for search in searches:
            search.offer(search.question.region.upper)
        misbehave(self.settings)
        return [Status.LOCAL_OPTIMUM] * len(searches)


@dataclass(frozen=True)
class Misbehaving:
    """A back end that says what it has and then misbehaves."""

    settings: HostileSettings
    name: str = "hostile"

    def solve(self, problem: Problem, limits: Limits, report: Report) -> Solution:
        report(Progress(np.ones(1), 1.0, 2.0, 1))
        misbehave(self.settings)
        return Solution(Status.OPTIMAL, message=str(blas_threads()))


def misbehave(settings: HostileSettings) -> None:
    """Does as it is told."""
    match settings.how:
        case "spin":
            library = ctypes.PyDLL(None)  # keeps the interpreter's lock while it sleeps
            while True:
                library.usleep(10_000_000)
        case "sleep":
            time.sleep(3600)
        case "allocate":
            hoard = []
            while True:
                hoard.append(np.ones(2**22))
        case "segfault":
            ctypes.string_at(0)
        case "exit":
            os._exit(7)
        case "raise":
            raise ArithmeticError("as told")
        case "flood":
            while True:
                os.write(1, b"x" * 100_000)
        case "die once":
            if not os.path.exists(settings.mark):
                open(settings.mark, "x").close()
                os._exit(7)
    time.sleep(settings.seconds)


def blas_threads() -> set[int]:
    """How many threads numpy may use here."""
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def never(_progress: Progress) -> bool:
    """Does not ask the solver to stop."""
    return False


MODEL = LinearModel(
    objective=np.ones(1),
    lower=np.zeros(1),
    upper=np.ones(1),
    integer=np.ones(1, dtype=bool),
    matrix=sparse.csr_array((0, 1)),
    rhs=np.zeros(0),
    equal=np.zeros(0, dtype=bool),
    integral=True,
)
