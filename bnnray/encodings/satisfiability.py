"""Questions over integer levels as one formula: is there an input that flips all their networks?

What a formula says of a question (Narodytska et al. 2018; Jia and Rinard 2020):

- A group of pixels (:mod:`bnnray.encodings.pixel_groups`) that counts up to c has the order
  literals "the count is at least j" for j = 1 ... c, each of which implies the one before. So any
  sum of such literals is a sum of levels, however many levels there are.
- A unit that can change sign and that the goal can feel has one literal, "it fires", and up to two
  cardinality constraints: it fires only if its sum reaches the threshold, and it does not fire only
  if the sum stays below. Either is left out where the goal cannot profit from breaking it: such a
  literal may then differ from the unit, but never in favour of the goal (Plaisted and Greenbaum
  1986).
- A target has a literal that implies the objective that is wanted; one of a question's targets
  holds.
- Redundant, yet without them resolution hardly sees that first-layer rows contradict each other:
  any two implied rows are added up. Where no input meets the sum, a clause says so; else the sum
  is a cardinality constraint of its own, divided by 2 and rounded where all its weights are even.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from bnnray.encodings.counters import add_counters
from bnnray.encodings.formula import Formula, FormulaBuilder, Literals, Threshold
from bnnray.encodings.intervals import LayerRange, interval_bound
from bnnray.encodings.linear_model import BoolArray
from bnnray.encodings.pixel_groups import PixelGroups, group_pixels
from bnnray.encodings.row_sums import CountRows, Pairs, Row
from bnnray.encodings.weighted import weighted_at_least
from bnnray.errors import UsageError
from bnnray.network import IntArray
from bnnray.threat import FloatArray, Objective, Question, Region, Witness


@dataclass(frozen=True, eq=False)
class Asked:
    """A question, and what is wanted of it.

    Args:
        question: over integer levels, that is on the grid.
        ranges: from :func:`bnnray.encodings.interval_ranges`.
        least: the least objective that is wanted of each target; of others none will do.
    """

    question: Question
    ranges: Sequence[LayerRange]
    least: Mapping[int, Fraction]

    @cached_property
    def wanted(self) -> tuple[Objective, ...]:
        """The objectives of the targets that intervals do not rule out."""
        return tuple(
            o
            for o in self.question.objectives
            if o.target in self.least and interval_bound(o, self.ranges[-1]) >= self.least[o.target]
        )


@dataclass(frozen=True)
class Form:
    """How a formula says what it says.

    Args:
        counted: cardinality constraints of up to so many literals become clauses.
        sums: so many literals may those sums of two rows have that become constraints.
    """

    counted: float
    sums: int


@dataclass(frozen=True, eq=False)
class SatEncoding:
    """A formula, and what its variables stand for, in their order.

    Args:
        formula: holds iff some input has all that is wanted.
        groups: of the pixels; first come the order literals of each.
        units: then the units, by layer and number, of the first question, then of the next.
        goals: then the targets, of the first question, then of the next; where affine scores need
            further variables, those of the targets of a question follow them.
        pairs: then the sums of two first-layer rows, by the literals that imply the rows.
        counted: then the counters of these constraints.
        apart: pairs of literals whose rows contradict each other.
    """

    formula: Formula
    groups: PixelGroups
    units: tuple[tuple[int, int], ...]
    goals: tuple[int, ...]
    apart: Pairs
    pairs: Pairs
    counted: tuple[Threshold, ...]

    def witness(self, values: FloatArray) -> Witness:
        """The input of a satisfying assignment (variables,)."""
        order = values[: int(self.groups.caps.sum())] > 0.5
        starts = np.cumsum(self.groups.caps) - self.groups.caps
        counts = np.add.reduceat(order.astype(np.int64), starts) if len(starts) else starts
        return self.groups.witness(counts)


def encode_formula(asked: Sequence[Asked], form: Form) -> SatEncoding:
    """Builds the formula of questions about one image and region; one input is to flip them all.

    Args:
        asked: one question or several, each about its own network.
        form: what the solver takes.

    Raises:
        UsageError: the questions are about different regions.
    """
    _check_regions([a.question.region for a in asked])
    return _Encoder(asked, form).encode()


def _check_regions(regions: Sequence[Region]) -> None:
    first, *others = regions
    for region in others:
        ends = ((first.lower, region.lower), (first.upper, region.upper))
        same = (first.denominator, first.max_pixels) == (region.denominator, region.max_pixels)
        if not same or not all(np.array_equal(mine, other) for mine, other in ends):
            raise UsageError(
                "questions that one input is to flip must be about one image and budget; "
                "got different ones"
            )


@dataclass(frozen=True, eq=False)
class _Felt:
    """Units of a layer that the goal can feel, (units,).

    Args:
        on: where it could profit from a unit that fires, so that firing must be justified.
        off: where it could profit from one that does not.
    """

    on: BoolArray
    off: BoolArray

    @cached_property
    def units(self) -> IntArray:
        return np.flatnonzero(self.on | self.off)


def _felt_layers(asked: Asked) -> list[_Felt]:
    """Of each hidden layer, the units that can change sign and that the goal can feel."""
    signs = [np.array([_sign(c) for c in o.coefficients]) for o in asked.wanted]
    width = asked.question.network.widths[-1]
    plus = np.any([s > 0 for s in signs], axis=0) if signs else np.zeros(width, dtype=bool)
    minus = np.any([s < 0 for s in signs], axis=0) if signs else plus
    found: list[_Felt] = []
    layers = zip(reversed(asked.question.network.hidden), reversed(asked.ranges), strict=True)
    for layer, here in layers:
        found.append(_Felt(here.unstable & plus, here.unstable & minus))
        on, off = layer.rows()[found[-1].on], layer.rows()[found[-1].off]
        plus = np.any(on > 0, axis=0) | np.any(off < 0, axis=0)
        minus = np.any(on < 0, axis=0) | np.any(off > 0, axis=0)
    return found[::-1]


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


class _Encoder:
    def __init__(self, asked: Sequence[Asked], form: Form) -> None:
        self._asked = asked
        self._form = form
        self._felt = [_felt_layers(a) for a in asked]
        self._groups = group_pixels(asked[0].question.region, self._first_weights())
        self._out = FormulaBuilder()
        self._counts = CountRows(self._out, self._groups.caps)
        self._units: list[tuple[int, int]] = []
        self._goals: list[int] = []
        self._rows: list[Row] = []

    def encode(self) -> SatEncoding:
        start, last = 0, []
        for asked, felt in zip(self._asked, self._felt, strict=True):
            literals = self._first_layer(asked, felt[0], start)
            start += len(literals)
            for number in range(1, len(felt)):
                literals = self._later_layer(asked, number, felt, literals)
            last.append(literals)
        for asked, felt, literals in zip(self._asked, self._felt, last, strict=True):
            self._goal(asked, felt[-1], literals)
        self._limit_pixels()
        apart, pairs = self._counts.add_sums(self._rows, self._form.sums)
        counted = add_counters(self._out, lambda t: len(t.literals) <= self._form.counted)
        return SatEncoding(
            formula=self._out.build(),
            groups=self._groups,
            units=tuple(self._units),
            goals=tuple(self._goals),
            apart=apart,
            pairs=pairs,
            counted=counted,
        )

    def _first_weights(self) -> IntArray:
        """The first-layer rows that are felt, of all questions, (rows, pixels)."""
        rows = [
            a.question.network.hidden[0].rows()[felt[0].units]
            for a, felt in zip(self._asked, self._felt, strict=True)
        ]
        return np.concatenate(rows).astype(np.int64)

    def _first_layer(self, asked: Asked, felt: _Felt, start: int) -> Literals:
        """The units of one question; its rows begin at ``start`` in the groups' weights."""
        literals = self._new_units(0, felt)
        for place, unit in enumerate(felt.units.tolist()):
            literal, weights = int(literals[place]), self._groups.weights[start + place]
            least = int(asked.ranges[0].thresholds[unit] - self._groups.base[start + place])
            row = Row(literal, weights, least)
            on, off = bool(felt.on[unit]), bool(felt.off[unit])
            self._counts.add(row, on=on, off=off)
            self._rows += [row] * on + [Row(-literal, -weights, 1 - least)] * off
        return literals

    def _later_layer(
        self, asked: Asked, number: int, felt: Sequence[_Felt], before: Literals
    ) -> Literals:
        """Over y in {0, 1}, h = 2 y - 1: w . h >= T is w . y >= (T + sum w - fixed) / 2."""
        rows = asked.question.network.hidden[number].rows()
        open_, settled = felt[number - 1].units, asked.ranges[number - 1].settled
        literals = self._new_units(number, felt[number])
        for literal, unit in zip(literals.tolist(), felt[number].units.tolist(), strict=True):
            weights = rows[unit].astype(np.int64)
            seen = np.flatnonzero(weights[open_])
            inputs = before[seen] * weights[open_][seen].astype(np.int32)
            threshold = int(asked.ranges[number].thresholds[unit] - weights @ settled)
            least = -(-(threshold + len(inputs)) // 2)
            on, off = bool(felt[number].on[unit]), bool(felt[number].off[unit])
            self._out.threshold(inputs, least, literal, on=on, off=off)
        return literals

    def _new_units(self, number: int, felt: _Felt) -> Literals:
        self._units += [(number, unit) for unit in felt.units.tolist()]
        return self._out.fresh(len(felt.units))

    def _goal(self, asked: Asked, felt: _Felt, last: Literals) -> None:
        """One of the targets has the objective that is wanted."""
        goals = self._out.fresh(len(asked.wanted)).tolist()
        self._out.clause(*goals)
        for objective, goal in zip(asked.wanted, goals, strict=True):
            self._reach(asked, objective, felt, last, goal if len(goals) > 1 else 0)
        self._goals += [o.target for o in asked.wanted]

    def _reach(
        self, asked: Asked, objective: Objective, felt: _Felt, last: Literals, goal: int
    ) -> None:
        """The goal's literal implies the least objective; over h = 2 y - 1 as in later layers."""
        settled = asked.ranges[-1].settled.tolist()
        fixed = objective.constant + sum(
            c * s for c, s in zip(objective.coefficients, settled, strict=True)
        )
        pairs = [
            (literal * _sign(c), abs(c))
            for literal, c in zip(
                last.tolist(),
                (objective.coefficients[u] for u in felt.units.tolist()),
                strict=True,
            )
            if c
        ]
        weights = [weight for _, weight in pairs]
        least = asked.least[objective.target] * objective.denominator - fixed + sum(weights)
        needed = -(-least.numerator // (2 * least.denominator))
        weighted_at_least(self._out, [literal for literal, _ in pairs], weights, needed, goal)

    def _limit_pixels(self) -> None:
        """At most so many pixels differ from the clean ones; each is a group of its own then."""
        groups, region = self._groups, self._groups.region
        if region.max_pixels is None:
            return
        pixels, starts = groups.pixels, np.cumsum(groups.caps) - groups.caps
        up, down = region.clean - region.lower, region.upper - region.clean
        clean = np.where(groups.signs > 0, up[pixels], down[pixels])
        changed = self._out.fresh(len(pixels))
        for literal, start, at, cap in zip(
            changed.tolist(), starts.tolist(), clean.tolist(), groups.caps.tolist(), strict=True
        ):
            if at < cap:
                self._out.clause(literal, -(start + at + 1))
            if at > 0:
                self._out.clause(literal, start + at)
        self._out.threshold(-changed, len(changed) - region.max_pixels)
