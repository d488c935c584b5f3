"""What is proven of each target, and of the question by all of them."""

from __future__ import annotations

from fractions import Fraction
from operator import itemgetter

from bnnray.attacks.search import Search
from bnnray.encodings import LayerRange, interval_bound
from bnnray.threat import Domain, Objective
from bnnray.verdicts import Proof, is_flip, weakest


class TargetBounds:
    """The proven limit of each target's objective; their largest is the question's bound.

    The search keeps them, so a later stage of a cascade begins with what is proven.
    """

    def __init__(self, search: Search, last: LayerRange) -> None:
        self._search = search
        intervals = {o.target: interval_bound(o, last) for o in search.question.objectives}
        self._limits = {t: (bound, Proof.EXACT) for t, bound in intervals.items()}
        for target, known in search.targets.items():
            self._limits[target] = min(known, self._limits[target], key=itemgetter(0))
        self._tell()

    def of(self, objective: Objective) -> Fraction:
        """The limit of one target."""
        return self._limits[objective.target][0]

    def can_flip(self, objective: Objective) -> bool:
        """Whether the limit of one target leaves a flip."""
        return is_flip(self.of(objective), self._search.question.threat.tie)

    def tighten(self, objective: Objective, bound: Fraction, proof: Proof) -> None:
        """Takes a limit of one target."""
        if bound < self.of(objective):
            self._limits[objective.target] = (bound, proof)
            self._tell()

    def _tell(self) -> None:
        self._search.prove_targets(dict(self._limits))


class DistanceBounds:
    """The proven least distance of a flip to each target; the least of them is the question's.

    A target that cannot flip has none. A clean image that does not flip is at least a level away
    from one that does, on the grid.
    """

    def __init__(self, search: Search, bounds: TargetBounds) -> None:
        region = search.question.region
        apart = region.domain is Domain.GRID and not search.incumbent.replayed.flipped
        least = Fraction(int(apart), region.denominator)
        self._search = search
        self._bounds = bounds
        self._values = {o.target: least for o in search.question.objectives}
        self._proofs = dict.fromkeys(self._values, Proof.EXACT)
        self._tell()

    def tighten(self, objective: Objective, distance: Fraction, proof: Proof) -> None:
        """Takes a limit of one target."""
        if distance > self._values[objective.target]:
            self._values[objective.target] = distance
            self._proofs[objective.target] = proof
            self._tell()

    def leave_out(self, objective: Objective, proof: Proof) -> None:
        """Takes it that a target cannot flip, as its bound says by now."""
        self._proofs[objective.target] = proof
        self._tell()

    def _tell(self) -> None:
        left = [o.target for o in self._search.question.objectives if self._bounds.can_flip(o)]
        if left:
            least = min(self._values[target] for target in left)
            self._search.prove_distance(least, weakest(self._proofs.values()))
