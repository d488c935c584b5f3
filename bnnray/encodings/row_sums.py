"""Rows of the first layer as constraints over order literals, and the sums of two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from bnnray.encodings.formula import FormulaBuilder
from bnnray.network import IntArray

Int16Array = npt.NDArray[np.int16]
Pairs = tuple[tuple[int, int], ...]
"""Pairs of literals."""

LARGEST_PAIRS = 20_000_000
"""Pairs of rows times groups; where there are more, sums of pairs are not looked at: that would
take longer than a second."""


@dataclass(frozen=True, eq=False)
class Row:
    """If a literal is true, ``weights . counts >= least``.

    Args:
        given: the literal.
        weights: int64 (groups,).
        least: an integer.
    """

    given: int
    weights: IntArray
    least: int


class CountRows:
    """Adds rows over the counts of pixel groups to a formula, and the counts themselves.

    Args:
        out: the formula.
        caps: int64 (groups,), the largest counts.

    Attributes:
        order: int32 (sum of caps,), for each group in turn the literals that its count is at least
            1, 2, ...
    """

    def __init__(self, out: FormulaBuilder, caps: IntArray) -> None:
        self._out = out
        self._caps = caps
        self.order = out.fresh(int(caps.sum()))
        self._chain()

    def _chain(self) -> None:
        """A count that is at least j + 1 is at least j."""
        chained = np.delete(self.order, np.cumsum(self._caps) - self._caps)
        self._out.block(chained - 1, -chained)

    def add(self, row: Row, *, on: bool = True, off: bool = False) -> None:
        """Adds a row, and with ``off`` that the literal holds if the row does: a weight times a
        count is as many times each of its order literals."""
        each = np.repeat(row.weights, self._caps)
        literals = np.repeat(self.order * np.sign(each).astype(np.int32), np.abs(each))
        below = int(np.maximum(-each, 0).sum())
        self._out.threshold(literals, row.least + below, row.given, on=on, off=off)

    def add_sums(self, rows: Sequence[Row], literals: int) -> tuple[Pairs, Pairs]:
        """Adds what follows from any two rows together.

        Args:
            rows: that were added.
            literals: how many those sums may have that become constraints; 0 for none of them.

        Returns:
            The literals of the pairs of rows that contradict each other, and of those whose sums
            are constraints; the variables of these are new, in this order.
        """
        apart, sums = _sums(rows, self._caps)
        for one, other in apart:
            self._out.clause(-one, -other)
        kept = []
        for first, second, row in sums:
            literals -= int(np.abs(row.weights) @ self._caps) + abs(row.least)
            if literals < 0:
                break
            both = int(self._out.fresh(1)[0])
            self._out.clause(both, -first, -second)
            self.add(replace(row, given=both))
            kept.append((first, second))
        return apart, tuple(kept)


def _sums(rows: Sequence[Row], caps: IntArray) -> tuple[Pairs, list[tuple[int, int, Row]]]:
    """The pairs of rows that no counts can meet; the other sums, the tightest first."""
    pairs = [
        (i, j) for i, j in combinations(range(len(rows)), 2) if rows[i].given != -rows[j].given
    ]
    if not pairs or len(pairs) * len(caps) > LARGEST_PAIRS:
        return (), []
    one, other = np.array(pairs).T
    given = np.array([row.given for row in rows])
    least = np.array([row.least for row in rows])
    weights = np.stack([row.weights for row in rows]).astype(np.int16)
    total, needed = _halved(weights[one] + weights[other], least[one] + least[other])
    most, fewest = np.maximum(total, 0) @ caps, np.minimum(total, 0) @ caps
    apart = most < needed
    left = np.flatnonzero(~apart & (fewest < needed))
    tightest = left[np.argsort((most - needed)[left] / (most - fewest)[left], kind="stable")]
    pairs_of = np.stack([given[one], given[other]], axis=1)
    left_over = [
        (*pairs_of[p].tolist(), Row(0, total[p].astype(np.int64), int(needed[p])))
        for p in tightest.tolist()
    ]
    return tuple((a, b) for a, b in pairs_of[apart].tolist()), left_over


def _halved(total: Int16Array, needed: IntArray) -> tuple[Int16Array, IntArray]:
    """Sums whose weights are all even, by 2; what is needed is rounded up."""
    even = ~np.any(total % 2, axis=1)
    total[even] //= 2
    return total, np.where(even, -(-needed // 2), needed)
