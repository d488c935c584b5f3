"""The tight MILP form of a question and one target.

Pre-activations are substituted out, units that cannot change sign are fixed, units without
influence are left out, and each remaining unit z in {0, 1} has its own big-M from interval
arithmetic:

    z = 1 implies row . x >= t        row . x - (t - L) z >= L
    z = 0 implies row . x <= t'       row . x - (U - t') z <= t'

On the grid pixels are integers and t' = t - 1, so nothing lies on a threshold. On the box
t' = t: both signs are admitted at the threshold, right-hand sides are rounded outward and
widened by a margin above the solvers' tolerances, so a bound of this relaxation is a bound of
the question; its solutions are realised and replayed before they count. In the last hidden
layer a unit that raises the objective needs only the first row, one that lowers it only the
second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from bnnray.encodings.intervals import LayerRange
from bnnray.encodings.linear_model import BoolArray, LinearModel, RowBuilder
from bnnray.network import IntArray, Weights
from bnnray.threat import Domain, FloatArray, Objective, Question, Witness

MARGIN = 1e-5
"""How far each row of the box is opened, in units of epsilon; solvers work to 1e-6."""

TOLERANCE = 1e-5
"""Added to a solver's bound, in units of the model's objective, before it is rounded down."""

LARGEST_COEFFICIENT = 10_000
"""Objectives whose integer coefficients pass this are handed over as real numbers."""


@dataclass(frozen=True)
class FirstRow:
    """One implication of the first layer: if variable ``unit`` is ``on``, the row holds.

    Args:
        unit: number of the unit's variable in the model.
        on: True for row . y >= threshold when the unit is 1, False for <= when it is 0.
        row: int8 (pixel variables,).
        threshold: in units of the pixel variables, exact.
    """

    unit: int
    on: bool
    row: Weights
    threshold: Fraction


@dataclass(frozen=True, eq=False)
class TightEncoding:
    """A model together with the way back to inputs and objectives.

    Args:
        question, objective: what was encoded.
        model: the program; pixel variables first, then the unstable units, layer by layer.
        pixels: numbers of the pixels that have a variable.
        units: per hidden layer, the numbers of the units that have a variable.
        scale: pixel variable 1 stands for this many numerators of the region.
        base, unit: the question's objective is base + unit * (the model's objective).
        first_rows: the implications of the first layer.
    """

    question: Question
    objective: Objective
    model: LinearModel
    pixels: IntArray
    units: tuple[IntArray, ...]
    scale: int
    base: Fraction
    unit: Fraction
    first_rows: tuple[FirstRow, ...]

    def claimed(self, values: FloatArray) -> Fraction:
        """The question's objective that an assignment of all variables claims to reach."""
        last = self.units[-1]
        fires = values[len(values) - len(last) :] > 0.5
        gain = sum(2 * self.objective.coefficients[u] for u in last[fires].tolist())
        return self.base + Fraction(gain, self.objective.denominator)

    def bound_of(self, value: float) -> Fraction:
        """A proven bound from the solver's, its tolerance added, at an attainable value."""
        if value == math.inf:
            return self.objective.maximum
        widened = Fraction(value) + Fraction(TOLERANCE)
        return self.objective.attainable_floor(self.base + self.unit * widened)

    def witness(self, values: FloatArray) -> Witness:
        """The input that an assignment of the model's variables stands for."""
        return self.witness_of_pixels(values[: len(self.pixels)])

    def witness_of_pixels(self, values: FloatArray) -> Witness:
        """The input that values of the pixel variables stand for; the others stay clean."""
        region = self.question.region
        real = region.clean / region.denominator
        real[self.pixels] = (region.lower[self.pixels] + values * self.scale) / region.denominator
        return region.nearest(real)

    def assignment(self, witness: Witness) -> FloatArray:
        """The values of all variables that a witness stands for, as a start for the solver."""
        region = self.question.region
        on_grid = self.question.threat.domain is Domain.GRID
        numerators = witness.astype(np.float64) * (1 if on_grid else region.denominator)
        shifted = (numerators - region.lower)[self.pixels] / self.scale
        values = [np.clip(shifted, 0, self.model.upper[: len(self.pixels)])]
        for layer, units in zip(self._activations(witness), self.units, strict=True):
            values.append((layer[units] > 0).astype(np.float64))
        return np.concatenate(values)

    def _activations(self, witness: Witness) -> list[IntArray]:
        network, region = self.question.network, self.question.region
        if self.question.threat.domain is Domain.GRID:
            whole = witness.astype(np.int64)[None, :]
            return [layer[0] for layer in network.activations(whole, region.denominator)]
        return network.activations_at(region.read(witness.astype(np.float64)))


