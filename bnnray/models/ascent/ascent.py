"""The climb of a batch: rounds of starts and steps, every iterate judged."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from bnnray.models.ascent.budget import Budget
from bnnray.models.ascent.climber import Climber
from bnnray.models.ascent.draws import Draws
from bnnray.models.ascent.judge import Goals, Judge
from bnnray.models.ascent.point import Point
from bnnray.models.ascent.reachable import ReachableTanh
from bnnray.models.ascent.sign_steps import SignSteps, hardtanh, straight_through, tanh
from bnnray.threat import Witness

CLIMBERS: dict[str, Callable[[Sequence[Point], float, str], Climber]] = {
    "hardtanh": partial(SignSteps, hardtanh),
    "straight-through": partial(SignSteps, straight_through),
    "tanh": partial(SignSteps, tanh),
    "reachable-tanh": ReachableTanh,
}
"""From points, the (first) step's length in [0, 1] and a device; by the surrogate's name."""


@dataclass(frozen=True)
class AscentSettings:
    """How to climb; see :class:`bnnray.attacks.pgd.PgdSettings`."""

    surrogate: str
    iterations: int
    restarts: int
    step: float
    repeat: bool = False


@dataclass(frozen=True, eq=False)
class Iterate:
    """The batch after some steps.

    Args:
        number: how many steps were taken, in all rounds.
        objectives: float64 (points,), the best over the restarts, as judged in torch.
        witness: gives that best input of a point.
    """

    number: int
    objectives: npt.NDArray[np.float64]
    witness: Callable[[int], Witness]


class Ascent:
    """One climb of several questions on one network and one threat."""

    def __init__(
        self,
        points: Sequence[Point],
        settings: AscentSettings,
        threads: int = 1,
        device: str | None = None,
    ) -> None:
        torch.set_num_threads(threads)  # of this thread: other slots keep theirs
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        questions = [p.question for p in points]
        length = settings.step * float(questions[0].threat.epsilon)
        self._settings = settings
        self._points = list(points)
        self._judge = Judge(questions[0], device)
        self._goals = Goals(questions, device)
        self._budget = Budget(questions, device)
        self._draws = Draws([p.seed for p in points], settings.restarts, device)
        self._climber = CLIMBERS[settings.surrogate](points, length, device)

    def run(self) -> Iterator[Iterate]:
        """Rounds of starts and steps: one, or without end with ``repeat``.

        The first round has the clean input among its starts; the generator of each point goes on
        from round to round.
        """
        self._x = self._budget.starts(self._draws)
        self._x[:, :1] = self._budget.clean
        yield from self._round(0)
        for number in itertools.count(1) if self._settings.repeat else ():
            self._x = self._budget.starts(self._draws)
            yield from self._round(number)

    def keep(self, numbers: Sequence[int]) -> None:
        """Goes on with these of the batch's points only, numbered anew from the next iterate."""
        places = list(numbers)
        self._points = [self._points[n] for n in places]
        self._x = self._x[places]
        for part in (self._goals, self._budget, self._draws, self._climber):
            part.keep(places)

    def _round(self, number: int) -> Iterator[Iterate]:
        """The starts, then the batch after each step."""
        iterations = self._settings.iterations
        self._climber.begin(self._draws)
        yield self._judged(number * iterations)
        for taken in range(iterations):
            done = taken / max(1, iterations - 1)
            step = self._climber.step(self._x, done, self._goals)
            self._x = self._budget.project(self._x + step.move, step.gradient)
            yield self._judged(number * iterations + taken + 1)

    def _judged(self, number: int) -> Iterate:
        points, clean, x = self._points, self._budget.clean, self._x
        objectives = self._goals.objective(self._judge.scores(x))
        best, where = objectives.max(dim=1)

        def witness(point: int) -> Witness:
            region = points[point].question.region
            best = x[point, where[point]].detach()
            moved = (best != clean[point, 0]).cpu().numpy()
            values = np.where(moved, best.cpu().numpy().astype(np.float64), region.float_clean)
            return region.nearest(values)

        return Iterate(number, best.cpu().numpy().astype(np.float64), witness)
