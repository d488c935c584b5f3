"""What every formulation of a question and one target shares: the way in and the way back.

A formulation lays its variables out as pixels (:mod:`bnnray.encodings.pixels`), then one z in
{0, 1} for each unit that it keeps, layer by layer, z = 1 for a unit that fires, then whatever it
needs besides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from bnnray.encodings.linear_model import BoolArray, LinearModel, RowBuilder
from bnnray.encodings.pixels import PixelVariables
from bnnray.network import IntArray
from bnnray.threat import Domain, FloatArray, Objective, Question, Witness, activations

MARGIN = 1e-5
"""How far rows over real numbers are opened, in units of epsilon; solvers work to 1e-6."""

TOLERANCE = 1e-5
"""Added to a solver's bound, in units of the model's objective, before it is rounded down."""

LARGEST_COEFFICIENT = 10_000
"""Objectives whose integer coefficients pass this are handed over as real numbers."""


@dataclass(frozen=True)
class Wanted:
    """Which solutions a program is to have.

    Args:
        cutoff: only those with at least this objective of the question.
        within: only those within this distance of the clean image; needs a norm.
    """

    cutoff: Fraction | None = None
    within: Fraction | None = None


EVERYTHING = Wanted()


@dataclass(frozen=True, eq=False)
class Gain:
    """The question's objective over the last hidden layer's variables z.

    objective = base + unit * (coefficients . z), with ``coefficients`` integers or, where those
    were large, numbers up to 1.

    Args:
        base, unit: exact.
        coefficients: float64, one for each variable of the last layer.
        integral: whether the coefficients are integers.
    """

    base: Fraction
    unit: Fraction
    coefficients: FloatArray
    integral: bool


def make_gain(objective: Objective, units: IntArray, settled: IntArray) -> Gain:
    """The objective over the units of the last layer that have a variable.

    Args:
        objective: of the target.
        units: numbers of the units that have a variable.
        settled: activations (units of the layer,) of the others.
    """
    c = objective.coefficients
    signs = settled.copy()
    signs[units] = -1
    base = objective.constant + sum(a * s for a, s in zip(c, signs.tolist(), strict=True))
    divisor = math.gcd(*c) or 1
    integral = max((abs(a) // divisor for a in c), default=0) <= LARGEST_COEFFICIENT
    if not integral:
        divisor = max(abs(a) for a in c)
    return Gain(
        base=Fraction(base, objective.denominator),
        unit=Fraction(2 * divisor, objective.denominator),
        coefficients=np.array([float(Fraction(c[u], divisor)) for u in units.tolist()]),
        integral=integral,
    )


@dataclass(frozen=True, eq=False)
class Encoding:
    """A model together with the way back to inputs and objectives.

    Args:
        question, objective: what was encoded.
        model: the program. It maximizes the objective, or with a norm minus the distance.
        pixels: its first variables.
        units: per hidden layer, the numbers of the units that have a variable.
        gain: the objective over those of the last layer.
    """

    question: Question
    objective: Objective
    model: LinearModel
    pixels: PixelVariables
    units: tuple[IntArray, ...]
    gain: Gain

    @cached_property
    def last(self) -> slice:
        """Columns of the last hidden layer's units."""
        first = self.pixels.columns + sum(len(u) for u in self.units[:-1])
        return slice(first, first + len(self.units[-1]))

    def claimed(self, values: FloatArray) -> Fraction:
        """The question's objective that an assignment of all variables claims to reach."""
        fires = self.units[-1][values[self.last] > 0.5]
        gain = sum(2 * self.objective.coefficients[u] for u in fires.tolist())
        return self.gain.base + Fraction(gain, self.objective.denominator)

    def bound_of(self, value: float) -> Fraction:
        """A proven bound from the solver's, its tolerance added, at an attainable value."""
        if value == math.inf:
            return self.objective.maximum
        widened = Fraction(value) + Fraction(TOLERANCE)
        return self.objective.attainable_floor(self.gain.base + self.gain.unit * widened)

    def distance_above(self, value: float) -> Fraction:
        """A proven lower limit of the distance, from the solver's bound of a program for it."""
        return self.pixels.distance_above(-value)

    def witness(self, values: FloatArray) -> Witness:
        """The input that an assignment of the model's variables stands for."""
        return self.pixels.witness_of(values)

    def assignment(self, witness: Witness) -> FloatArray:
        """The values of all variables that a witness stands for, as a start for the solver."""
        pixels, layers = self.pixels.values_of(witness), activations(self.question, witness)
        fires = [layer[units] > 0 for layer, units in zip(layers, self.units, strict=True)]
        return np.concatenate([pixels, *fires, self._others(pixels, layers)])

    def _others(self, _pixels: FloatArray, _layers: list[IntArray]) -> FloatArray:
        """The values of what comes after the units, from the pixels' and the activations."""
        return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Others:
    """The variables after the pixels: float64 bounds and which are integers."""

    lower: FloatArray
    upper: FloatArray
    integer: BoolArray


def make_model(
    out: RowBuilder,
    pixels: PixelVariables,
    others: Others,
    gain: Gain,
    last: IntArray,
    wanted: Wanted,
) -> LinearModel:
    """Puts a formulation's rows and variables together with what is wanted.

    Args:
        out: the rows of the network.
        pixels: the first variables; with a norm the distance is the model's objective.
        others: the other variables.
        gain: the question's objective.
        last: columns of the last layer's units.
        wanted: which solutions.
    """
    pixels.add_rows(out)
    if wanted.within is not None:
        pixels.add_within(out, wanted.within)
    if wanted.cutoff is not None:
        _add_cutoff(out, gain, last, wanted.cutoff)
    variables = pixels.columns + len(others.upper)
    objective = np.zeros(variables)
    if pixels.norm is None:
        objective[last] = gain.coefficients
    else:
        objective[pixels.distance] = -1.0
    on_grid = pixels.question.region.domain is Domain.GRID
    matrix, rhs, equal = out.build(variables)
    return LinearModel(
        objective=objective,
        lower=np.concatenate([pixels.lower, others.lower]),
        upper=np.concatenate([pixels.upper, others.upper]),
        integer=np.concatenate([pixels.integer, others.integer]),
        matrix=matrix,
        rhs=rhs,
        equal=equal,
        integral=gain.integral if pixels.norm is None else on_grid,
    )


def _add_cutoff(out: RowBuilder, gain: Gain, last: IntArray, cutoff: Fraction) -> None:
    used = np.flatnonzero(gain.coefficients)
    slack = 0.5 if gain.integral else TOLERANCE
    least = float((cutoff - gain.base) / gain.unit) - slack
    out.at_least(last[used].tolist(), gain.coefficients[used].tolist(), least)
