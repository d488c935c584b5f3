"""The tight MILP form of a question and one target.

Pre-activations are substituted out, units that cannot change sign are fixed, units without
influence are left out, and each remaining unit z in {0, 1} has its own big-M from interval
arithmetic:

    z = 1 implies row . x >= t        row . x - (t - L) z >= L
    z = 0 implies row . x <= t'       row . x - (U - t') z <= t'

The first layer's rows are over the changes of the pixels, so t, L and U are moved by the clean sum.
On the grid pixels are integers and t' = t - 1, so nothing lies on a threshold. On the box
t' = t: both signs are admitted at the threshold, right-hand sides are rounded outward and
widened by a margin above the solvers' tolerances, so a bound of this relaxation is a bound of
the question; its solutions are realised and replayed before they count. In the last hidden
layer a unit that raises the objective needs only the first row, one that lowers it only the
second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from bnnray.encodings.encoding import (
    EVERYTHING,
    MARGIN,
    Encoding,
    Others,
    Wanted,
    make_gain,
    make_model,
)
from bnnray.encodings.intervals import LayerRange
from bnnray.encodings.linear_model import BoolArray, RowBuilder
from bnnray.encodings.pixels import PixelVariables
from bnnray.network import IntArray, Weights
from bnnray.threat import Domain, Norm, Objective, Question


@dataclass(frozen=True)
class FirstRow:
    """One implication of the first layer: if variable ``unit`` is ``on``, the row holds.

    Args:
        unit: number of the unit's variable in the model.
        on: True for row . change >= threshold when the unit is 1, False for <= when it is 0.
        row: int8 (pixel variables,).
        threshold: in units of the pixel variables, exact.
    """

    unit: int
    on: bool
    row: Weights
    threshold: Fraction


@dataclass(frozen=True, eq=False)
class TightEncoding(Encoding):
    """The tight form.

    Args:
        first_rows: the implications of the first layer.
    """

    first_rows: tuple[FirstRow, ...]


def encode_tight(
    question: Question,
    objective: Objective,
    ranges: Sequence[LayerRange],
    wanted: Wanted = EVERYTHING,
    norm: Norm | None = None,
) -> TightEncoding:
    """Builds the tight form for one target.

    Args:
        question: network, input and threat.
        objective: of the target.
        ranges: from :func:`interval_ranges`.
        wanted: which solutions.
        norm: asks for the smallest distance instead of the largest objective.
    """
    return _Builder(question, objective, ranges, norm).build(wanted)


class _Builder:
    def __init__(
        self,
        question: Question,
        objective: Objective,
        ranges: Sequence[LayerRange],
        norm: Norm | None,
    ) -> None:
        self.question = question
        self.objective = objective
        self.ranges = ranges
        self.rows = [layer.rows() for layer in question.network.hidden]
        self.out = RowBuilder()
        self.first_rows: list[FirstRow] = []
        needed = _needed_units(self.rows, ranges, objective)
        self.units = tuple(np.flatnonzero(mask) for mask in needed)
        self.pixels = PixelVariables(question, self._free_pixels(), norm)
        counts = [self.pixels.columns, *(len(u) for u in self.units)]
        self.starts = np.concatenate([[0], np.cumsum(counts)])

    def build(self, wanted: Wanted) -> TightEncoding:
        self._first_layer()
        for number in range(1, len(self.rows)):
            self._later_layer(number)
        gain = make_gain(self.objective, self.units[-1], self.ranges[-1].settled)
        binaries = int(self.starts[-1]) - self.pixels.columns
        others = Others(np.zeros(binaries), np.ones(binaries), np.ones(binaries, dtype=bool))
        last = np.arange(self.starts[-2], self.starts[-1])
        return TightEncoding(
            question=self.question,
            objective=self.objective,
            model=make_model(self.out, self.pixels, others, gain, last, wanted),
            pixels=self.pixels,
            units=self.units,
            gain=gain,
            first_rows=tuple(self.first_rows),
        )

    def _free_pixels(self) -> IntArray:
        region = self.question.region
        seen = np.any(self.rows[0][self.units[0]] != 0, axis=0)
        return np.flatnonzero(seen & (region.upper > region.lower))

    def _first_layer(self) -> None:
        region = self.question.region
        layer = self.question.network.hidden[0]
        on_grid = region.domain is Domain.GRID
        columns, scale = np.arange(self.pixels.pixels), self.pixels.scale
        ranges = self.ranges[0]
        for variable, unit in enumerate(self.units[0].tolist(), start=int(self.starts[1])):
            weights = self.rows[0][unit]
            clean = int(weights.astype(np.int64) @ region.clean)
            exact = Fraction(int(ranges.thresholds[unit]))
            if not on_grid:
                exact = layer.thresholds[unit] * region.denominator
            row = weights[self.pixels.numbers]
            least = Fraction(int(ranges.lower[unit]) - clean, scale)
            most = Fraction(int(ranges.upper[unit]) - clean, scale)
            threshold = (exact - clean) / scale
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
