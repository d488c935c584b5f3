"""The complete attack by mixed-integer programming."""

from __future__ import annotations

import math
import time
from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from bnnray.attacks.base import Attack
from bnnray.attacks.pgd import Pgd, PgdSettings, warm_start
from bnnray.attacks.search import Search
from bnnray.attacks.settings import AttackSettings, BackendName, Outside, Stop
from bnnray.encodings import (
    Encoding,
    LayerRange,
    TightEncoding,
    Wanted,
    check_paper_domain,
    encode_paper,
    encode_tight,
    interval_bound,
    interval_ranges,
    realise,
)
from bnnray.errors import BugError, LicenceError, ModelTooLarge
from bnnray.solvers import Limits, Problem, Progress, Report, Solution, make_backend
from bnnray.threat import Domain, FloatArray, Objective
from bnnray.verdicts import Proof, Status, is_flip, weakest


class MilpSettings(AttackSettings):
    """Settings of ``kind = "milp"``.

    Attributes:
        formulation: "tight", see :mod:`bnnray.encodings.tight`, or "paper", as Khalil et al.
            (2018) print it, see :mod:`bnnray.encodings.paper`: on the box only.
        stop: prove the optimum, or end at the first flip or the proof that there is none.
        backend: "auto" is Gurobi where its licence admits the model, HiGHS elsewhere.
        warm_start: a PGD attack whose best point is the start; the clean input without one.
    """

    kind: Literal["milp"] = "milp"
    formulation: Literal["tight", "paper"] = "tight"
    stop: Stop = "optimum"
    backend: Annotated[BackendName, Outside()] = "auto"
    warm_start: PgdSettings | None = None

    def check_domain(self, domain: Domain) -> None:
        if self.formulation == "paper":
            check_paper_domain(domain)


class Milp(Attack[MilpSettings]):
    """One program for each target, in the order of clean scores, within the one time limit."""

    kind: ClassVar[str] = "milp"
    settings_type: ClassVar[type[AttackSettings]] = MilpSettings
    complete: ClassVar[bool] = True

    def prepare(self) -> None:
        if self.settings.warm_start is not None:
            Pgd(self.settings.warm_start).prepare()

    def search(self, search: Search) -> Status:
        ranges = interval_ranges(search.question)
        search.effort.unstable = int(ranges[0].unstable.sum())
        bounds = TargetBounds(search, ranges[-1])
        if self.settings.warm_start is not None and search.settled is None:
            warm_start(search, self.settings.warm_start)
        for objective in search.question.objectives:
            cutoff = least_wanted(search, objective)
            if search.settled is not None or bounds.of(objective) < cutoff:
                continue
            if search.remaining == 0:
                return Status.TIME_LIMIT
            status = self._solve_target(search, objective, cutoff, ranges, bounds)
            if status is not Status.OPTIMAL:
                return search.settled or status
        return search.settled or Status.OPTIMAL

    def _solve_target(
        self,
        search: Search,
        objective: Objective,
        cutoff: Fraction,
        ranges: tuple[LayerRange, ...],
        bounds: TargetBounds,
    ) -> Status:
        """OPTIMAL when the target is done, else why its solve stopped."""
        began = time.monotonic()
        starts_here = search.stop == "optimum" and objective.target == search.best_target
        cut = None if starts_here else cutoff
        encode = encode_paper if self.settings.formulation == "paper" else encode_tight
        encoding: Encoding = encode(search.question, objective, ranges, Wanted(cutoff=cut))
        start = encoding.assignment(search.incumbent.witness) if starts_here else None
        search.effort.build_seconds += time.monotonic() - began
        floor = -math.inf if cut is None else objective.attainable_floor(cut - objective.step / 2)

        def tighten(bound: float) -> None:
            if bound < math.inf:
                proven = floor if bound == -math.inf else max(floor, encoding.bound_of(bound))
                if proven == -math.inf:
                    raise BugError("a solver called a program infeasible that has a start")
                bounds.tighten(objective, Fraction(proven), Proof.SOLVER)

        def report(progress: Progress) -> bool:
            if progress.values is not None:
                _offer(search, encoding, progress.values)
            tighten(progress.bound)
            return search.settled is not None

        solution = self._solve(search, Problem(encoding.model, start), report)
        if solution.values is not None:
            _offer(search, encoding, solution.values)
        tighten(solution.bound)
        search.message = solution.message or search.message
        return Status.OPTIMAL if solution.status is Status.INFEASIBLE else solution.status

    def _solve(self, search: Search, problem: Problem, report: Report) -> Solution:
        """Solves on the back end asked for; "auto" falls back where Gurobi has no licence."""
        asked = self.settings.backend
        began = time.monotonic()
        try:
            name = "gurobi" if asked == "auto" else asked
            solution = search.solver.solve(make_backend(name), problem, _limits(search), report)
        except LicenceError as error:
            if asked != "auto":
                raise
            if isinstance(error, ModelTooLarge):
                search.message = str(error)
            name = "highs"
            solution = search.solver.solve(make_backend(name), problem, _limits(search), report)
        search.effort.backend = name
        search.effort.add(solution, time.monotonic() - began)
        return solution


class TargetBounds:
    """The proven limit of each target's objective; their largest is the question's bound."""

    def __init__(self, search: Search, last: LayerRange) -> None:
        self._search = search
        objectives = search.question.objectives
        self._values = {o.target: interval_bound(o, last) for o in objectives}
        self._proofs = dict.fromkeys(self._values, Proof.EXACT)
        self._tell()

    def of(self, objective: Objective) -> Fraction:
        """The limit of one target."""
        return self._values[objective.target]

    def tighten(self, objective: Objective, bound: Fraction, proof: Proof) -> None:
        """Takes a limit of one target."""
        if bound < self._values[objective.target]:
            self._values[objective.target] = bound
            self._proofs[objective.target] = proof
            self._tell()

    def _tell(self) -> None:
        self._search.prove(max(self._values.values()), weakest(self._proofs.values()))


def least_wanted(search: Search, objective: Objective) -> Fraction:
    """The least attainable objective of a target that would be news."""
    if search.stop == "flip":
        at_zero = objective.attainable_floor(Fraction(0))
        if at_zero == 0 and is_flip(at_zero, search.question.threat.tie):
            return at_zero
        return objective.attainable_above(Fraction(0))
    return objective.attainable_above(search.objective)


def _limits(search: Search) -> Limits:
    return Limits(search.remaining, search.threads, search.seed)


def _offer(search: Search, encoding: Encoding, values: FloatArray) -> None:
    """Offers a solver's assignment; of the tight form on the box an input inside its signs where
    that is needed."""
    claimed = encoding.claimed(values)
    if claimed <= search.objective or search.offer(encoding.witness(values), claimed):
        return
    if isinstance(encoding, TightEncoding) and search.question.threat.domain is Domain.BOX:
        realised = realise(encoding, values, search.remaining)
        if realised is not None:
            search.offer(realised, claimed)
