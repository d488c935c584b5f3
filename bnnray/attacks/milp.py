"""The complete attack by mixed-integer programming."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import model_validator

from bnnray.attacks.base import Attack
from bnnray.attacks.bounds import DistanceBounds, TargetBounds
from bnnray.attacks.pgd import Pgd, PgdSettings, check_warm_start, warm_start
from bnnray.attacks.programs import (
    Encode,
    LargestOfTarget,
    NearestOfTarget,
    Program,
    least_wanted,
)
from bnnray.attacks.search import Search
from bnnray.attacks.settings import AttackSettings, BackendName, Later, Outside, Stop
from bnnray.attacks.solving import solve
from bnnray.encodings import (
    LayerRange,
    check_paper_domain,
    encode_paper,
    encode_tight,
    interval_ranges,
)
from bnnray.errors import UsageError
from bnnray.solvers import Limits
from bnnray.threat import Domain, Norm, Objective
from bnnray.verdicts import Status

FORMULATIONS: Mapping[str, Encode] = {"tight": encode_tight, "paper": encode_paper}
"""Formulations by the name that a job file uses."""


class MilpSettings(AttackSettings):
    """Settings of ``kind = "milp"``.

    Attributes:
        formulation: "tight", see :mod:`bnnray.encodings.tight`, or "paper", as Khalil et al.
            (2018) print it, see :mod:`bnnray.encodings.paper`: on the box only.
        stop: prove the optimum, or end at the first flip or the proof that there is none.
        minimize: look for the flip nearest to the clean image instead of the largest objective,
            in this norm; the optimum is then the least distance.
        backend: "auto" is Gurobi where its licence admits the model, HiGHS elsewhere.
        warm_start: a PGD attack whose best point is the start; the clean input without one.
    """

    kind: Literal["milp"] = "milp"
    formulation: Literal["tight", "paper"] = "tight"
    stop: Stop = "optimum"
    minimize: Annotated[Norm | None, Later()] = None
    backend: Annotated[BackendName, Outside()] = "auto"
    warm_start: PgdSettings | None = None

    @model_validator(mode="after")
    def _warm_start_fits(self) -> MilpSettings:
        check_warm_start(self.warm_start, self.time_limit)
        return self

    @model_validator(mode="after")
    def _one_aim(self) -> MilpSettings:
        if self.minimize is not None and self.stop == "flip":
            raise ValueError(
                'minimize and stop = "flip" contradict each other, as the first flip is seldom '
                "the nearest; leave one of them out"
            )
        return self

    def check_threat(self, domain: Domain, max_pixels: int | None) -> None:
        if self.formulation == "paper":
            check_paper_domain(domain)

    def check_quantizer(self) -> None:
        if self.formulation == "paper":
            raise UsageError(
                'formulation = "paper" is for real inputs only, as printed, and the model begins '
                'with a quantizer: use formulation = "tight"'
            )
        if self.minimize is not None:
            raise UsageError(
                "minimize is not for a model that begins with a quantizer, where levels are "
                "searched and not distances: leave it out"
            )


class Milp(Attack[MilpSettings]):
    """One program for each target, in the order of clean scores, within the one time limit."""

    kind: ClassVar[str] = "milp"
    settings_type: ClassVar[type[AttackSettings]] = MilpSettings
    complete: ClassVar[bool] = True

    @property
    def modules(self) -> tuple[str, ...]:
        warm_start = self.settings.warm_start
        return () if warm_start is None else Pgd(warm_start).modules

    def search(self, search: Search) -> Status:
        ranges = interval_ranges(search.question)
        search.effort.unstable = int(ranges[0].unstable.sum())
        bounds = TargetBounds(search, ranges[-1])
        distances = DistanceBounds(search, bounds)
        if self.settings.warm_start is not None and search.settled is None:
            warm_start(search, self.settings.warm_start)
        while True:
            known = search.distance
            status = self._ask_targets(search, ranges, bounds, distances)
            if status is not Status.OPTIMAL or not _much_nearer(search, known):
                return search.settled or status

    def _ask_targets(
        self,
        search: Search,
        ranges: Sequence[LayerRange],
        bounds: TargetBounds,
        distances: DistanceBounds,
    ) -> Status:
        """OPTIMAL when every target is done, else why a solve stopped."""
        for objective in search.question.objectives:
            more = _has_news(search, objective, bounds)
            while more and search.settled is None:
                if search.remaining == 0:
                    return Status.TIME_LIMIT
                began = time.monotonic()
                program = self._program(search, objective, ranges, bounds, distances)
                search.effort.build_seconds += time.monotonic() - began
                status = self._run(search, program)
                if status is not Status.OPTIMAL:
                    return status
                more = program.leaves_more
        return Status.OPTIMAL

    def _program(
        self,
        search: Search,
        objective: Objective,
        ranges: Sequence[LayerRange],
        bounds: TargetBounds,
        distances: DistanceBounds,
    ) -> Program:
        encode = FORMULATIONS[self.settings.formulation]
        if search.minimize is None:
            return LargestOfTarget(search, objective, bounds, ranges, encode)
        return NearestOfTarget(search, objective, bounds, distances, ranges, encode)

    def _run(self, search: Search, program: Program) -> Status:
        """OPTIMAL when the target is done, else why its solve stopped."""
        if program.settled_without_solver():
            return Status.OPTIMAL
        solution = solve(
            search, self.settings.backend, program.problem, _limits(search), program.report
        )
        program.take(solution.values, solution.bound)
        search.message = solution.message or search.message
        return Status.OPTIMAL if solution.status is Status.INFEASIBLE else solution.status


def _has_news(search: Search, objective: Objective, bounds: TargetBounds) -> bool:
    """Whether the bound of a target leaves anything that is wanted."""
    if search.minimize is not None:
        return bounds.can_flip(objective)
    return bounds.of(objective) >= least_wanted(search, objective)


def _much_nearer(search: Search, known: Fraction | None) -> bool:
    """Whether a flip was found that is far nearer than the one known before.

    On the box a target asked before that has a limit with the tolerance of a larger budget.
    """
    threat, found = search.question.threat, search.distance
    if threat.domain is not Domain.BOX or found is None or search.settled is not None:
        return False
    return 2 * found < (threat.epsilon if known is None else known)


def _limits(search: Search) -> Limits:
    return Limits(search.remaining, search.threads, search.seed)
