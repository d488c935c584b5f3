"""The search for a lattice point in one cell: all rows that matter are on given sides.

First by projection and rounding, which nearly always does. On the grid, where a cell of real
inputs need not hold a grid point, then by branching on pixels: complete, and each part of the cell
is closed by a certificate in integers, or is a single point.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import numpy as np

from bnnray.exact.kernels import (
    FEASIBLE,
    INFEASIBLE,
    PART,
    PIXEL,
    POINT,
    Active,
    Scratch,
    State,
    approach,
    nearest,
    on_sides,
    repair,
    round_off,
)
from bnnray.exact.problem import Float32Array, Int64Array, Rows

SLICE = 200
"""Steps of a projection between two looks at the clock."""

PATIENCE = 20
"""Slices of the first projection."""

TRIES, MOVES = 3, 400
"""Roundings of a point, and repairs of each."""

DEEP = 12.0
"""The second projection of the grid aims so many margins inside."""

SHRINK = (1.0, 0.1, 0.01)
"""On the box the projection aims ever less far inside."""


class Ending(Enum):
    """What is known of a cell."""

    OPEN = "open"
    REACHED = "reached"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


class Box:
    """A part of the cell's inputs, in steps of the lattice and in the unit of the floats."""

    def __init__(self, rows: Rows, lower: Int64Array, upper: Int64Array) -> None:
        self.lower, self.upper = lower, upper
        self.low = (lower / rows.unit).astype(np.float32)
        self.high = (upper / rows.unit).astype(np.float32)


class Leaf:
    """One cell.

    Attributes:
        events: of the branching on pixels; of use if the cell is refuted by it.

    Args:
        rows, active, scratch, state: of the tree; ``active`` holds the cell's sides.
        point: where to begin, (pixels,); it is moved.
        whole: whether only lattice points count: the grid.
    """

    def __init__(
        self,
        rows: Rows,
        active: Active,
        scratch: Scratch,
        state: State,
        point: Float32Array,
        *,
        whole: bool,
    ) -> None:
        self._rows, self._active, self._scratch, self._state = rows, active, scratch, state
        self._point = point
        self.events: list[int] = []
        self._steps = self._on_grid() if whole else self._on_box()

    def advance(self) -> Ending:
        """Works for a slice.

        Returns:
            OPEN; REACHED: ``scratch.lattice`` is in the cell; REFUTED: no input is, by the
            certificate in ``scratch.support`` if ``state.support`` is not 0; or UNDECIDED.
        """
        return next(self._steps, Ending.UNDECIDED)

    def _on_box(self) -> Iterator[Ending]:
        box = self._whole_box()
        for share in SHRINK:
            for _ in range(PATIENCE):
                ended = self._approach(box, self._point, share)
                if ended == INFEASIBLE:
                    yield Ending.REFUTED
                nearest(self._rows, self._point, self._scratch.lattice)
                if on_sides(self._rows, self._active, self._scratch.lattice):
                    yield Ending.REACHED
                if ended == FEASIBLE:
                    break
                yield Ending.OPEN

    def _on_grid(self) -> Iterator[Ending]:
        box = self._whole_box()
        for aim in (1.0, DEEP):
            for _ in range(PATIENCE):
                ended = self._approach(box, self._point, aim)
                if ended == INFEASIBLE:
                    yield Ending.REFUTED
                if ended == FEASIBLE:
                    break
                yield Ending.OPEN
            yield from self._rounded(box, self._point)
        yield from self._branch(box)

    def _branch(self, box: Box) -> Iterator[Ending]:
        """Depth first over parts of the cell, halved at a pixel that the projection splits."""
        parts = [(box, self._point)]
        while parts:
            part, point = parts.pop()
            if self._approach(part, point, 1.0) == INFEASIBLE:
                self._note_part()
            else:
                yield from self._rounded(part, point)
                parts += [(half, point.copy()) for half in self._halves(part, point)]
            yield Ending.OPEN
        self._state.support = 0
        yield Ending.REFUTED

    def _rounded(self, box: Box, point: Float32Array) -> Iterator[Ending]:
        """Roundings in random orders, each repaired."""
        for seed in range(TRIES):
            lattice = self._scratch.lattice
            inner = np.clip(point, box.low, box.high)
            round_off(self._rows, self._active, inner, lattice, seed, self._scratch)
            np.clip(lattice, box.lower, box.upper, out=lattice)
            if repair(
                self._rows,
                self._active,
                lattice,
                box.lower,
                box.upper,
                MOVES,
                self._scratch,
                self._state,
            ):
                yield Ending.REACHED
            yield Ending.OPEN

    def _halves(self, box: Box, point: Float32Array) -> list[Box]:
        """The parts above and below the point at its most broken pixel; none of a single input."""
        wide = np.flatnonzero(box.upper > box.lower)
        if not wide.size:
            self.events.append(POINT)
            return []
        broken = np.abs(point[wide] - np.rint(point[wide]))
        pixel = wide[np.argmax(broken)]
        middle = int(np.clip(np.floor(point[pixel]), box.lower[pixel], box.upper[pixel] - 1))
        below, above = box.upper.copy(), box.lower.copy()
        below[pixel], above[pixel] = middle, middle + 1
        self.events += [PIXEL, int(pixel), middle]
        return [Box(self._rows, above, box.upper), Box(self._rows, box.lower, below)]

    def _note_part(self) -> None:
        support = self._scratch.support[: self._state.support]
        self.events += [PART, len(support)]
        for k, multiplier in zip(support, self._scratch.multiplier, strict=False):
            self.events += [int(self._active.row[k]), int(self._active.side[k]), int(multiplier)]

    def _approach(self, box: Box, point: Float32Array, aim: float) -> int:
        return approach(
            self._rows,
            self._active,
            box.low,
            box.high,
            box.lower,
            box.upper,
            point,
            np.float32(aim * self._rows.margin),
            SLICE,
            self._scratch,
            self._state,
        )

    def _whole_box(self) -> Box:
        return Box(self._rows, np.zeros_like(self._rows.cap), self._rows.cap)
