"""What a search is after: which incumbent is better, and when nothing is left to find."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from bnnray.threat import Norm, Replayed
from bnnray.verdicts import Status, is_flip

CLOSED = Fraction(1, 10_000)
"""An optimum counts as proven at a relative gap up to this. Affine scores leave a gap, as do
distances on the box, whose infimum need not be attained; other bounds are rounded to attainable
values."""


@dataclass(frozen=True, eq=False)
class Known:
    """What a search has found and proven so far.

    Args:
        best: the incumbent.
        bound: upper limit of the objective, or None.
        nearest: lower limit of the distance of any flip.
        tie: "keep" or "flip".
    """

    best: Replayed
    bound: Fraction | None
    nearest: Fraction
    tie: str


class Aim(Protocol):
    """What a search is after."""

    def rank(self, replayed: Replayed) -> tuple[Fraction, ...]:
        """The larger, the better an input is."""
        ...

    def settled(self, known: Known) -> Status | None:
        """Why nothing is left to search, or None while something is."""
        ...

    def closed(self, known: Known) -> bool:
        """Whether the incumbent is proven to be the best."""
        ...

    def reached(self, known: Known, claimed: Fraction) -> bool:
        """Whether an objective that a replay denied was reached by another input after all."""
        ...


@dataclass(frozen=True)
class LargestObjective:
    """The largest objective; with ``flip`` any that flips will do."""

    flip: bool

    def rank(self, replayed: Replayed) -> tuple[Fraction, ...]:
        return (replayed.objective,)

    def settled(self, known: Known) -> Status | None:
        if self.flip and known.best.flipped:
            return Status.FLIP_FOUND
        if known.bound is not None and known.bound <= known.best.objective:
            return Status.OPTIMAL
        if self.flip and known.bound is not None and not is_flip(known.bound, known.tie):
            return Status.INFEASIBLE
        return None

    def closed(self, known: Known) -> bool:
        objective = known.best.objective
        return known.bound is not None and known.bound - objective <= abs(objective) * CLOSED

    def reached(self, known: Known, claimed: Fraction) -> bool:
        return known.best.objective >= claimed


@dataclass(frozen=True)
class SmallestDistance:
    """The flip that is nearest to the clean image."""

    norm: Norm

    def rank(self, replayed: Replayed) -> tuple[Fraction, ...]:
        return (Fraction(replayed.flipped), -replayed.distance(self.norm))

    def settled(self, known: Known) -> Status | None:
        if self.closed(known):
            return Status.OPTIMAL
        if known.bound is not None and not is_flip(known.bound, known.tie):
            return Status.INFEASIBLE
        return None

    def closed(self, known: Known) -> bool:
        distance = known.best.distance(self.norm)
        return known.best.flipped and distance - known.nearest <= distance * CLOSED

    def reached(self, known: Known, _claimed: Fraction) -> bool:
        return self.closed(known)


def make_aim(stop: str, minimize: Norm | None) -> Aim:
    """The aim of an attack's settings."""
    return LargestObjective(stop == "flip") if minimize is None else SmallestDistance(minimize)
