"""The subproblems of IProp: give as many units of a layer as possible the signs that are wanted.

Problems (9) and (10) of Khalil, Gupta and Dilkina (2018). A unit's wanted sign is +1 or -1, or 0
where none is wanted. A wanted unit that the layer below leaves open has a binary u, and u = 1
implies the unit's inequality; the reverse is not encoded, as nothing asks for it. Units that get
their sign, or miss it, whatever is chosen are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bnnray.encodings.intervals import LayerRange
from bnnray.encodings.linear_model import BoolArray, LinearModel, RowBuilder
from bnnray.encodings.pixels import PixelVariables
from bnnray.network import IntArray, SignLayer
from bnnray.threat import Domain, FloatArray, Question, Witness

INWARD = 1e-5
"""How far inside its threshold a wanted sum must lie on the box, in units of epsilon: solvers
work to 1e-6, so the forward pass sees the signs that the program says."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Inequalities gains . v >= needs, of which as many as possible are to hold.

    Args:
        gains: float64 (rows, columns).
        needs: float64 (rows,).
        lower, upper: float64 (columns,), the range of v.
    """

    gains: FloatArray
    needs: FloatArray
    lower: FloatArray
    upper: FloatArray

    @property
    def least(self) -> FloatArray:
        """The smallest sum of each row over the range of v, (rows,)."""
        up, down = np.maximum(self.gains, 0), np.minimum(self.gains, 0)
        smallest: FloatArray = up @ self.lower + down @ self.upper
        return smallest

    def hold(self, values: FloatArray) -> BoolArray:
        """Which of the rows hold at v (columns,)."""
        return self.gains @ values >= self.needs

    def imply(self, out: RowBuilder, first: int) -> None:
        """Adds that variable ``first`` + i implies row i; v being the first columns."""
        least = self.least
        for row, (gains, big_m) in enumerate(zip(self.gains, least - self.needs, strict=True)):
            used = np.flatnonzero(gains)
            columns, values = np.append(used, first + row), np.append(gains[used], big_m)
            out.at_least(columns, values, float(least[row]))


@dataclass(frozen=True, eq=False)
class HiddenProblem:
    """Problem (9): signs of a hidden layer that give the next layer as many wanted signs as
    possible, and of those the ones that differ least from the incumbent's (section 4.4).

    A variable is 1 where a sign is turned. A turned sign costs 1 / (r + 1), r being the layer's
    width, so that turns never outweigh a unit; all is multiplied by r + 1.

    Args:
        model: variables are the turns, then u for each of ``rows``.
        rows: of the open wanted units, over the turns.
        signs: int64 (r,), the incumbent's.
        free: int64, numbers of the signs that may be turned.
    """

    model: LinearModel
    rows: Rows
    signs: IntArray
    free: IntArray

    def assignment(self, turns: BoolArray) -> FloatArray:
        """The values of all variables for some turns (free,), as a start for the solver."""
        values = turns.astype(np.float64)
        return np.append(values, self.rows.hold(values))

    def answer(self, values: FloatArray) -> IntArray:
        """The layer's signs (r,) that an assignment stands for."""
        signs = self.signs.copy()
        signs[self.free[values[: len(self.free)] > 0.5]] *= -1
        return signs


@dataclass(frozen=True, eq=False)
class InputProblem:
    """Problem (10): an input in the budget that gives the first layer as many wanted signs as
    possible. Pixels are integers on the grid; those that no open wanted unit sees stay clean.

    Args:
        model: variables are the pixels', then u for each of ``rows``.
        rows: of the open wanted units, over the pixels' changes.
        pixels: the first variables.
    """

    model: LinearModel
    rows: Rows
    pixels: PixelVariables

    def assignment(self, witness: Witness) -> FloatArray:
        """The values of all variables that a witness stands for, as a start for the solver."""
        values = self.pixels.values_of(witness)
        return np.append(values, self.rows.hold(values[: self.pixels.pixels]))

    def answer(self, values: FloatArray) -> Witness:
        """The input that an assignment stands for."""
        return self.pixels.witness_of(values)


