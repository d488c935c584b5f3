"""The objective as a linear function of the last hidden layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from bnnray.network import Network, ScoreArray


@dataclass(frozen=True)
class Objective:
    """score(target) - score(attacked), as (constant + coefficients . h) / denominator.

    h is the last hidden layer, in {-1, +1}.

    Args:
        target, attacked: the two classes.
        constant, coefficients, denominator: Python integers, so that nothing is rounded.
    """

    target: int
    attacked: int
    constant: int
    coefficients: tuple[int, ...]
    denominator: int

    def of_scores(self, scores: ScoreArray) -> Fraction:
        """The objective at one input, from its integer scores (classes,)."""
        return Fraction(int(scores[self.target]) - int(scores[self.attacked]), self.denominator)

    @property
    def maximum(self) -> Fraction:
        """The largest value over all h, reachable by an input or not."""
        return Fraction(self._top, self.denominator)

    @cached_property
    def step(self) -> Fraction:
        """The distance between attainable values; 0 where the objective is constant."""
        return Fraction(2 * math.gcd(*self.coefficients), self.denominator)

    def attainable_floor(self, value: Fraction) -> Fraction:
        """The largest attainable value that is at most ``value``; ``maximum`` at most."""
        if self.step == 0 or value >= self.maximum:
            return min(value, self.maximum)
        return self.maximum - self.step * math.ceil((self.maximum - value) / self.step)

    def attainable_above(self, value: Fraction) -> Fraction:
        """The least attainable value that is greater than ``value``; it may pass ``maximum``."""
        if self.step == 0:
            return self.maximum
        return self.maximum + self.step * (math.floor((value - self.maximum) / self.step) + 1)

    @cached_property
    def _top(self) -> int:
        return self.constant + sum(abs(c) for c in self.coefficients)


def make_objective(network: Network, target: int, attacked: int) -> Objective:
    """The objective of one target class."""
    output = network.output
    weights = output.linear.matrix()
    a, b = output.multipliers[target], output.multipliers[attacked]
    return Objective(
        target=target,
        attacked=attacked,
        constant=output.offsets[target] - output.offsets[attacked],
        coefficients=tuple(
            a * int(t) - b * int(p) for t, p in zip(weights[target], weights[attacked], strict=True)
        ),
        denominator=output.denominator,
    )
