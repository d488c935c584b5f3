"""The solver seam: what a back end takes, streams and returns.

A back end is a small picklable value that builds, solves within limits, translates the status
and reads the values; what it keeps loaded stays inside its own module. So the same back end runs
in this process or in a child that can be killed (:mod:`bnnray.solvers.child`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from bnnray.encodings import Formula, LinearModel
from bnnray.threat import FloatArray
from bnnray.verdicts import Status


@dataclass(frozen=True, eq=False)
class Problem:
    """A program and, if there is one, a feasible assignment to start from, (variables,)."""

    model: LinearModel
    start: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class SatProblem:
    """A formula to satisfy, and whether the solver shall log why that cannot be."""

    formula: Formula
    proof: bool = False


@dataclass(frozen=True)
class Limits:
    """What one solve may use.

    Args:
        seconds: wall time.
        threads: cores.
        seed: of the solver's own random choices.
        patience: seconds without a better assignment after which the solve ends as if its time
            were over; counted from the start, and anew from each better one.
    """

    seconds: float
    threads: int = 1
    seed: int = 0
    patience: float = math.inf

    def left(self, began: float) -> float:
        """Seconds left of a solve that began then, by the monotonic clock; building counts."""
        return max(0.0, self.seconds - (time.monotonic() - began))


@dataclass(frozen=True)
class LicenceUse:
    """What to do about the licence of a solver that needs one.

    Args:
        keep: whether an environment that holds one is kept for the next search, as starting it may
            take seconds; not where licences are counted.
        wait: whether a search is put off while none can be had, instead of failing.
    """

    keep: bool = True
    wait: bool = False


@dataclass(frozen=True, eq=False)
class Progress:
    """What a solver knows while it runs.

    Args:
        values: a new best assignment (variables,), or None when only the bound is news.
        objective: of that assignment, as the solver claims it.
        bound: upper limit of the model's objective; infinite where there is none yet.
        nodes: of the search tree so far.
    """

    values: FloatArray | None
    objective: float
    bound: float
    nodes: int


@dataclass(frozen=True, eq=False)
class Solution:
    """How a solve ended.

    Args:
        status: why it stopped. Values are only there if the solver has an assignment.
        values: the best assignment (variables,), or None.
        objective: of that assignment, as claimed; -infinity without one.
        bound: upper limit of the model's objective; infinite where there is none, and -infinity
            for an infeasible model.
        nodes: of the search tree.
        cpu_seconds: CPU time of the solving process during the solve.
        peak_rss_bytes: the largest resident memory of that process so far.
        message: what to tell about an unusual end.
        build_seconds: wall time of putting the problem into the solver's own form.
        proof: what the solver logged, line by line, where that was asked for.
    """

    status: Status
    values: FloatArray | None = None
    objective: float = float("-inf")
    bound: float = float("inf")
    nodes: int = 0
    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0
    message: str = ""
    build_seconds: float = 0.0
    proof: tuple[str, ...] = ()


Report = Callable[[Progress], bool]
"""Takes a progress; returns True when the solve shall stop."""


@dataclass
class Patience:
    """Measures how long a solve has found nothing better.

    Args:
        seconds: how long it may.
    """

    seconds: float
    over: bool = False
    _since: float = field(default_factory=time.monotonic)

    def renew(self) -> None:
        """Something better was found."""
        self._since = time.monotonic()

    def look(self) -> bool:
        """Whether it is over now, or was at an earlier look."""
        self.over = self.over or time.monotonic() - self._since > self.seconds
        return self.over


P = TypeVar("P", contravariant=True)
"""What a back end solves: a program or a formula."""


class Backend(Protocol[P]):
    """A MILP or a SAT solver."""

    @property
    def name(self) -> str: ...

    def solve(self, problem: P, limits: Limits, report: Report) -> Solution:
        """Solves within the limits, as far as the solver keeps them.

        Raises:
            LicenceError: the solver has no licence, or one too small for the model.
            LicenceTaken: it has one that cannot be had now.
        """
        ...


T = TypeVar("T")


class Solver(Protocol):
    """Something that runs back ends: this process, or a child of it."""

    def prepare(self, *, licensed: bool = False) -> None:
        """Gets ready, before any clock starts.

        Args:
            licensed: whether the search may need a solver's licence.

        Raises:
            LicenceWait: the search is to wait for one.
        """
        ...

    def solve(
        self, backend: Backend[T], problem: T, limits: Limits, report: Report
    ) -> Solution: ...
