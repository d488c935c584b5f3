"""Sums of literals with any integer weights, as cardinality constraints and clauses; exact.

Literals of equal weight are counted together, and what is still needed is passed from one weight to
the next as in a decision diagram (Een and Soerensson 2006). The scores of two classes give at most
four different weights, so the diagram is narrow however large the weights are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from itertools import groupby

import numpy as np

from bnnray.encodings.formula import FormulaBuilder, Literals

REPEATED = 2
"""Up to this weight, after division by the common divisor, a literal is repeated instead."""


def weighted_at_least(
    out: FormulaBuilder, literals: Sequence[int], weights: Sequence[int], least: int, given: int
) -> None:
    """If ``given`` is true or 0, the weights of the true literals add up to ``least`` at least.

    Args:
        literals: different variables.
        weights: positive integers of any size, one a literal.
    """
    divisor = reduce(math.gcd, weights, 0) or 1
    reduced, needed = [w // divisor for w in weights], -(-least // divisor)
    if max(reduced, default=0) <= REPEATED:
        out.threshold(np.repeat(np.array(literals, dtype=np.int32), reduced), needed, given)
    else:
        _Diagram(out, _by_weight(literals, reduced)).require(needed, given)


def _by_weight(literals: Sequence[int], weights: Sequence[int]) -> list[tuple[int, Literals]]:
    """Each weight with its literals, the largest first."""
    pairs = sorted(zip(weights, literals, strict=True), reverse=True)
    return [
        (weight, np.array([literal for _, literal in group], dtype=np.int32))
        for weight, group in groupby(pairs, key=lambda pair: pair[0])
    ]


class _Diagram:
    """Literals that stand for "the weights from the j-th on add up to at least so much".

    Every one of them implies what it stands for; none is implied by it, as only ``given`` asks.
    """

    def __init__(self, out: FormulaBuilder, groups: list[tuple[int, Literals]]) -> None:
        self._out = out
        self._groups = groups
        self._left = [sum(w * len(ls) for w, ls in groups[j:]) for j in range(len(groups) + 1)]
        self._counts: dict[tuple[int, int], int] = {}
        self._nodes: dict[tuple[int, int], int] = {}

    def require(self, least: int, given: int) -> None:
        self._imply((-given,) if given else (), 0, least)

    def _imply(self, unless: tuple[int, ...], j: int, least: int) -> bool:
        """The sum from j on is at least so much unless a literal holds; False if it always is."""
        if least <= 0:
            return False
        if least > self._left[j]:
            self._out.clause(*unless)
        else:
            self._out.clause(*unless, self._node(j, least))
        return True

    def _node(self, j: int, least: int) -> int:
        if (j, least) not in self._nodes:
            self._nodes[j, least] = self._make(j, least)
        return self._nodes[j, least]

    def _make(self, j: int, least: int) -> int:
        weight, literals = self._groups[j]
        if j == len(self._groups) - 1:
            return self._count(j, -(-least // weight))
        node = int(self._out.fresh(1)[0])
        for count in range(len(literals) + 1):
            more = (self._count(j, count + 1),) if count < len(literals) else ()
            if not self._imply((-node, *more), j + 1, least - weight * count):
                break
        return node

    def _count(self, j: int, count: int) -> int:
        """A literal that implies that so many literals of group j are true."""
        if (j, count) not in self._counts:
            self._counts[j, count] = literal = int(self._out.fresh(1)[0])
            self._out.threshold(self._groups[j][1], count, literal)
        return self._counts[j, count]
