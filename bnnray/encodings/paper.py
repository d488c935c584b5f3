"""The MILP form of Khalil, Gupta and Dilkina (2018), equations (1) to (8), as printed.

A question on the box and one target:

    p_i in [max(-epsilon, -x_i), min(epsilon, 1 - x_i)]     for every pixel
    a_1j = sum w_ij p_i,   a_lj = sum w_ij h_(l-1)i         for every unit, equations
    h_lj = 1 implies a_lj >= t      a_lj - (t - L) z >= L       h = 2 z - 1
    h_lj = -1 implies a_lj <= t     a_lj - (U - t) z <= t

Pre-activations are raw sums, with batch normalization and bias moved into the threshold t and
negative scales into the weights; in the first layer the clean sum is moved there as well, and p
and a are in units of epsilon. L and U come from interval arithmetic. No unit is fixed or left
out, so there are pixels + 2 * units variables and 3 * units rows.

Both implications are closed: at a threshold a solution may take either sign. So the program is a
relaxation, its bound is a bound of the question, and its solutions count as far as the exact
network agrees. Every row and range is opened by a margin above the solvers' tolerances, so no
real input is cut off by rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

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
from bnnray.encodings.linear_model import RowBuilder
from bnnray.encodings.pixels import PixelVariables
from bnnray.errors import UsageError
from bnnray.network import IntArray
from bnnray.threat import Domain, FloatArray, Norm, Objective, Question


@dataclass(frozen=True, eq=False)
class SumRange:
    """The pre-activations of one layer, as the program has them.

    Args:
        lower, upper, thresholds: float64 (units,).
    """

    lower: FloatArray
    upper: FloatArray
    thresholds: FloatArray


class PaperEncoding(Encoding):
    """The paper's form: after the units come their pre-activations, in the same order."""

    def _others(self, pixels: FloatArray, layers: list[IntArray]) -> FloatArray:
        hidden = self.question.network.hidden
        sums = [hidden[0].rows().astype(np.float64) @ pixels[: self.pixels.pixels]]
        for layer, before in zip(hidden[1:], layers, strict=False):
            sums.append((layer.rows().astype(np.int64) @ before).astype(np.float64))
        return np.concatenate(sums)


def check_paper_domain(domain: Domain) -> None:
    """Refuses what the form cannot say.

    Raises:
        UsageError: the grid.
    """
    if domain is not Domain.BOX:
        raise UsageError(
            'formulation = "paper" is for domain = "box" only, as printed; got '
            f'domain = "{domain.value}": use formulation = "tight"'
        )


def encode_paper(
    question: Question,
    objective: Objective,
    ranges: Sequence[LayerRange],
    wanted: Wanted = EVERYTHING,
    norm: Norm | None = None,
) -> PaperEncoding:
    """Builds the paper's form for one target.

    Args:
        question: network, input and threat, on the box.
        objective: of the target.
        ranges: from :func:`bnnray.encodings.interval_ranges`.
        wanted: which solutions.
        norm: asks for the smallest distance instead of the largest objective.

    Raises:
        UsageError: a question on the grid.
    """
    check_paper_domain(question.threat.domain)
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
        self.pixels = PixelVariables(question, np.arange(len(question.pixels)), norm)
        self.hidden = question.network.hidden
        self.widths = question.network.widths
        self.starts = self.pixels.columns + np.concatenate([[0], np.cumsum(self.widths)])
        self.ranges = [_sum_range(question, self.pixels, n, r) for n, r in enumerate(ranges)]

    def build(self, wanted: Wanted) -> PaperEncoding:
        out = RowBuilder()
        for number in range(len(self.hidden)):
            self._add_layer(out, number)
        units = tuple(np.arange(width) for width in self.widths)
        gain = make_gain(self.objective, units[-1], np.zeros(self.widths[-1], dtype=np.int64))
        last = np.arange(self.starts[-2], self.starts[-1])
        return PaperEncoding(
            question=self.question,
            objective=self.objective,
            model=make_model(out, self.pixels, self._others(), gain, last, wanted),
            pixels=self.pixels,
            units=units,
            gain=gain,
        )

    def _add_layer(self, out: RowBuilder, number: int) -> None:
        rows = self.hidden[number].rows().astype(np.int64)
        first = int(self.starts[number])
        sums = first + sum(self.widths)
        if number == 0:
            _add_sums(out, rows, np.arange(self.pixels.pixels), sums, 1)
        else:
            before = np.arange(self.starts[number - 1], self.starts[number])
            _add_sums(out, rows, before, sums, 2)
        _add_signs(out, self.ranges[number], first, sums)

    def _others(self) -> Others:
        count = sum(self.widths)
        return Others(
            lower=np.concatenate([np.zeros(count), *(r.lower for r in self.ranges)]),
            upper=np.concatenate([np.ones(count), *(r.upper for r in self.ranges)]),
            integer=np.repeat([True, False], count),
        )


def _sum_range(
    question: Question, pixels: PixelVariables, number: int, found: LayerRange
) -> SumRange:
    """A layer's L, U and t: of the first in units of epsilon, less the clean sum.

    A threshold out of reach is moved next to the range, so that coefficients stay small.
    """
    layer, region = question.network.hidden[number], question.region
    scale = Fraction(1)
    clean = np.zeros(layer.units, dtype=np.int64)
    thresholds = list(layer.thresholds)
    if number == 0:
        scale = Fraction(pixels.scale)
        clean = layer.rows().astype(np.int64) @ region.clean
        thresholds = [t * region.denominator for t in thresholds]

    def scaled(values: Sequence[int | Fraction]) -> FloatArray:
        moved = zip(values, clean.tolist(), strict=True)
        return np.array([float((value - c) / scale) for value, c in moved])

    lower, upper = scaled(found.lower.tolist()), scaled(found.upper.tolist())
    return SumRange(
        lower=lower - MARGIN,
        upper=upper + MARGIN,
        thresholds=np.clip(scaled(thresholds), lower - 1.0, upper + 1.0),
    )


def _add_sums(out: RowBuilder, rows: IntArray, inputs: IntArray, first: int, factor: int) -> None:
    """The equations a = row . input, the input being factor * v - (factor - 1)."""
    for number, row in enumerate(rows):
        used = np.flatnonzero(row)
        columns = [first + number, *inputs[used].tolist()]
        out.equals(columns, [1, *(-factor * row[used]).tolist()], -(factor - 1) * int(row.sum()))


def _add_signs(out: RowBuilder, ranges: SumRange, first: int, sums: int) -> None:
    """The two implications of each unit of a layer, opened by the margin."""
    ends = zip(ranges.lower, ranges.upper, ranges.thresholds, strict=True)
    for number, (lower, upper, threshold) in enumerate(ends):
        columns = [sums + number, first + number]
        least, most = threshold - MARGIN, threshold + MARGIN
        out.at_least(columns, [1.0, lower - least], lower)
        out.at_most(columns, [1.0, most - upper], most)
