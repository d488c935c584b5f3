"""The attack ``kind = "iprop"``: settings, and when it ends."""

from __future__ import annotations

import contextlib
import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, StrictBool, model_validator

from bnnray.attacks.base import Attack
from bnnray.attacks.iprop.propagation import Propagation, Subsolver
from bnnray.attacks.pgd import Pgd, PgdSettings, check_warm_start, warm_start
from bnnray.attacks.search import Search
from bnnray.attacks.settings import (
    LARGEST_COUNT,
    AttackSettings,
    BackendName,
    Count,
    Limit,
    Outside,
    Seconds,
    Stop,
    parse_seconds,
)
from bnnray.encodings import interval_ranges
from bnnray.verdicts import Status


def _check_step(value: Any) -> Any:
    if value == "adaptive" or (type(value) is int and 1 <= value <= LARGEST_COUNT):
        return value
    raise ValueError('expected "adaptive" or a whole number from 1 on')


def _check_patience(value: Any) -> Any:
    if value == "off":
        return value
    with contextlib.suppress(ValueError):
        seconds = parse_seconds(value)
        if type(seconds) in (int, float) and 0 < seconds < math.inf:
            return seconds
    raise ValueError('expected "off", or a duration such as "500ms" or "10s"')


class IpropSettings(AttackSettings):
    """Settings of ``kind = "iprop"``.

    Attributes:
        step: S, how many non-ideal units an iteration draws: "adaptive" (5 % of the last hidden
            layer's width, halved after 5 iterations without a better incumbent) or a number.
        subproblem_time_limit: of each problem (9) or (10).
        subproblem_patience: a subproblem ends as well when it has found nothing better for so
            long, as IProp needs answers and no proofs; "off" as in the paper.
        stop: go on after a flip for the best objective, or end at the first.
        backend: "auto" is Gurobi where there is a licence, HiGHS elsewhere.
        warm_start: a PGD attack whose best point is the start; the clean input without one.
        record: keep every subproblem in the table ``subproblems``; units that are done already
            are not run again for it.
    """

    kind: Literal["iprop"] = "iprop"
    step: Annotated[Literal["adaptive"] | Count, BeforeValidator(_check_step)] = "adaptive"
    subproblem_time_limit: Limit = 10.0
    subproblem_patience: Annotated[Literal["off"] | Seconds, BeforeValidator(_check_patience)] = 0.5
    stop: Stop = "optimum"
    backend: Annotated[BackendName, Outside()] = "auto"
    warm_start: PgdSettings | None = None
    record: Annotated[StrictBool, Outside()] = False

    @model_validator(mode="after")
    def _warm_start_fits(self) -> IpropSettings:
        check_warm_start(self.warm_start, self.time_limit)
        return self


class Iprop(Attack[IpropSettings]):
    """Searches until the time limit or a local optimum; a heuristic."""

    kind: ClassVar[str] = "iprop"
    settings_type: ClassVar[type[AttackSettings]] = IpropSettings

    @property
    def modules(self) -> tuple[str, ...]:
        warm_start = self.settings.warm_start
        return () if warm_start is None else Pgd(warm_start).modules

    def search(self, search: Search) -> Status:
        settings = self.settings
        ranges = interval_ranges(search.question)
        search.effort.unstable = int(ranges[0].unstable.sum())
        if settings.warm_start is not None and search.settled is None:
            warm_start(search, settings.warm_start)
            search.effort.iterations = 0
        patience = settings.subproblem_patience
        subsolver = Subsolver(
            search,
            settings.backend,
            settings.subproblem_time_limit,
            math.inf if isinstance(patience, str) else patience,
        )
        propagation = Propagation(search, ranges, subsolver, settings.step)
        while search.settled is None and search.remaining > 0:
            iteration = propagation.iterate()
            if iteration is None:
                break
            if settings.record:
                search.iterations.append(iteration)
        if search.settled is None and search.remaining > 0:
            return Status.LOCAL_OPTIMUM
        return search.settled or Status.TIME_LIMIT
