"""The search for a lattice point in one cell: all rows that matter are on given sides.

First by projection and rounding, which nearly always does. On the grid, where a cell of real
inputs need not hold a grid point, then by parity, and at last by branching on pixels: complete, and
each part of the cell is closed by a certificate in integers, or is a single point.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from bnnray.exact.cell import Box, Cell
from bnnray.exact.kernels import FEASIBLE, INFEASIBLE, PARITIES, PARITY, UNDECIDED
from bnnray.exact.parity import parities_of
from bnnray.exact.problem import Float32Array

PATIENCE = 5
"""Slices of a projection at one aim."""

GRID_AIMS = (1.0, 12.0)
"""On the grid the projection aims so many margins inside: points deep inside round well."""

BOX_AIMS = (1.0, 0.1, 0.01)
"""On the box ever less."""


class Ending(Enum):
    """What is known of a cell."""

    OPEN = "open"
    REACHED = "reached"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


class Leaf:
    """The search of one cell.

    Attributes:
        events: how the cell was refuted, where that is no plain certificate.
        support: entries of ``active`` that are a clause, if it was refuted as a whole.

    Args:
        cell: where.
        point: where to begin, (pixels,); it is moved.
        whole: whether only lattice points count: the grid.
    """

    def __init__(self, cell: Cell, point: Float32Array, *, whole: bool) -> None:
        self._cell, self._point = cell, point
        self.events: list[int] = []
        self.support: list[int] = []
        self._steps = self._on_grid() if whole else self._on_box()

    def advance(self) -> Ending:
        """Works for a slice.

        Returns:
            OPEN; REACHED: ``scratch.lattice`` is in the cell; REFUTED: no input is; or UNDECIDED.
        """
        return next(self._steps, Ending.UNDECIDED)

    def _on_box(self) -> Iterator[Ending]:
        for aim in BOX_AIMS:
            for ended in self._approaches(aim):
                if ended == INFEASIBLE:
                    yield self._refuted()
                yield Ending.REACHED if self._cell.meets(self._point) else Ending.OPEN

    def _on_grid(self) -> Iterator[Ending]:
        yield from self._deeper(GRID_AIMS[0])
        yield from self._by_parity()
        yield from self._deeper(GRID_AIMS[1])
        yield from self._branch()

    def _deeper(self, aim: float) -> Iterator[Ending]:
        """Projects and rounds."""
        for ended in self._approaches(aim):
            if ended == INFEASIBLE:
                yield self._refuted()
            yield Ending.OPEN
        yield from self._roundings(self._cell, self._cell.whole, self._point)

    def _approaches(self, aim: float) -> Iterator[int]:
        box, ended = self._cell.whole, UNDECIDED
        for _ in range(PATIENCE):
            if ended != FEASIBLE:
                ended = self._cell.approach(box, self._point, aim)
                yield ended

    def _roundings(self, cell: Cell, box: Box, point: Float32Array) -> Iterator[Ending]:
        for found in cell.roundings(box, point):
            yield Ending.REACHED if found else Ending.OPEN

    def _refuted(self) -> Ending:
        """By the certificate that was found last."""
        self.support = [k for k, _ in self._cell.certificate()]
        return Ending.REFUTED

    def _by_parity(self) -> Iterator[Ending]:
        """Refutes the whole cell if each class has a certificate."""
        parities = parities_of(self._cell)
        events, support = [PARITIES, parities.row], set[int]()
        for cell in parities.classes:
            point = self._point.copy()
            if not self._is_refuted(cell, point):
                return
            cell.note(events)
            support |= {k for k, _ in cell.certificate()}
            yield Ending.OPEN
        self.events, self.support = events, sorted(support)
        yield Ending.REFUTED

    def _is_refuted(self, cell: Cell, point: Float32Array) -> bool:
        box = cell.whole
        return any(cell.approach(box, point, 1.0) == INFEASIBLE for _ in range(PATIENCE))

    def _branch(self) -> Iterator[Ending]:
        """Depth first over parts of each class, halved at a pixel that the projection splits."""
        parities, events = parities_of(self._cell), self.events
        events += [PARITY, parities.row]
        for cell in parities.classes:
            parts = [(cell.whole, self._point.copy())]
            while parts:
                part, point = parts.pop()
                if not cell.is_empty(part, point, events):
                    yield from self._roundings(cell, part, point)
                    halves = cell.halves(part, point, events)
                    parts += [(half, point.copy()) for half in halves]
                yield Ending.OPEN
        yield Ending.REFUTED
