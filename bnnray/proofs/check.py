"""The check: walks a proof's trees and believes no line of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from bnnray.errors import ProofError
from bnnray.proofs.first_layer import Box, FirstLayer, Parity
from bnnray.proofs.layers import Layers, Signs
from bnnray.proofs.sat import FIRST_LINE as SAT_FIRST_LINE
from bnnray.proofs.sat import check_sat_proof
from bnnray.proofs.text import Line, read_bound, read_lines
from bnnray.threat import Question


@dataclass(frozen=True)
class _Node:
    """A set of inputs: those of a box with some first-layer signs.

    ``parted`` says whether the box is a part of the region: then nothing learned here holds
    elsewhere.
    """

    signs: Signs
    box: Box
    parted: bool = False
    parity: Parity | None = None


def check_proof(question: Question, text: str, seconds: float = math.inf) -> Fraction:
    """Checks that no input of a question has an objective above the bound that is claimed.

    Args:
        question: what was asked; behind a quantizer the proof is about its levels.
        text: the proof, see docs/proofs.md; that of a SAT solver, see docs/sat.md.
        seconds: that the check of a SAT solver's proof may take.

    Returns:
        The bound.

    Raises:
        ProofError: which line proves nothing, and why; a ProofTimeout where there was no time.
    """
    question = question.searched
    if text.startswith(SAT_FIRST_LINE):
        return check_sat_proof(question, text, seconds)
    lines = read_lines(text)
    bound = read_bound(_next(lines))
    return _Check(question, bound, lines).run()


def _next(lines: Iterator[Line]) -> Line:
    line = next(lines, None)
    if line is None:
        raise ProofError("it ends too soon")
    return line


PARITIES = ("even", "odd")

MOST_OPEN = 16
"""Units whose signs a line leaves to be tried."""


class _Check:
    def __init__(self, question: Question, bound: Fraction, lines: Iterator[Line]) -> None:
        self._question, self._bound, self._lines = question, bound, lines
        self._first = FirstLayer(question)
        self._root = _Node(self._first.settled(), self._first.box)
        self._clauses: list[Signs] = []

    def run(self) -> Fraction:
        objectives = {o.target: o for o in self._question.objectives}
        for line in self._lines:
            [target] = line.integers(1) if line.word == "target" else [-1]
            if target not in objectives:
                raise line.refuse(f"expected one of the targets {sorted(objectives)}")
            self._tree(Layers(self._question.network, objectives.pop(target)))
        if objectives:
            raise ProofError(f"nothing is proven of the targets {sorted(objectives)}")
        return self._bound

    def _tree(self, layers: Layers) -> None:
        """Reads one tree: every node is closed, or has two children that hold all its inputs."""
        nodes = [self._root]
        while nodes:
            node, line = nodes.pop(), _next(self._lines)
            while line.word in ("forced", "tighten"):
                follow = self._forced if line.word == "forced" else self._tightened
                node, line = follow(node, line), _next(self._lines)
            if line.word == "branch":
                unit, sign = self._unit(line, *line.side())
                first, second = node.signs.add(unit, sign), node.signs.add(unit, -sign)
                nodes += [replace(node, signs=second), replace(node, signs=first)]
            elif line.word == "parity":
                classes = self._parities(line, line.rest)
                nodes += [replace(node, parted=True, parity=p) for p in reversed(classes)]
            elif line.word == "pixel":
                nodes += self._halves(node, line)
            else:
                self._close(node, line, layers)

    def _close(self, node: _Node, line: Line, layers: Layers) -> None:
        if line.word == "bound":
            self._check_bound(node.signs, (), line, layers)
        elif line.word == "each":
            self._check_bound(node.signs, self._open(node, line), line, layers)
        elif line.word == "certificate":
            self._clauses.append(self._certified(node, line))
        elif line.word == "part":
            self._certified(node, line)
        elif line.word == "parities":
            self._clauses.append(self._certified_twice(node, line))
        elif line.word == "clause":
            if not node.signs.holds(self._clause(line, *line.integers(1))):
                raise line.refuse("the node lacks a sign of the clause")
        elif line.word == "point":
            self._check_point(node, line)
        else:
            raise line.refuse("no such line is known")

    def _check_bound(
        self, signs: Signs, open_: tuple[int, ...], line: Line, layers: Layers
    ) -> None:
        """By intervals; where they do not do, with both signs of the units that are open."""
        largest = layers.largest(signs)
        if largest <= self._bound:
            return
        if not open_:
            raise line.refuse(f"an objective of {largest} is left; claimed are {self._bound}")
        for sign in (1, -1):
            self._check_bound(signs.add(open_[0], sign), open_[1:], line, layers)

    def _open(self, node: _Node, line: Line) -> tuple[int, ...]:
        """The units of a line, which have no sign at the node."""
        units = line.integers(min(len(line.rest), MOST_OPEN))
        for unit in units:
            self._unit(line, unit, 1)
        if len(set(units)) < len(units) or any(node.signs.of(unit) for unit in units):
            raise line.refuse("expected different units without a sign")
        return tuple(units)

    def _certified(self, node: _Node, line: Line) -> Signs:
        """The signs of a certificate that holds."""
        parts, signs = self._parts(node, line)
        if line.word != "part" and node.parted:
            raise line.refuse("what is proven of a part of the region is no clause")
        if not self._first.refutes(parts, node.box, node.parity):
            raise line.refuse("the sum of the rows does not contradict the box")
        return signs

    def _certified_twice(self, node: _Node, line: Line) -> Signs:
        """The signs of two certificates that hold, one for each parity."""
        if line.rest.count("and") != 1:
            raise line.refuse("expected two certificates with 'and' between them")
        middle = line.rest.index("and")
        signs = Signs()
        for parity, rest in zip(
            self._parities(line, line.rest[:2]),
            (line.rest[2:middle], line.rest[middle + 1 :]),
            strict=True,
        ):
            half = replace(node, parity=parity)
            signs = signs.joined(self._certified(half, replace(line, rest=rest)))
        return signs

    def _parities(self, line: Line, words: tuple[str, ...]) -> tuple[Parity, Parity]:
        """The two classes of a unit's parity, in the order that the line says."""
        if len(words) != 2 or words[1] not in PARITIES or not words[0].isdecimal():
            raise line.refuse("expected a unit and 'even' or 'odd'")
        if not self._first.whole:
            raise line.refuse("only points of the grid have parities")
        unit, _ = self._unit(line, int(words[0]), 1)
        odd = words[1] == "odd"
        return Parity(unit, odd), Parity(unit, not odd)

    def _tightened(self, node: _Node, line: Line) -> _Node:
        """The node with the smaller box that a sum of rows leaves."""
        if not self._first.whole:
            raise line.refuse("only a box of the grid can be tightened")
        parts, _ = self._parts(node, line)
        return replace(node, box=self._first.tightened(parts, node.box, node.parity), parted=True)

    def _parts(self, node: _Node, line: Line) -> tuple[list[tuple[int, int, int]], Signs]:
        """Units with their signs, which the node has, and multipliers."""
        parts, signs = line.parts(), Signs()
        for unit, sign, _ in parts:
            self._unit(line, unit, sign)
            signs = signs.add(unit, sign)
        if not node.signs.holds(signs):
            raise line.refuse("the node lacks a sign of the certificate")
        return parts, signs

    def _forced(self, node: _Node, line: Line) -> _Node:
        """The node with the sign that a clause leaves."""
        number, unit = line.integers(2)
        clause = self._clause(line, number)
        self._unit(line, unit, 1)
        sign = clause.of(unit)
        if not sign or not node.signs.add(unit, sign).holds(clause):
            raise line.refuse("the clause does not leave one sign")
        return replace(node, signs=node.signs.add(unit, -sign))

    def _check_point(self, node: _Node, line: Line) -> None:
        for unit in range(self._first.units):
            sign = node.signs.of(unit)
            if sign and self._first.refutes([(unit, sign, 1)], node.box):
                return
        raise line.refuse("no sign is impossible here")

    def _halves(self, node: _Node, line: Line) -> list[_Node]:
        pixel, value = line.integers(2)
        lower, upper = node.box
        if not self._first.whole or not 0 <= pixel < len(lower):
            raise line.refuse("only a pixel of the grid can be halved")
        below = (*upper[:pixel], min(value, upper[pixel]), *upper[pixel + 1 :])
        above = (*lower[:pixel], max(value + 1, lower[pixel]), *lower[pixel + 1 :])
        return [
            replace(node, box=(above, upper), parted=True),
            replace(node, box=(lower, below), parted=True),
        ]

    def _clause(self, line: Line, number: int) -> Signs:
        if not 1 <= number <= len(self._clauses):
            raise line.refuse(f"there are {len(self._clauses)} clauses so far; got {number}")
        return self._clauses[number - 1]

    def _unit(self, line: Line, unit: int, sign: int) -> tuple[int, int]:
        if not 0 <= unit < self._first.units:
            raise line.refuse(f"the first layer has {self._first.units} units; got {unit}")
        return unit, sign
