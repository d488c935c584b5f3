"""The record of IProp's iterations, for those who want to see every step of the algorithm."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from bnnray.network import IntArray
from bnnray.verdicts import Status


@dataclass(frozen=True, eq=False)
class Subproblem:
    """One solve of problem (9), or of problem (10).

    Args:
        layer: the hidden layer that was solved for, the first being 1; 0 is the input.
        wanted: int64, +1, -1 or 0 for each unit of the next layer.
        incumbent: int64, the incumbent's signs of the next layer.
        answer: int64, the next layer's signs that the answer gives.
        turned: how many signs of this layer the answer turns; 0 for the input.
        status: why the solve ended; optimal where nothing was left to solve.
        seconds: wall time, building included.
    """

    layer: int
    wanted: IntArray
    incumbent: IntArray
    answer: IntArray
    turned: int
    status: Status
    seconds: float

    @property
    def targets(self) -> int:
        """How many units of the next layer had a wanted sign."""
        return int((self.wanted != 0).sum())

    @property
    def reached(self) -> int:
        """How many of them the answer gives their sign."""
        return int(((self.wanted != 0) & (self.wanted == self.answer)).sum())

    @property
    def held(self) -> int:
        """How many of them the incumbent gives their sign."""
        return int(((self.wanted != 0) & (self.wanted == self.incumbent)).sum())


@dataclass(frozen=True, eq=False)
class Iteration:
    """One pass from the last hidden layer down to the input.

    Args:
        number: from 1 on.
        target: the class that is wanted.
        step: S, how many non-ideal units were to be drawn.
        ideal: int64, I*: units of the last hidden layer that are ideal at the incumbent.
        drawn: int64, G: the non-ideal units that were drawn.
        subproblems: from layer D - 1 down to the input.
        objective: of the input that was found, replayed.
        improved: whether it became the incumbent.
    """

    number: int
    target: int
    step: int
    ideal: IntArray
    drawn: IntArray
    subproblems: tuple[Subproblem, ...]
    objective: Fraction
    improved: bool