def encode_hidden(
    layer: SignLayer, wanted: IntArray, signs: IntArray, free: BoolArray
) -> HiddenProblem:
    """Builds problem (9).

    Args:
        layer: the next layer.
        wanted: int64 (its units,), +1, -1 or 0.
        signs: int64 (r,), the incumbent's signs below it.
        free: bool (r,), which of them may be turned.
    """
    columns = np.flatnonzero(free)
    weights = layer.rows().astype(np.int64)
    # a turned sign i moves the sum on the wanted side by 2 gains[i], which needs are counted in
    gains = -weights[:, columns] * signs[columns] * wanted[:, None]
    goals = np.where(wanted > 0, layer.sign_thresholds, 2 - layer.sign_thresholds)
    needs = (goals - wanted * (weights @ signs)) // 2
    least, most = np.minimum(gains, 0).sum(axis=1), np.maximum(gains, 0).sum(axis=1)
    open_ = (wanted != 0) & (needs > least) & (needs <= most)
    turns = len(columns)
    rows = Rows(
        gains=gains[open_].astype(np.float64),
        needs=needs[open_].astype(np.float64),
        lower=np.zeros(turns),
        upper=np.ones(turns),
    )
    out = RowBuilder()
    rows.imply(out, turns)
    width = len(signs)
    objective = np.append(np.full(turns, -1.0), np.full(len(rows.needs), width + 1.0))
    variables = len(objective)
    matrix, rhs, equal = out.build(variables)
    model = LinearModel(
        objective=objective,
        lower=np.zeros(variables),
        upper=np.ones(variables),
        integer=np.ones(variables, dtype=bool),
        matrix=matrix,
        rhs=rhs,
        equal=equal,
        integral=True,
    )
    return HiddenProblem(model, rows, signs, columns)


def encode_input(question: Question, first: LayerRange, wanted: IntArray) -> InputProblem:
    """Builds problem (10).

    Args:
        question: network, input and threat.
        first: the first layer's range.
        wanted: int64 (its units,), +1, -1 or 0.
    """
    region = question.region
    open_ = np.flatnonzero((wanted != 0) & first.unstable)
    weights = question.network.hidden[0].rows()[open_].astype(np.int64)
    free = np.any(weights != 0, axis=0) & (region.upper > region.lower)
    pixels = PixelVariables(question, np.flatnonzero(free))
    sides = wanted[open_]
    rows = Rows(
        gains=(sides[:, None] * weights[:, free]).astype(np.float64),
        needs=_needs(question, open_, sides, weights @ region.clean, pixels.scale),
        lower=pixels.lower[: pixels.pixels],
        upper=pixels.upper[: pixels.pixels],
    )
    out = RowBuilder()
    pixels.add_rows(out)
    rows.imply(out, pixels.columns)
    units = len(open_)
    matrix, rhs, equal = out.build(pixels.columns + units)
    model = LinearModel(
        objective=np.append(np.zeros(pixels.columns), np.ones(units)),
        lower=np.append(pixels.lower, np.zeros(units)),
        upper=np.append(pixels.upper, np.ones(units)),
        integer=np.append(pixels.integer, np.ones(units, dtype=bool)),
        matrix=matrix,
        rhs=rhs,
        equal=equal,
        integral=True,
    )
    return InputProblem(model, rows, pixels)


def _needs(
    question: Question, units: IntArray, sides: IntArray, clean: IntArray, scale: int
) -> FloatArray:
    """How far each unit's sum must move from the clean one, on the side that is wanted.

    Args:
        units: numbers of the units.
        sides: their wanted signs.
        clean: the clean sums, numerators over the region's denominator.
        scale: what the result is over.
    """
    layer, region = question.network.hidden[0], question.region
    if region.domain is Domain.GRID:
        thresholds = layer.pixel_thresholds(region.denominator)[units]
        # on integers "not at least t" is "at most t - 1"
        return (sides * (thresholds - clean) + (sides < 0)).astype(np.float64)
    exact = [layer.thresholds[u] * region.denominator for u in units.tolist()]
    gaps = [
        float(side * (t - sum_) / scale)
        for side, t, sum_ in zip(sides.tolist(), exact, clean.tolist(), strict=True)
    ]
    return np.array(gaps) + INWARD