def encode_tight(
    question: Question,
    objective: Objective,
    ranges: Sequence[LayerRange],
    cutoff: Fraction | None = None,
) -> TightEncoding:
    """Builds the tight form for one target.

    Args:
        question: network, input and threat.
        objective: of the target.
        ranges: from :func:`interval_ranges`.
        cutoff: only solutions with at least this objective are wanted.
    """
    return _Builder(question, objective, ranges).build(cutoff)


class _Builder:
    def __init__(
        self, question: Question, objective: Objective, ranges: Sequence[LayerRange]
    ) -> None:
        self.question = question
        self.objective = objective
        self.ranges = ranges
        self.rows = [layer.rows() for layer in question.network.hidden]
        self.out = RowBuilder()
        self.first_rows: list[FirstRow] = []
        needed = _needed_units(self.rows, ranges, objective)
        self.units = tuple(np.flatnonzero(mask) for mask in needed)
        self.pixels = self._free_pixels()
        counts = [len(self.pixels), *(len(u) for u in self.units)]
        self.starts = np.concatenate([[0], np.cumsum(counts)])

    def build(self, cutoff: Fraction | None) -> TightEncoding:
        self._first_layer()
        for number in range(1, len(self.rows)):
            self._later_layer(number)
        coefficients, base, unit, integral = self._objective()
        if cutoff is not None:
            self._cutoff(coefficients, (cutoff - base) / unit, integral)
        matrix, rhs, equal = self.out.build(int(self.starts[-1]))
        binaries = int(self.starts[-1]) - len(self.pixels)
        on_grid = self.question.threat.domain is Domain.GRID
        model = LinearModel(
            objective=coefficients,
            lower=np.zeros(int(self.starts[-1])),
            upper=np.concatenate([self._pixel_range() / self._scale, np.ones(binaries)]),
            integer=np.concatenate(
                [np.full(len(self.pixels), on_grid), np.ones(binaries, dtype=bool)]
            ),
            matrix=matrix,
            rhs=rhs,
            equal=equal,
            integral=integral,
        )
        return TightEncoding(
            question=self.question,
            objective=self.objective,
            model=model,
            pixels=self.pixels,
            units=self.units,
            scale=self._scale,
            base=base,
            unit=unit,
            first_rows=tuple(self.first_rows),
        )

    @property
    def _scale(self) -> int:
        """On the box a pixel variable of 1 is epsilon, whatever epsilon is; on the grid a level."""
        region = self.question.region
        if region.domain is Domain.GRID:
            return 1
        return max(1, int(self.question.threat.epsilon * region.denominator))

    def _pixel_range(self) -> FloatArray:
        region = self.question.region
        return (region.upper - region.lower)[self.pixels].astype(np.float64)

    def _free_pixels(self) -> IntArray:
        region = self.question.region
        seen = np.any(self.rows[0][self.units[0]] != 0, axis=0)
        return np.flatnonzero(seen & (region.upper > region.lower))

    def _first_layer(self) -> None:
        region = self.question.region
        layer = self.question.network.hidden[0]
        on_grid = region.domain is Domain.GRID
        columns = np.arange(len(self.pixels))
        ranges = self.ranges[0]
        for variable, unit in enumerate(self.units[0].tolist(), start=int(self.starts[1])):
            weights = self.rows[0][unit]
            corner = int(weights.astype(np.int64) @ region.lower)
            exact = Fraction(int(ranges.thresholds[unit]))
            if not on_grid:
                exact = layer.thresholds[unit] * region.denominator
            row = weights[self.pixels]
            least = Fraction(int(ranges.lower[unit]) - corner, self._scale)
            most = Fraction(int(ranges.upper[unit]) - corner, self._scale)
            threshold = (exact - corner) / self._scale
            margin = 0.0 if on_grid else MARGIN
            below = float(threshold) - 1.0 if on_grid else float(threshold)
            used = np.flatnonzero(row)
            if self._wants_on(0, unit):
                self.first_rows.append(FirstRow(variable, True, row, threshold))
                self._implied_on(
                    columns[used], row[used], variable, float(threshold) - margin, float(least)
                )
            if self._wants_off(0, unit):
                self.first_rows.append(FirstRow(variable, False, row, threshold))
                self._implied_off(columns[used], row[used], variable, below + margin, float(most))

    def _later_layer(self, number: int) -> None:
        """Rows over z in {0, 1}, h = 2 z - 1: w . h >= T is w . z >= (T + sum w - fixed) / 2."""
        before, settled = self.units[number - 1], self.ranges[number - 1].settled
        columns = self.starts[number] + np.arange(len(before))
        others = np.ones(len(settled), dtype=bool)
        others[before] = False
        for variable, unit in enumerate(
            self.units[number].tolist(), start=int(self.starts[number + 1])
        ):
            weights = self.rows[number][unit].astype(np.int64)
            row = weights[before]
            fixed = int(weights[others] @ settled[others])
            threshold = int(self.ranges[number].thresholds[unit])
            least_on = (threshold + int(row.sum()) - fixed) // 2
            used = np.flatnonzero(row)
            if self._wants_on(number, unit):
                least = -int((row < 0).sum())
                self._implied_on(columns[used], row[used], variable, least_on, least)
            if self._wants_off(number, unit):
                most = int((row > 0).sum())
                self._implied_off(columns[used], row[used], variable, least_on - 1, most)

    def _wants_on(self, layer: int, unit: int) -> bool:
        return layer < len(self.rows) - 1 or self.objective.coefficients[unit] > 0

    def _wants_off(self, layer: int, unit: int) -> bool:
        return layer < len(self.rows) - 1 or self.objective.coefficients[unit] < 0

    def _implied_on(
        self,
        columns: IntArray,
        row: npt.NDArray[np.signedinteger],
        variable: int,
        threshold: float,
        least: float,
    ) -> None:
        self.out.at_least([*columns.tolist(), variable], [*row.tolist(), least - threshold], least)

    def _implied_off(
        self,
        columns: IntArray,
        row: npt.NDArray[np.signedinteger],
        variable: int,
        threshold: float,
        most: float,
    ) -> None:
        self.out.at_most(
            [*columns.tolist(), variable], [*row.tolist(), threshold - most], threshold
        )

    def _objective(self) -> tuple[FloatArray, Fraction, Fraction, bool]:
        """Coefficients over all variables, base, unit, and whether values are integers."""
        c = self.objective.coefficients
        last = self.units[-1]
        settled = self.ranges[-1].settled.copy()
        settled[last] = -1
        base = self.objective.constant + sum(
            a * s for a, s in zip(c, settled.tolist(), strict=True)
        )
        divisor = math.gcd(*c) or 1
        integral = max((abs(a) // divisor for a in c), default=0) <= LARGEST_COEFFICIENT
        if not integral:
            divisor = max(abs(a) for a in c)
        coefficients = np.zeros(int(self.starts[-1]))
        coefficients[self.starts[-2] :] = [float(Fraction(c[u], divisor)) for u in last.tolist()]
        d = self.objective.denominator
        return coefficients, Fraction(base, d), Fraction(2 * divisor, d), integral

    def _cutoff(self, coefficients: FloatArray, least: Fraction, integral: bool) -> None:
        columns = np.flatnonzero(coefficients)
        slack = 0.5 if integral else TOLERANCE
        self.out.at_least(columns.tolist(), coefficients[columns].tolist(), float(least) - slack)


def _needed_units(
    rows: Sequence[Weights], ranges: Sequence[LayerRange], objective: Objective
) -> list[BoolArray]:
    """Per layer, the unstable units that the objective can feel."""
    felt = np.array([c != 0 for c in objective.coefficients])
    needed: list[BoolArray] = []
    for row, layer in zip(reversed(rows), reversed(ranges), strict=True):
        needed.append(layer.unstable & felt)
        felt = np.any(row[needed[-1]] != 0, axis=0)
    return needed[::-1]
