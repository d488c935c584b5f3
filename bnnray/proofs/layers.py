"""What decided first-layer signs leave possible for the objective, by counting."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from bnnray.network import Network
from bnnray.threat import Objective


@dataclass(frozen=True)
class Signs:
    """Units of a layer that are known to fire, and not to: bit u of an integer is unit u."""

    firing: int = 0
    still: int = 0

    def holds(self, other: Signs) -> bool:
        """Whether all that the other knows is known here."""
        return not (other.firing & ~self.firing or other.still & ~self.still)

    def add(self, unit: int, sign: int) -> Signs:
        """One unit more."""
        if sign > 0:
            return Signs(self.firing | 1 << unit, self.still)
        return Signs(self.firing, self.still | 1 << unit)

    def joined(self, other: Signs) -> Signs:
        """What is known here or there."""
        return Signs(self.firing | other.firing, self.still | other.still)

    def of(self, unit: int) -> int:
        """+1, -1, or 0 where it is not known."""
        return (self.firing >> unit & 1) - (self.still >> unit & 1)


@dataclass(frozen=True)
class _Unit:
    """A later unit: bits of its inputs with weight +1 and -1, and where it fires."""

    positive: int
    negative: int
    threshold: int

    def sign(self, inputs: Signs) -> int:
        up = (self.positive & inputs.firing | self.negative & inputs.still).bit_count()
        down = (self.positive & inputs.still | self.negative & inputs.firing).bit_count()
        open_ = (self.positive | self.negative).bit_count() - up - down
        if up - down - open_ >= self.threshold:
            return 1
        return -1 if up - down + open_ < self.threshold else 0


class Layers:
    """The layers after the first, and one objective."""

    def __init__(self, network: Network, objective: Objective) -> None:
        self._layers = [
            [
                _Unit(_bits(row, 1), _bits(row, -1), math.ceil(threshold))
                for row, threshold in zip(layer.rows().tolist(), layer.thresholds, strict=True)
            ]
            for layer in network.hidden[1:]
        ]
        self._objective = objective

    def largest(self, signs: Signs) -> Fraction:
        """What the objective of no input with these first-layer signs exceeds."""
        for layer in self._layers:
            here = Signs()
            for number, unit in enumerate(layer):
                sign = unit.sign(signs)
                here = here.add(number, sign) if sign else here
            signs = here
        total = self._objective.constant
        for number, coefficient in enumerate(self._objective.coefficients):
            sign = signs.of(number)
            total += coefficient * sign if sign else abs(coefficient)
        return Fraction(total, self._objective.denominator)


def _bits(row: list[int], weight: int) -> int:
    return sum(1 << place for place, w in enumerate(row) if w == weight)
