"""What first-layer signs ask of an input, and whether some input can meet it: linear, exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from bnnray.proofs.layers import Signs
from bnnray.threat import Domain, Question

Box = tuple[tuple[int, ...], tuple[int, ...]]
"""The least and largest numerators of each pixel, over the region's denominator."""


@dataclass(frozen=True)
class _Row:
    """``weights . x >= least``, or ``>`` if strict, of the numerators x of an input."""

    weights: list[int]
    least: int | Fraction
    strict: bool


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

    def refutes(self, parts: Sequence[tuple[int, int, int]], box: Box) -> bool:
        """Whether the rows, each times its multiplier, add up to what no input of a box meets."""
        rows = [(self._row(unit, sign), multiplier) for unit, sign, multiplier in parts]
        combined = [0] * len(box[0])
        for row, multiplier in rows:
            for pixel, weight in enumerate(row.weights):
                if weight:
                    combined[pixel] += weight * multiplier
        lower, upper = box
        most = sum(
            g * (high if g > 0 else low)
            for g, low, high in zip(combined, lower, upper, strict=True)
        )
        least = sum(row.least * multiplier for row, multiplier in rows)
        return least > most or (least == most and any(row.strict for row, _ in rows))

    def _row(self, unit: int, sign: int) -> _Row:
        weights, threshold = self._weights[unit], self._thresholds[unit]
        if sign > 0:
            return _Row(weights, math.ceil(threshold) if self.whole else threshold, strict=False)
        least = 1 - math.ceil(threshold) if self.whole else -threshold
        return _Row([-w for w in weights], least, strict=not self.whole)
