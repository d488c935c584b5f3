"""A budget as a quantizer passes it on: every level between those of the ends, and the way back.

A quantizer is monotone, so the levels of a pixel lie between those of its ends. On the box all of
these are reached. On the grid they are if it is as fine as the quantizer; a coarser one is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from bnnray.errors import UsageError
from bnnray.network import IntArray, Quantizer
from bnnray.threat.region import Region, Witness, at_least, at_most, binding
from bnnray.threat.threat import Domain, Threat


def check_fineness(quantizer: Quantizer | None, threat: Threat) -> None:
    """Refuses a grid whose points do not reach every level between those of two of them.

    With at least as many levels as the quantizer has steps, neighbours on the grid are at most one
    level apart; with fewer, there are more levels than points.

    Raises:
        UsageError: it is coarser than the quantizer.
    """
    if quantizer is None or threat.domain is Domain.BOX or threat.levels >= quantizer.steps:
        return
    raise UsageError(
        f"expected levels of at least {quantizer.steps}, the steps of the model's quantizer, so "
        f"that images on the grid reach each of its levels; got {threat.levels}: raise levels, or "
        'use domain = "box"'
    )


def level_region(region: Region, quantizer: Quantizer) -> Region:
    """The levels of a region's inputs: whole numbers over the quantizer's steps."""
    ends = (region.lower, region.upper, region.clean)
    lower, upper, clean = (quantizer.levels(end, region.denominator) for end in ends)
    return Region(
        lower=lower,
        upper=upper,
        clean=clean,
        denominator=quantizer.steps,
        domain=Domain.GRID,
        max_pixels=binding(region.max_pixels, upper > lower),
    )


def level_threat(threat: Threat, quantizer: Quantizer) -> Threat:
    """The threat to levels: epsilon is the furthest that any pixel's level can be moved.

    Which pixels may change, and how far, is in the region alone.
    """
    furthest = math.floor(threat.epsilon * quantizer.steps) + 1
    return replace(
        threat,
        epsilon=min(Fraction(1), Fraction(furthest, quantizer.steps)),
        domain=Domain.GRID,
        levels=quantizer.steps,
        mask=None,
    )


def nearest_input(region: Region, quantizer: Quantizer, levels: IntArray) -> Witness:
    """The input with these levels that is nearest to the clean one, pixel by pixel.

    On the box the nearest may be no double, or not exist where a level's inputs have an open end;
    then it is the nearest double inside. A pixel that has its clean level stays as it is.

    Args:
        region: of the inputs.
        levels: (pixels,), between those of the region's ends.
    """
    clean = quantizer.levels(region.clean, region.denominator)
    values = region.clean_witness.copy()
    for pixel in np.flatnonzero(levels != clean).tolist():
        side = _Side.of(quantizer, int(levels[pixel]), rising=bool(levels[pixel] > clean[pixel]))
        if region.domain is Domain.GRID:
            values[pixel] = side.first_numerator(region.denominator)
        else:
            values[pixel] = side.first_double(float(region.float_clean[pixel]))
    return values


@dataclass(frozen=True)
class _Side:
    """Where the inputs of a level begin, as seen from the clean pixel.

    Args:
        border: the end of the level's inputs.
        closed: whether the border is one of them.
        rising: whether they lie above it.
    """

    border: Fraction
    closed: bool
    rising: bool

    @classmethod
    def of(cls, quantizer: Quantizer, level: int, *, rising: bool) -> _Side:
        above = level if rising else level + 1
        closed = quantizer.owns_border(above) == rising
        return cls(quantizer.border(above), closed, rising)

    def first_numerator(self, denominator: int) -> int:
        """Of the first input on the grid."""
        scaled = self.border * denominator
        near = math.ceil(scaled) if self.rising else math.floor(scaled)
        return near if self.closed or near != scaled else self._next(near)

    def first_double(self, clean: float) -> float:
        """The first input that is a double other than the one that stands for the clean pixel."""
        near = at_least(self.border) if self.rising else at_most(self.border)
        if not self.closed and Fraction(near) == self.border:
            near = self._after(near)
        return self._after(near) if near == clean else near

    def _next(self, numerator: int) -> int:
        return numerator + 1 if self.rising else numerator - 1

    def _after(self, value: float) -> float:
        return math.nextafter(value, math.inf if self.rising else -math.inf)
