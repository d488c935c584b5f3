"""What a solver is asked about one target, and what its answers mean to the search."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

from bnnray.attacks.aims import CLOSED
from bnnray.attacks.bounds import DistanceBounds, TargetBounds
from bnnray.attacks.search import Search
from bnnray.encodings import (
    Encoding,
    LayerRange,
    TightEncoding,
    Wanted,
    interval_bound,
    interval_ranges,
    realise,
)
from bnnray.errors import BugError
from bnnray.solvers import Problem, Progress
from bnnray.threat import (
    LARGEST_DENOMINATOR,
    Domain,
    FloatArray,
    Norm,
    Objective,
    Question,
    Witness,
)
from bnnray.verdicts import Proof, is_flip


class Encode(Protocol):
    """A formulation."""

    def __call__(
        self,
        question: Question,
        objective: Objective,
        ranges: Sequence[LayerRange],
        wanted: Wanted = ...,
        norm: Norm | None = ...,
    ) -> Encoding: ...


class Program(ABC):
    """One program about one target.

    Attributes:
        problem: what the solver gets.
    """

    encoding: Encoding
    problem: Problem

    def __init__(self, search: Search, objective: Objective, bounds: TargetBounds) -> None:
        self.search = search
        self.objective = objective
        self.bounds = bounds

    def report(self, progress: Progress) -> bool:
        """Takes what a solver knows while it runs; says whether it shall stop."""
        self.take(progress.values, progress.bound)
        return self.search.settled is not None

    def take(self, values: FloatArray | None, bound: float) -> None:
        """Takes an assignment, if there is one, and a bound of the program's objective."""
        if values is not None:
            self._offer(values)
        if bound == -math.inf:
            self._infeasible()
        elif bound < math.inf:
            self._bounded(bound)

    def settled_without_solver(self) -> bool:
        """Whether interval arithmetic leaves nothing to solve; then that is taken as proven."""
        return False

    @property
    def leaves_more(self) -> bool:
        """Whether a further program about the target would tell more, this one being solved."""
        return False

    @abstractmethod
    def _offer(self, values: FloatArray) -> None: ...

    @abstractmethod
    def _bounded(self, bound: float) -> None: ...

    @abstractmethod
    def _infeasible(self) -> None: ...

    def _realised(self, values: FloatArray) -> Witness | None:
        """Of the tight form on the box, an input inside the signs of an assignment."""
        on_box = self.search.question.threat.domain is Domain.BOX
        if on_box and isinstance(self.encoding, TightEncoding):
            return realise(self.encoding, values, self.search.remaining)
        return None


class LargestOfTarget(Program):
    """Asks for the largest objective that would be news."""

    def __init__(
        self,
        search: Search,
        objective: Objective,
        bounds: TargetBounds,
        ranges: Sequence[LayerRange],
        encode: Encode,
    ) -> None:
        super().__init__(search, objective, bounds)
        starts_here = search.stop == "optimum" and objective.target == search.best_target
        cutoff = None if starts_here else least_wanted(search, objective)
        self.encoding = encode(search.question, objective, ranges, Wanted(cutoff))
        start = self.encoding.assignment(search.incumbent.witness) if starts_here else None
        self.problem = Problem(self.encoding.model, start)
        self._floor = None if cutoff is None else below(objective, cutoff)

    def _offer(self, values: FloatArray) -> None:
        search, claimed = self.search, self.encoding.claimed(values)
        if claimed <= search.objective or search.offer(self.encoding.witness(values), claimed):
            return
        realised = self._realised(values)
        if realised is not None:
            search.offer(realised, claimed)

    def _bounded(self, bound: float) -> None:
        proven = self.encoding.bound_of(bound)
        if self._floor is not None:
            proven = max(proven, self._floor)
        self.bounds.tighten(self.objective, proven, Proof.SOLVER)

    def _infeasible(self) -> None:
        if self._floor is None:
            raise BugError("a solver called a program infeasible that has a start")
        self.bounds.tighten(self.objective, self._floor, Proof.SOLVER)


