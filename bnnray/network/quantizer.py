"""The quantizer that a network may begin with: exact, by integers and rationals.

A step of 1/n maps an input x of [0, 1] to a level from 0 to n, that is to the value level / n, and
the first layer sees that value (Jia and Rinard 2020; Ronval 2023).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from bnnray.errors import UsageError, unknown_name
from bnnray.network.layers import SAFE_INT64
from bnnray.network.linear import IntArray

LARGEST_STEPS = 65_535
"""Inputs of 16 bits; the cells of the levels stay far wider than doubles are apart."""

NUMBER = re.compile(r"\d{1,12}(/0*[1-9]\d{0,11}|\.\d{0,12})?")


class Rounding(StrEnum):
    """Which of the two levels around n * x an input gets."""

    NEAREST = "nearest"
    """The nearer one, of two that are as near the even one (Jia and Rinard 2020)."""
    FLOOR = "floor"
    """The lower one (as Ronval 2023 prints it); x = 1 gets level n."""


@dataclass(frozen=True)
class Quantizer:
    """Rounds inputs to multiples of 1 / steps.

    Args:
        steps: n, the largest level.
        rounding: how.

    Raises:
        UsageError: steps below 1 or above 65,535.
    """

    steps: int
    rounding: Rounding = Rounding.NEAREST

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= LARGEST_STEPS:
            raise UsageError(f"a quantizer must have 1 to {LARGEST_STEPS} steps; got {self.steps}")

    @property
    def step(self) -> Fraction:
        """The distance between two levels' values."""
        return Fraction(1, self.steps)

    def levels(self, numerators: IntArray, denominator: int) -> IntArray:
        """The levels of inputs numerators / denominator in [0, 1], of the same shape, exactly."""
        fits = 2 * self.steps * denominator < SAFE_INT64
        scaled: npt.NDArray[Any] = numerators.astype(np.int64 if fits else np.object_) * self.steps
        below = scaled // denominator
        if self.rounding is Rounding.NEAREST:
            twice = 2 * (scaled - below * denominator)
            below = below + ((twice > denominator) | ((twice == denominator) & (below % 2 == 1)))
        return below.astype(np.int64)

    def level(self, value: Fraction) -> int:
        """The level of one input in [0, 1]."""
        scaled = value * self.steps
        return round(scaled) if self.rounding is Rounding.NEAREST else math.floor(scaled)

    def border(self, level: int) -> Fraction:
        """The input, for a level from 1 on, below which levels are lower and above which not."""
        if self.rounding is Rounding.NEAREST:
            return Fraction(2 * level - 1, 2 * self.steps)
        return Fraction(level, self.steps)

    def owns_border(self, level: int) -> bool:
        """Whether the border below a level is of that level, and not of the one before."""
        return self.rounding is Rounding.FLOOR or level % 2 == 0


def make_quantizer(step: Any, rounding: str = Rounding.NEAREST) -> Quantizer:
    """A quantizer from what users write.

    Args:
        step: 0.1, "0.1" or "1/10"; a float is read as the decimal it prints as.
        rounding: "nearest" or "floor".

    Raises:
        UsageError: a step that is not 1 divided by a whole number, or an unknown rounding.
    """
    if rounding not in set(Rounding):
        raise UsageError(unknown_name("rounding", str(rounding), [r.value for r in Rounding]))
    text = "" if isinstance(step, bool) else str(step).replace(" ", "")
    read = Fraction(text) if NUMBER.fullmatch(text) else Fraction(0)
    if read.numerator != 1 or read.denominator > LARGEST_STEPS:
        raise UsageError(
            "quantize must be a step of 1 divided by a whole number up to "
            f'{LARGEST_STEPS}, such as 0.1 or "1/255"; got {step!r}'
        )
    return Quantizer(read.denominator, Rounding(rounding))
