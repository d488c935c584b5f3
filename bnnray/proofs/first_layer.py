"""What first-layer signs ask of an input, and whether some input can meet it: linear, exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from bnnray.proofs.layers import Signs
from bnnray.threat import Domain, Question

Parts = Sequence[tuple[int, int, int]]
"""Units, the signs that they are to have, and multipliers."""

Box = tuple[tuple[int, ...], tuple[int, ...]]
"""The least and largest numerators of each pixel, over the region's denominator."""


@dataclass(frozen=True)
class _Row:
    """``weights . x >= least``, or ``>`` if strict, of the numerators x of an input."""

    weights: list[int]
    least: int | Fraction
    strict: bool


@dataclass(frozen=True)
class Parity:
    """Of the inputs of the grid those whose sum at a unit is even, or odd.

    A unit that has its zero weights where this one has, among the pixels that can change, differs
    by an even number: so the parity of its sum is known too.
    """

    unit: int
    odd: bool


class FirstLayer:
    """The first layer over the region of a question."""

    def __init__(self, question: Question) -> None:
        region, layer = question.region, question.network.hidden[0]
        self.whole = region.domain is Domain.GRID
        self.box: Box = (tuple(region.lower.tolist()), tuple(region.upper.tolist()))
        self._weights = layer.rows().tolist()
        self._thresholds = [t * region.denominator for t in layer.thresholds]

    @property
    def units(self) -> int:
        return len(self._weights)

    def settled(self) -> Signs:
        """The units that have one sign on the whole region."""
        signs = Signs()
        for unit in range(self.units):
            for sign in (1, -1):
                if self.refutes([(unit, -sign, 1)], self.box):
                    signs = signs.add(unit, sign)
        return signs

    def refutes(self, parts: Parts, box: Box, parity: Parity | None = None) -> bool:
        """Whether the rows, each times its multiplier, add up to what no input of a box meets."""
        combined, least = self._sum(parts, parity)
        most = _largest(combined, box)
        strict = any(self._row(unit, sign).strict for unit, sign, _ in parts)
        return least > most or (least == most and strict)

    def tightened(self, parts: Parts, box: Box, parity: Parity | None) -> Box:
        """The smaller box that the sum of the rows leaves, on the grid.

        With g the sum's weights, no pixel can be further than the room that the sum has, divided
        by abs(g) of the pixel, from the end that g prefers.
        """
        combined, least = self._sum(parts, parity)
        room = math.floor(_largest(combined, box) - least)
        if room < 0:
            return box
        lower, upper = list(box[0]), list(box[1])
        for pixel, g in enumerate(combined):
            if g > 0:
                lower[pixel] = max(lower[pixel], upper[pixel] - room // g)
            elif g < 0:
                upper[pixel] = min(upper[pixel], lower[pixel] + room // -g)
        return tuple(lower), tuple(upper)

    def _sum(self, parts: Parts, parity: Parity | None) -> tuple[list[int], int | Fraction]:
        """The weights of the rows' sum, each times its multiplier, and what it is at least."""
        combined: list[int] = [0] * len(self.box[0])
        least: int | Fraction = 0
        for unit, sign, multiplier in parts:
            row = self._row(unit, sign)
            least += (row.least + self._raise(unit, row, parity)) * multiplier
            for pixel, weight in enumerate(row.weights):
                combined[pixel] += weight * multiplier
        return combined, least

    def _raise(self, unit: int, row: _Row, parity: Parity | None) -> int:
        """1 where the least value of a row has the wrong parity, else 0."""
        if parity is None:
            return 0
        odd = int(parity.odd)
        for mine, other, low, high in zip(
            self._weights[unit], self._weights[parity.unit], *self.box, strict=True
        ):
            if low == high:
                odd += (mine - other) * low
            elif (mine == 0) != (other == 0):
                return 0
        return int((row.least - odd) % 2)

    def _row(self, unit: int, sign: int) -> _Row:
        weights, threshold = self._weights[unit], self._thresholds[unit]
        if sign > 0:
            return _Row(weights, math.ceil(threshold) if self.whole else threshold, strict=False)
        least = 1 - math.ceil(threshold) if self.whole else -threshold
        return _Row([-w for w in weights], least, strict=not self.whole)


def _largest(combined: Sequence[int], box: Box) -> int:
    """The largest value of a sum of rows over a box."""
    ends = zip(combined, *box, strict=True)
    return sum(g * (high if g > 0 else low) for g, low, high in ends)
