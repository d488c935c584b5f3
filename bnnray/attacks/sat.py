"""The complete attack by SAT solvers, see docs/sat.md."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import StrictBool, model_validator

from bnnray.attacks.base import Attack
from bnnray.attacks.bounds import TargetBounds
from bnnray.attacks.programs import below, least_wanted
from bnnray.attacks.sat_proof import proof_text
from bnnray.attacks.search import Search
from bnnray.attacks.settings import AttackSettings, Outside, Stop
from bnnray.encodings import Asked, Form, LayerRange, SatEncoding, encode_formula, interval_ranges
from bnnray.errors import ProofTimeout, UsageError
from bnnray.proofs import check_proof
from bnnray.solvers import SAT_SOLVERS, Limits, Sat, SatProblem, Solution
from bnnray.threat import Domain, Objective
from bnnray.verdicts import Proof, Status, is_flip

SolverName = Literal["auto", "minicard", "gluecard4", "cadical195", "cadical300", "glucose4"]

AUTO = "minicard"
"""What "auto" stands for, see docs/sat.md for why."""

AUTO_WITH_PROOF = "gluecard4"
"""What it stands for where a proof is asked for."""

NATIVE = Form(counted=256, sums=400_000)
"""For solvers that take cardinality constraints as they are; the small ones, those of later layers,
are better off as clauses, which say at once what a unit is whose inputs are known."""

CLAUSES = Form(counted=math.inf, sums=0)
"""For other solvers."""


class SatSettings(AttackSettings):
    """Settings of ``kind = "sat"``.

    Attributes:
        stop: end at the first flip or the proof that there is none, or prove the optimum, by asking
            again for more than the last input has.
        solver: "auto", or the name of a solver.
        proof: log why there is no flip, and check that before it counts: docs/sat.md.
    """

    kind: Literal["sat"] = "sat"
    stop: Stop = "flip"
    solver: Annotated[SolverName, Outside()] = "auto"
    proof: StrictBool = False

    @model_validator(mode="after")
    def _solver_proves(self) -> SatSettings:
        if self.proof and self.solver != "auto" and not SAT_SOLVERS[self.solver].proves:
            can = ", ".join(name for name, solver in SAT_SOLVERS.items() if solver.proves)
            raise ValueError(f"{self.solver} logs no proof that can be checked; use {can}")
        return self

    def check_threat(self, domain: Domain, max_pixels: int | None) -> None:
        if domain is Domain.BOX:
            raise UsageError(
                'kind = "sat" decides integer levels; got domain = "box": use domain = "grid", or '
                'kind = "exact"'
            )
        if self.proof and max_pixels is not None:
            raise UsageError(
                f"a proof of a SAT solver does not limit how many pixels change; got max_pixels = "
                f"{max_pixels}: leave one of them out"
            )

    @property
    def backend(self) -> Sat:
        """The solver that is asked."""
        auto = AUTO_WITH_PROOF if self.proof else AUTO
        return SAT_SOLVERS[auto if self.solver == "auto" else self.solver]


def form_for(backend: Sat) -> Form:
    """How a formula is best put to a solver."""
    return NATIVE if backend.native else CLAUSES


class SatAttack(Attack[SatSettings]):
    """Asks for an input that is worth more, until there is none."""

    kind: ClassVar[str] = "sat"
    settings_type: ClassVar[type[AttackSettings]] = SatSettings
    complete: ClassVar[bool] = True

    @property
    def modules(self) -> tuple[str, ...]:
        return ("pysat.solvers",)

    def search(self, search: Search) -> Status:
        ranges = interval_ranges(search.question)
        search.effort.unstable = int(ranges[0].unstable.sum())
        bounds = TargetBounds(search, ranges[-1])
        while search.settled is None or self._lacks_proof(search):
            if search.remaining == 0:
                return search.settled or Status.TIME_LIMIT
            asked, encoding = self._encode(search, ranges, bounds)
            solution = self._solve(search, encoding)
            if solution.values is None:
                return self._end(search, bounds, asked, encoding, solution)
            if not search.offer(encoding.witness(solution.values), min(asked.least.values())):
                return Status.OPTIMAL  # as the solver claims; the replay denies it
        return search.settled

    def _lacks_proof(self, search: Search) -> bool:
        """Whether it is to go on though the question is settled, for what can be checked."""
        return self.settings.proof and search.settled is not Status.FLIP_FOUND

    def _encode(
        self, search: Search, ranges: Sequence[LayerRange], bounds: TargetBounds
    ) -> tuple[Asked, SatEncoding]:
        """What would be news, and the formula that says so."""
        began = time.monotonic()
        least = {
            o.target: least_wanted(search, o)
            for o in search.question.objectives
            if self._has_news(search, o, bounds)
        }
        form = form_for(self.settings.backend)
        asked = Asked(search.question, ranges, least)
        encoding = encode_formula([asked], form)
        search.effort.build_seconds += time.monotonic() - began
        return asked, encoding

    def _has_news(self, search: Search, objective: Objective, bounds: TargetBounds) -> bool:
        """Whether something is wanted of a target, and there may be such an input. For a proof all
        targets matter, whatever was known of them before."""
        wanted = least_wanted(search, objective)
        is_news = (
            is_flip(wanted, search.question.threat.tie)
            if search.stop == "flip"
            else wanted > search.objective
        )
        return is_news and (self.settings.proof or bounds.of(objective) >= wanted)

    def _solve(self, search: Search, encoding: SatEncoding) -> Solution:
        began = time.monotonic()
        backend, formula = self.settings.backend, encoding.formula
        limits = Limits(search.remaining, search.threads, search.seed)
        problem = SatProblem(formula, self.settings.proof)
        solution = search.solver.solve(backend, problem, limits, lambda _progress: False)
        search.effort.backend = backend.name
        search.effort.iterations += 1
        search.effort.add(solution, time.monotonic() - began)
        search.effort.measure(formula.variables, formula.constraints)
        return solution

    def _end(
        self,
        search: Search,
        bounds: TargetBounds,
        asked: Asked,
        encoding: SatEncoding,
        solution: Solution,
    ) -> Status:
        """Takes it that nothing is left to find, or that the solver did not get so far."""
        if solution.status is not Status.INFEASIBLE:
            search.message = solution.message
            return search.settled or solution.status
        proof = self._checked(search, asked, encoding, solution)
        for objective in search.question.objectives:
            if objective.target in asked.least:
                bounds.tighten(objective, below(objective, asked.least[objective.target]), proof)
        return search.settled or Status.OPTIMAL

    def _checked(
        self, search: Search, asked: Asked, encoding: SatEncoding, solution: Solution
    ) -> Proof:
        """What there being no such input rests on."""
        if not self.settings.proof:
            return Proof.SOLVER
        if encoding.goals and search.question.network.output.is_affine:
            search.message = "no proof is written for affine scores"
            return Proof.SOLVER
        text = proof_text(asked, encoding, solution.proof)
        try:
            check_proof(search.question, text, search.remaining)
        except ProofTimeout:
            search.message = "there was no time to check the proof"
            return Proof.SOLVER
        search.proof_text = text
        return Proof.EXACT
