"""The pixels as variables of a program, with the rows that a threat asks for.

The variables of a question's pixels are, in this order:

- for each pixel its change, in units of :attr:`PixelVariables.scale`: p_i / epsilon on the box,
  a number of levels on the grid;
- where the threat limits how many pixels change and the limit binds, for each pixel that can
  change an s_i in {0, 1}, with lower s_i <= change <= upper s_i and sum s_i <= max_pixels;
- where the distance to the clean image is wanted, its parts, whose sum it is: for L-infinity one d
  with -d <= change <= d, for L1 such a d_i for each pixel that can change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from bnnray.encodings.linear_model import BoolArray, RowBuilder
from bnnray.network import IntArray
from bnnray.threat import Domain, FloatArray, Norm, Question, Witness

TOLERANCE = 1e-5
"""Added to a solver's distance before it is rounded, in units of the variables."""

TOLERANCE_EACH = 1e-6
"""Added to that for each part of the distance: back ends keep each row to 1e-6."""


@dataclass(frozen=True, eq=False)
class PixelVariables:
    """Variables for some pixels of a question; the other pixels stay clean.

    Args:
        question: whose region is meant.
        numbers: int64, the pixels that have a variable.
        norm: of the distance that is wanted, or None.
    """

    question: Question
    numbers: IntArray
    norm: Norm | None = None

    @property
    def pixels(self) -> int:
        """How many pixels have a variable; these columns come first."""
        return len(self.numbers)

    @property
    def columns(self) -> int:
        """How many variables there are."""
        return len(self.upper)

    @property
    def scale(self) -> int:
        """A change of 1 is this many numerators: epsilon on the box, a level on the grid."""
        region = self.question.region
        if region.domain is Domain.GRID:
            return 1
        return max(1, int(self.question.threat.epsilon * region.denominator))

    @property
    def free(self) -> IntArray:
        """Columns of the pixels that can change."""
        return np.flatnonzero(self._upper > self._lower)

    @property
    def limit(self) -> int | None:
        """How many pixels may change at once, or None where any number may."""
        most = self.question.region.max_pixels
        return most if most is not None and most < len(self.free) else None

    @property
    def switches(self) -> IntArray:
        """Columns of the variables that say which of the free pixels may change."""
        return self.pixels + np.arange(len(self.free) if self.limit is not None else 0)

    @property
    def distance(self) -> IntArray:
        """Columns of the variables whose sum is the distance."""
        count = {None: 0, Norm.LINF: 1, Norm.L1: len(self.free)}[self.norm]
        return self.pixels + len(self.switches) + np.arange(count)

    @cached_property
    def lower(self) -> FloatArray:
        """The least value of each variable, (columns,)."""
        return np.concatenate([self._lower, np.zeros(len(self.upper) - self.pixels)])

    @cached_property
    def upper(self) -> FloatArray:
        """The largest value of each variable, (columns,)."""
        reach = np.maximum(-self._lower, self._upper)
        if self.norm is Norm.LINF:
            reach = reach.max(initial=0.0, keepdims=True)
        elif self.norm is Norm.L1:
            reach = reach[self.free]
        return np.concatenate(
            [self._upper, np.ones(len(self.switches)), reach if self.norm else np.zeros(0)]
        )

    @property
    def integer(self) -> BoolArray:
        """Which of the variables are integers, (columns,)."""
        on_grid = self.question.region.domain is Domain.GRID
        whole = np.full(self.columns, on_grid)
        whole[self.switches] = True
        return whole

    def add_rows(self, out: RowBuilder) -> None:
        """Adds what the variables must keep, as the first columns of a program."""
        free = self.free.tolist()
        if self.limit is not None:
            self._add_limit(out, free, self.limit)
        if self.norm is not None:
            parts = self.distance.tolist() * (len(free) if self.norm is Norm.LINF else 1)
            for pixel, part in zip(free, parts, strict=True):
                self._add_sides(out, pixel, [pixel, part], (1.0, -1.0))

    def add_within(self, out: RowBuilder, distance: Fraction) -> None:
        """Adds that the distance is at most this, in units of the full range.

        The row is widened by the solvers' tolerance: no input that is as near is cut off.
        """
        columns = self.distance.tolist()
        limit = float(distance / self._unit) + self._tolerance
        out.at_most(columns, [1.0] * len(columns), limit)

    def values_of(self, witness: Witness) -> FloatArray:
        """The values (columns,) of all variables that a witness stands for."""
        region = self.question.region
        on_grid = region.domain is Domain.GRID
        moved = (witness != region.clean_witness)[self.numbers]
        numerators = witness.astype(np.float64) * (1 if on_grid else region.denominator)
        changes = np.where(moved, (numerators - region.clean)[self.numbers] / self.scale, 0.0)
        changes = np.clip(changes, self._lower, self._upper)
        switched = moved[self.free] if len(self.switches) else np.zeros(0)
        sizes = np.abs(changes[self.free])
        if self.norm is Norm.LINF:
            sizes = sizes.max(initial=0.0, keepdims=True)
        return np.concatenate([changes, switched, sizes if self.norm else np.zeros(0)])

    def witness_of(self, values: FloatArray) -> Witness:
        """The input that values of the variables stand for; further values are left aside."""
        region = self.question.region
        changes = values[: self.pixels].copy()
        if len(self.switches):
            changes[self.free[values[self.switches] < 0.5]] = 0.0
        real = region.clean / region.denominator
        moved = region.clean[self.numbers] + changes * self.scale
        real[self.numbers] = moved / region.denominator
        return region.nearest(real)

    def distance_above(self, value: float) -> Fraction:
        """A proven lower limit of the distance, in units of the full range.

        Args:
            value: a solver's lower limit of the sum of the distance's variables. Its tolerance is
                taken off; on the grid a distance is a whole number of levels, so it is rounded up.
        """
        if value == -math.inf:
            return Fraction(0)
        least = max(Fraction(0), Fraction(value) - Fraction(self._tolerance))
        if self.question.region.domain is Domain.GRID:
            return math.ceil(least) * self._unit
        return least * self._unit

    @cached_property
    def _lower(self) -> FloatArray:
        region = self.question.region
        return (region.lower - region.clean)[self.numbers] / self.scale

    @cached_property
    def _upper(self) -> FloatArray:
        region = self.question.region
        return (region.upper - region.clean)[self.numbers] / self.scale

    @property
    def _unit(self) -> Fraction:
        return Fraction(self.scale, self.question.region.denominator)

    @property
    def _tolerance(self) -> float:
        return TOLERANCE + TOLERANCE_EACH * len(self.distance)

    def _add_limit(self, out: RowBuilder, free: list[int], limit: int) -> None:
        switches = self.switches.tolist()
        for pixel, switch in zip(free, switches, strict=True):
            ends = (self._upper[pixel], self._lower[pixel])
            self._add_sides(out, pixel, [pixel, switch], ends)
        out.at_most(switches, [1.0] * len(switches), float(limit))

    def _add_sides(
        self, out: RowBuilder, pixel: int, columns: list[int], factors: tuple[float, float]
    ) -> None:
        """Adds factors[1] v <= change <= factors[0] v, as far as the range leaves it open.

        Most pixels of a drawing are black and can only rise: half of the rows say nothing.
        """
        if self._upper[pixel] > 0:
            out.at_most(columns, [1.0, -factors[0]], 0.0)
        if self._lower[pixel] < 0:
            out.at_least(columns, [1.0, -factors[1]], 0.0)
