"""Projected gradient descent: gradient steps on a smooth surrogate of the network.

The objective is the loss; every iterate is judged by the true network and the best one kept
(Madry et al. 2018; on binarized networks as in Khalil et al. 2018).

The iterated FGSM of Khalil et al. 2018 is ``surrogate = "hardtanh"`` with ``restarts = 1``: sign
steps from the clean input, clipped to the budget and to [0, 1]. With ``repeat`` it goes on from
random starts until the time limit.

At small budgets ``surrogate = "reachable-tanh"`` finds more flips than the others: its tanh is
as wide at each unit as the unit's sum can move within the budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool, model_validator

from bnnray.attacks.base import Attack
from bnnray.attacks.search import Search
from bnnray.attacks.settings import (
    AttackSettings,
    Count,
    Later,
    Positive,
    Stop,
    format_seconds,
)
from bnnray.encodings import interval_ranges
from bnnray.verdicts import Status

if TYPE_CHECKING:
    from bnnray.models.ascent import Iterate

SurrogateName = Literal["hardtanh", "straight-through", "tanh", "reachable-tanh"]

REACHABLE_DEFAULTS = {"surrogate": "reachable-tanh", "iterations": 50, "step": 0.5}
"""What is not given along with this surrogate; its steps shrink, and its width falls, sooner."""


class PgdSettings(AttackSettings):
    """Settings of ``kind = "pgd"``.

    Attributes:
        surrogate: "hardtanh" (Khalil et al. 2018: g(x) = x on [-1, 1], forward and backward),
            "straight-through" (signs forward, hardtanh's slope backward), "tanh" (its width
            falls from 1 to 0.1) or "reachable-tanh" (as wide at each unit as its sum can move
            within the budget, times a factor that falls; see
            :mod:`bnnray.models.ascent.reachable`).
        iterations: gradient steps of each restart; with "reachable-tanh" 50 unless given.
        restarts: starts; the first is the clean input, the others are uniform in the budget.
        repeat: after these starts go on with as many random ones, and again, until the time limit
            or until the search is settled. Only a flip settles it: with ``stop = "optimum"``
            every unit takes its whole time limit, so a job may want ``stop = "flip"``.
        step: length of a step, as a fraction of epsilon. With "reachable-tanh" it is the largest
            change of a pixel by the first step, 0.5 unless given; the last one's is a 25th of it.
        stop: go on after a flip for the best objective, or end at the first.
    """

    kind: Literal["pgd"] = "pgd"
    surrogate: SurrogateName = "hardtanh"
    iterations: Count = 100
    restarts: Count = 10
    repeat: Annotated[StrictBool, Later()] = False
    step: Annotated[Positive, Field(le=2)] = 0.1
    stop: Stop = "optimum"

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_surrogate(cls, given: Any) -> Any:
        named = isinstance(given, Mapping) and given.get("surrogate")
        return {**REACHABLE_DEFAULTS, **given} if named == "reachable-tanh" else given


def check_warm_start(settings: PgdSettings | None, time_limit: float) -> None:
    """Refuses a warm start that contradicts the attack that it starts.

    Raises:
        ValueError: it has an end of its own, or leaves the attack no time.
    """
    if settings is None:
        return
    if settings.stop == "flip":
        raise ValueError("a warm start ends where its attack does; leave out its stop")
    if settings.repeat and settings.time_limit >= time_limit:
        raise ValueError(
            f"expected a warm start that repeats to end before its attack's time_limit of "
            f"{format_seconds(time_limit)}; got a time_limit of "
            f"{format_seconds(settings.time_limit)}"
        )


class Pgd(Attack[PgdSettings]):
    """Searches the points of a batch together, in torch, on the GPU where there is one."""

    kind: ClassVar[str] = "pgd"
    settings_type: ClassVar[type[AttackSettings]] = PgdSettings
    batched: ClassVar[bool] = True

    @property
    def modules(self) -> tuple[str, ...]:
        return ("bnnray.models.ascent",)  # and so torch

    def search(self, search: Search) -> Status:
        return self.search_batch([search])[0]

    def search_batch(self, searches: Sequence[Search]) -> list[Status]:
        from bnnray.models.ascent import Ascent, AscentSettings, Point

        points = []
        for search in searches:
            ranges = interval_ranges(search.question)
            search.effort.unstable = int(ranges[0].unstable.sum())
            search.effort.batch_size = len(searches)
            points.append(Point(search.question, search.seed, ranges))
        settings = self.settings
        ascent = Ascent(
            points,
            AscentSettings(
                settings.surrogate,
                settings.iterations,
                settings.restarts,
                settings.step,
                settings.repeat,
            ),
            threads=searches[0].threads,
        )
        statuses = [Status.ITERATION_LIMIT] * len(searches)
        climbing = list(range(len(searches)))
        for iterate in ascent.run():
            left = []
            for place, number in enumerate(climbing):
                status = _take(searches[number], iterate, place)
                if status is None:
                    left.append(place)
                else:
                    statuses[number] = status
            if not left:
                break
            if len(left) < len(climbing):
                ascent.keep(left)
                climbing = [climbing[place] for place in left]
        return statuses


def _take(search: Search, iterate: Iterate, place: int) -> Status | None:
    """Offers what is better than the incumbent; says why the search has ended, if it has."""
    search.effort.iterations = iterate.number
    if iterate.objectives[place] > float(search.objective):
        search.offer(iterate.witness(place))
    if search.settled or search.remaining == 0:
        search.finish()
        return search.settled or Status.TIME_LIMIT
    return None


def warm_start(search: Search, settings: PgdSettings) -> None:
    """Runs PGD inside another attack's search, on its clock; its best becomes the incumbent."""
    began, limit = search.elapsed, search.time_limit
    search.time_limit = min(limit, began + settings.time_limit)
    Pgd(settings).search(search)
    search.time_limit = limit
    search.resume()
    search.effort.warm_start_seconds = search.elapsed - began
