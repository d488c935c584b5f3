"""A cell, the inputs with some sides, and what the kernels can do in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bnnray.exact.kernels import (
    INFEASIBLE,
    PART,
    PIXEL,
    POINT,
    TIGHTEN,
    Active,
    Scratch,
    State,
    approach,
    nearest,
    on_sides,
    repair,
    round_off,
    tighten,
)
from bnnray.exact.problem import Float32Array, Int64Array, Rows

SLICE = 200
"""Steps of a projection between two looks at the clock."""

TRIES, MOVES = 3, 400
"""Roundings of a point, and repairs of each."""


class Box:
    """A part of the cell's inputs, in steps of the lattice and in the unit of the floats."""

    def __init__(self, rows: Rows, lower: Int64Array, upper: Int64Array) -> None:
        self._unit = rows.unit
        self.lower, self.upper = lower.copy(), upper.copy()
        self.refresh()

    def refresh(self) -> None:
        """Follows a change of the ends."""
        self.low = (self.lower / self._unit).astype(np.float32)
        self.high = (self.upper / self._unit).astype(np.float32)


class Cell:
    """The inputs on the active sides.

    Args:
        rows: all of them.
        active: those that have to be on a side.
        scratch, state: for the kernels; certificates and lattice points are left there.
    """

    def __init__(self, rows: Rows, active: Active, scratch: Scratch, state: State) -> None:
        self.rows, self.active, self.scratch, self.state = rows, active, scratch, state

    @property
    def whole(self) -> Box:
        """The region."""
        return Box(self.rows, np.zeros_like(self.rows.cap), self.rows.cap)

    def approach(self, box: Box, point: Float32Array, aim: float) -> int:
        """Projects a point, which is moved, for a slice; aims so many margins inside."""
        return approach(
            self.rows,
            self.active,
            box.low,
            box.high,
            box.lower,
            box.upper,
            point,
            np.float32(aim * self.rows.margin),
            SLICE,
            self.scratch,
            self.state,
        )

    def meets(self, point: Float32Array) -> bool:
        """Whether the lattice point nearest to a point is in the cell; it is left in scratch."""
        nearest(self.rows, point, self.scratch.lattice)
        return on_sides(self.rows, self.active, self.scratch.lattice)

    def roundings(self, box: Box, point: Float32Array) -> Iterator[bool]:
        """Rounds a point in random orders and repairs it; whether it is in the cell then."""
        for seed in range(TRIES):
            lattice = self.scratch.lattice
            inner = np.clip(point, box.low, box.high)
            round_off(self.rows, self.active, inner, lattice, seed, self.scratch)
            np.clip(lattice, box.lower, box.upper, out=lattice)
            ends = (box.lower, box.upper)
            yield repair(self.rows, self.active, lattice, *ends, MOVES, self.scratch, self.state)

    def is_empty(self, box: Box, point: Float32Array, events: list[int]) -> bool:
        """Whether a box proves to hold no lattice point; it is tightened as long as that helps."""
        while self.approach(box, point, 1.0) != INFEASIBLE:
            if not self._tightens(box):
                return False
            self.note(events, TIGHTEN)
            box.refresh()
        self.note(events, PART)
        return True

    def halves(self, box: Box, point: Float32Array, events: list[int]) -> list[Box]:
        """The parts above and below the point at its most broken pixel; none of a single input."""
        wide = np.flatnonzero(box.upper > box.lower)
        if not wide.size:
            events.append(POINT)
            return []
        broken = np.abs(point[wide] - np.rint(point[wide]))
        pixel = wide[np.argmax(broken)]
        middle = int(np.clip(np.floor(point[pixel]), box.lower[pixel], box.upper[pixel] - 1))
        below, above = box.upper.copy(), box.lower.copy()
        below[pixel], above[pixel] = middle, middle + 1
        events += [PIXEL, int(pixel), middle]
        return [Box(self.rows, above, box.upper), Box(self.rows, box.lower, below)]

    def note(self, events: list[int], *event: int) -> None:
        """Adds an event with the rows, sides and multipliers of the last certificate."""
        parts = self.certificate()
        events += [*event, len(parts)]
        for k, multiplier in parts:
            events += [int(self.active.row[k]), int(self.active.side[k]), multiplier]

    def certificate(self) -> list[tuple[int, int]]:
        """The last one: entries of ``active`` and their multipliers."""
        count = int(self.state.support)
        support, multiplier = self.scratch.support[:count], self.scratch.multiplier[:count]
        return list(zip(support.tolist(), multiplier.tolist(), strict=True))

    def _tightens(self, box: Box) -> bool:
        violation, ends = self.scratch.violation, (box.lower, box.upper)
        return tighten(self.rows, self.active, violation, *ends, self.scratch, self.state) > 0
