"""What a question says in clauses and sums, made anew: shares no code with what encodes questions.

The lines of a proof declare variables. Whatever they declare, every input of the region whose
objective is above the bound gives an assignment that satisfies the formula: what is not declared is
given the benefit of the doubt. So no formula without a solution can be made for a question that has
one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np

from bnnray.errors import ProofError
from bnnray.network import IntArray
from bnnray.proofs.text import Line
from bnnray.threat import Domain, Question

Literals = list[int]


@dataclass(frozen=True)
class _Counts:
    """How many literals must be true if an output is, and how few if it is not.

    Args:
        output: a variable.
        literals: one may repeat.
        least: if the output is true, at least so many.
        below: if it is false, fewer than so many.
    """

    output: int
    literals: Literals
    least: int
    below: int


@dataclass(frozen=True)
class _Row:
    """If a literal is true, ``weights . counts >= least`` over the groups."""

    weights: IntArray
    least: int


class SatFormula:
    """The formula of a question and a bound, in the variables that are declared.

    Attributes:
        variables: how many are declared.
    """

    def __init__(self, question: Question, bound: Fraction) -> None:
        if question.threat.domain is not Domain.GRID or question.threat.max_pixels is not None:
            raise ProofError("expected a question on the grid without max_pixels")
        self.variables = 0
        self._question, self._bound = question, bound
        self._region = question.region
        self._rows = [layer.rows().astype(np.int64) for layer in question.network.hidden]
        first, *later = question.network.hidden
        scaled = [math.ceil(t * self._region.denominator) for t in first.thresholds]
        self._thresholds = [scaled, *([math.ceil(t) for t in h.thresholds] for h in later)]
        self._ends = self._reach()
        self._clauses: list[Sequence[int]] = []
        self._counts: list[_Counts] = []
        self._counted: set[int] = set()
        self._signs = np.zeros(question.network.pixels, dtype=np.int64)
        self._groups: list[tuple[int, IntArray]] = []
        self._order: list[Literals] = []
        self._units: list[dict[int, int]] = [{} for _ in self._rows]
        self._sides: dict[int, _Row] = {}
        self._targets: dict[int, int] = {}

    @property
    def sums(self) -> list[tuple[int, Literals, int]]:
        """What is not counted by adders: a literal implies that so many of others are true."""
        left = [c for c in self._counts if c.output not in self._counted]
        on = [(c.output, c.literals, c.least) for c in left]
        off = [
            (-c.output, [-x for x in c.literals], len(c.literals) - c.below + 1)
            for c in left
            if c.below <= len(c.literals)
        ]
        return on + off

    def clauses(self) -> Iterator[Sequence[int]]:
        """What is not a sum; last, that the objective of some target is above the bound."""
        yield from self._clauses
        left = {o.target: o for o in self._question.objectives}
        for target in self._targets:
            left.pop(target, None)
        for target in left:
            weights, most = self._objective(target)
            if most + sum(map(abs, weights.values())) > 0:
                raise ProofError(f"nothing is proven of the target {target}")
        yield list(self._targets.values())

    def declare(self, line: Line) -> None:
        """Takes a line before the clauses.

        Raises:
            ProofError: it declares what cannot be.
        """
        known = {
            "group": self._group,
            "unit": self._unit,
            "target": self._target,
            "apart": self._apart,
            "pair": self._pair,
            "count": self._count,
        }
        if line.word not in known:
            raise line.refuse("no such line is known")
        known[line.word](line)

    def _group(self, line: Line) -> None:
        """Pixels that are counted together: from their lower ends, or from their upper ends."""
        if self._units[0] or not line.rest:
            raise line.refuse("expected pixels, before any unit")
        cap, sides = 0, line.sides()
        for pixel, sign in sides:
            if not 0 <= pixel < len(self._signs) or self._signs[pixel]:
                raise line.refuse(f"pixel {pixel} is none, or in two groups")
            self._signs[pixel] = sign
            cap += int(self._region.upper[pixel] - self._region.lower[pixel])
        members = np.array([pixel for pixel, _ in sides])
        order = self._fresh(cap)
        self._groups.append((cap, members))
        self._order.append(order)
        self._clauses += [(lower, -higher) for lower, higher in pairwise(order)]

    def _unit(self, line: Line) -> None:
        """A unit fires."""
        layer, unit = line.integers(2)
        if not (0 <= layer < len(self._rows) and 0 <= unit < len(self._rows[layer])):
            raise line.refuse("the network has no such unit")
        if unit in self._units[layer] or any(self._units[layer + 1 :]):
            raise line.refuse("a unit comes once, and after those of the layers before")
        (variable,) = self._fresh(1)
        self._units[layer][unit] = variable
        threshold = self._thresholds[layer][unit]
        if layer == 0:
            self._first(line, unit, variable, threshold)
        else:
            inputs = {u: int(self._rows[layer][unit][u]) for u in self._units[layer - 1]}
            inputs = {u: w for u, w in inputs.items() if w}
            low, high = self._rest(layer, unit)
            literals = [self._units[layer - 1][u] * w for u, w in inputs.items()]
            least = -((high - threshold - len(literals)) // 2)
            below = -((low - threshold - len(literals)) // 2)
            self._counts.append(_Counts(variable, literals, least, below))

    def _first(self, line: Line, unit: int, variable: int, threshold: int) -> None:
        row = self._rows[0][unit]
        weights: list[int] = []
        for _, members in self._groups:
            each = set((row[members] * self._signs[members]).tolist())
            if len(each) > 1:
                raise line.refuse("the unit does not weigh the pixels of a group alike")
            weights += each
        grouped = self._signs != 0
        start = np.where(self._signs > 0, self._region.lower, self._region.upper)
        base = int(row[grouped] @ start[grouped])
        ends = row * self._region.lower, row * self._region.upper
        low = base + int(np.minimum(*ends)[~grouped].sum())
        high = base + int(np.maximum(*ends)[~grouped].sum())
        on = _Row(np.array(weights, dtype=np.int64), threshold - high)
        off = _Row(-on.weights, 1 - threshold + low)
        self._sides[variable], self._sides[-variable] = on, off
        literals, least = self._spelled(on)
        _, few = self._spelled(off)
        self._counts.append(_Counts(variable, literals, least, len(literals) - few + 1))

    def _spelled(self, row: _Row) -> tuple[Literals, int]:
        """A row as order literals, of which at least so many are to be true."""
        literals: Literals = []
        least = row.least
        for weight, order in zip(row.weights.tolist(), self._order, strict=True):
            for literal in order:
                literals += [literal if weight > 0 else -literal] * abs(weight)
            least += len(order) * max(-weight, 0)
        return literals, least

    def _target(self, line: Line) -> None:
        """The objective of a target is above the bound."""
        (target,) = line.integers(1)
        if target in self._targets or target not in self._question.targets:
            raise line.refuse(f"expected each of the targets {self._question.targets} once at most")
        (variable,) = self._fresh(1)
        self._targets[target] = variable
        weights, most = self._objective(target)
        divisor = math.gcd(*weights.values()) or 1
        literals: Literals = []
        for unit, weight in weights.items():
            sign = 1 if weight > 0 else -1
            if abs(weight) > 100 * divisor:
                raise line.refuse("scores with so different weights are not known here")
            literals += [self._units[-1][unit] * sign] * (abs(weight) // divisor)
        most -= sum(map(abs, weights.values()))
        least = -((most - 1) // (2 * divisor))
        self._counts.append(_Counts(variable, literals, least, len(literals) + 1))

    def _objective(self, target: int) -> tuple[dict[int, int], int]:
        """The coefficients of declared units that are not 0, and the most that the others add to
        (objective - bound) times both denominators."""
        (objective,) = (o for o in self._question.objectives if o.target == target)
        scale = self._bound.denominator
        total = objective.constant * scale - self._bound.numerator * objective.denominator
        weights = {}
        for unit, coefficient in enumerate(objective.coefficients):
            if unit in self._units[-1]:
                weights[unit] = coefficient * scale
            else:
                total += scale * max(c * coefficient for c in self._ends[-1][unit])
        return {u: w for u, w in weights.items() if w}, total

    def _apart(self, line: Line) -> None:
        """No input meets two rows."""
        one, other = line.integers(2)
        row = self._added(line, one, other)
        most = sum(abs(w) * cap for w, cap in self._with_caps(row) if w > 0)
        if most >= row.least:
            raise line.refuse("their sum does not contradict the region")
        self._clauses.append((-one, -other))

    def _pair(self, line: Line) -> None:
        """The sum of two rows; it is implied by both."""
        one, other = line.integers(2)
        row = self._added(line, one, other)
        (variable,) = self._fresh(1)
        self._clauses.append((variable, -one, -other))
        literals, least = self._spelled(row)
        self._counts.append(_Counts(variable, literals, least, len(literals) + 1))

    def _added(self, line: Line, one: int, other: int) -> _Row:
        if one not in self._sides or other not in self._sides:
            raise line.refuse("expected two literals of first-layer units")
        weights = self._sides[one].weights + self._sides[other].weights
        least = self._sides[one].least + self._sides[other].least
        if np.any(weights % 2):
            return _Row(weights, least)
        return _Row(weights // 2, -(-least // 2))

    def _with_caps(self, row: _Row) -> Iterator[tuple[int, int]]:
        for weight, (cap, _) in zip(row.weights.tolist(), self._groups, strict=True):
            yield weight, cap

    def _count(self, line: Line) -> None:
        """The literals of a constraint are added up by full adders, three wires at a time."""
        (output,) = line.integers(1)
        counts = next((c for c in self._counts if c.output == output), None)
        if counts is None or output in self._counted:
            raise line.refuse("expected a variable with a constraint, once at most")
        self._counted.add(output)
        bits, wires = [], list(counts.literals)
        while wires:
            carries: Literals = []
            while len(wires) > 1:
                total, carry = self._fresh(2)
                self._clauses += _adder(wires[:3], total, carry)
                wires = [*wires[3:], total]
                carries.append(carry)
            bits += wires
            wires = carries
        self._clauses += _reaches(bits, counts.least, [-output])
        self._clauses += _reaches([-b for b in bits], 2 ** len(bits) - counts.below, [output])

    def _fresh(self, count: int) -> Literals:
        first = self.variables + 1
        self.variables += count
        return list(range(first, first + count))

    def _rest(self, layer: int, unit: int) -> tuple[int, int]:
        """The least and the most that inputs that are not declared add to a later unit's sum."""
        low = high = 0
        for number, weight in enumerate(self._rows[layer][unit].tolist()):
            if number not in self._units[layer - 1]:
                ends = [weight * s for s in self._ends[layer - 1][number]]
                low, high = low + min(ends), high + max(ends)
        return low, high

    def _reach(self) -> list[list[tuple[int, ...]]]:
        """The signs that each unit of each hidden layer can have, as far as intervals tell."""
        found: list[list[tuple[int, ...]]] = []
        low, high = self._region.lower, self._region.upper
        for rows, thresholds in zip(self._rows, self._thresholds, strict=True):
            most = np.maximum(rows * low, rows * high).sum(axis=1)
            least = np.minimum(rows * low, rows * high).sum(axis=1)
            signs: list[tuple[int, ...]] = [
                (1,) if a >= t else (-1,) if b < t else (-1, 1)
                for a, b, t in zip(least.tolist(), most.tolist(), thresholds, strict=True)
            ]
            found.append(signs)
            low, high = np.array([s[0] for s in signs]), np.array([s[-1] for s in signs])
        return found


def _adder(inputs: Literals, total: int, carry: int) -> Iterator[Literals]:
    """Clauses for ``total + 2 carry`` = how many of two or three inputs are true."""
    for values in range(2 ** len(inputs)):
        bits = [values >> place & 1 for place in range(len(inputs))]
        if_so = [-x if bit else x for x, bit in zip(inputs, bits, strict=True)]
        yield [*if_so, total if sum(bits) % 2 else -total]
    for one, other in combinations(inputs, 2):
        yield [-one, -other, carry]
    if len(inputs) == 2:
        yield from ([one, -carry] for one in inputs)
    else:
        yield from ([one, other, -carry] for one, other in combinations(inputs, 2))


def _reaches(bits: Literals, least: int, unless: Literals) -> Iterator[Literals]:
    """Clauses for: the binary number of these bits is at least so large, or a literal holds."""
    if least >= 2 ** len(bits):
        yield unless
    elif least > 0:
        for place, bit in enumerate(bits):
            if least >> place & 1:
                yield [*unless, bit] + [
                    b for i, b in enumerate(bits) if i > place and not least >> i & 1
                ]