class NearestOfTarget(Program):
    """Asks for the nearest flip to one target; nearer than the incumbent, if that flips.

    What is nearer changes no pixel by more, so the program is about a smaller epsilon: its
    relaxation is tighter. On the box tolerances are in proportion to epsilon, so there a target is
    asked about again where the distance that was found is far below it.
    """

    def __init__(
        self,
        search: Search,
        objective: Objective,
        bounds: TargetBounds,
        distances: DistanceBounds,
        ranges: Sequence[LayerRange],
        encode: Encode,
    ) -> None:
        super().__init__(search, objective, bounds)
        self.distances = distances
        self._best = search.distance
        self._least = least_wanted(search, objective)
        self._within, self._beyond = _nearer(search)
        self._empty = False
        question = search.question
        if self._within is not None:
            question = _narrowed(question, self._within)
            ranges = interval_ranges(question)
        self._reach = interval_bound(objective, ranges[-1])
        wanted = Wanted(self._least, self._within)
        self.encoding = encode(question, objective, ranges, wanted, search.minimize)
        self.problem = Problem(self.encoding.model)

    def settled_without_solver(self) -> bool:
        if self._reach >= self._least:
            return False
        self._take_as_empty(Proof.EXACT)
        return True

    @property
    def leaves_more(self) -> bool:
        threat, found = self.encoding.question.threat, self.search.distance
        if threat.domain is not Domain.BOX or self._empty or found is None:
            return False
        return found != self._best and 2 * found < threat.epsilon

    def _offer(self, values: FloatArray) -> None:
        """The tight form's own input on the box lies on thresholds: it may flip or not."""
        realised, witness = self._realised(values), self.encoding.witness(values)
        if realised is None:
            self.search.offer(witness, self._least)
        else:
            self.search.offer(witness)
            self.search.offer(realised, self._least)

    def _bounded(self, bound: float) -> None:
        proven = self.encoding.distance_above(bound)
        if self._beyond is not None:
            proven = min(proven, self._beyond)
        self.distances.tighten(self.objective, proven, Proof.SOLVER)

    def _infeasible(self) -> None:
        self._take_as_empty(Proof.SOLVER)

    def _take_as_empty(self, proof: Proof) -> None:
        self._empty = True
        if self._beyond is not None:
            self.distances.tighten(self.objective, self._beyond, proof)
        else:
            self.bounds.tighten(self.objective, below(self.objective, self._least), proof)
            self.distances.leave_out(self.objective, proof)


def least_wanted(search: Search, objective: Objective) -> Fraction:
    """The least attainable objective of a target that would be news."""
    if search.stop == "flip" or search.minimize is not None:
        return least_flip(objective, search.question.threat.tie)
    return objective.attainable_above(search.objective)


def least_flip(objective: Objective, tie: str) -> Fraction:
    """The least attainable objective of a target that flips; a constant one is what it is."""
    at_zero = objective.attainable_floor(Fraction(0))
    if at_zero == 0 and is_flip(at_zero, tie):
        return at_zero
    return objective.attainable_above(Fraction(0))


def below(objective: Objective, cutoff: Fraction) -> Fraction:
    """The largest attainable objective below an attainable one."""
    return objective.attainable_floor(cutoff - objective.step / 2)


def _narrowed(question: Question, within: Fraction) -> Question:
    """The question with a budget that holds every input within a distance, in either norm."""
    rounded = Fraction(math.ceil(within * LARGEST_DENOMINATOR), LARGEST_DENOMINATOR)
    epsilon = min(rounded, question.threat.epsilon)
    return replace(question, threat=replace(question.threat, epsilon=epsilon))


def _nearer(search: Search) -> tuple[Fraction | None, Fraction | None]:
    """Within which distance a flip would be news, and what is proven where there is none."""
    best = search.distance
    if best is None:
        return None, None
    region = search.question.region
    if region.domain is Domain.GRID:
        return best - Fraction(1, region.denominator), best
    near = best * (1 - CLOSED / 2)
    return near, near
