"""From a real input in a cell to a point of the lattice in it, and what that is worth."""

from __future__ import annotations

import numpy as np

from bnnray.exact.kernels.arrays import (
    ACTIVE,
    FLOATS,
    INTS,
    LATER,
    ROWS,
    SCRATCH,
    STATE,
    Active,
    Scratch,
    State,
    flag,
    i64,
    nothing,
)
from bnnray.exact.kernels.bits import put
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.kernels.projection import dot
from bnnray.exact.kernels.propagation import propagate
from bnnray.exact.problem import Float32Array, Int64Array, Later, Rows


@kernel(i64(ROWS, i64, INTS))
def sum_of(rows: Rows, row: int, lattice: Int64Array) -> int:
    """``weights . y`` of a row at a point of the lattice."""
    weights = rows.weights[row]
    total = 0
    for j in range(lattice.size):
        total += weights[j] * lattice[j]
    return total


@kernel(flag(ROWS, ACTIVE, INTS))
def on_sides(rows: Rows, active: Active, lattice: Int64Array) -> bool:
    """Whether a point of the lattice is on all active sides, in integers."""
    for k in range(active.decided[0]):
        row, side = active.row[k], active.side[k]
        if (sum_of(rows, row, lattice) >= rows.fires[row]) != (side == 1):
            return False
    return True


@kernel(nothing(ROWS, FLOATS, INTS))
def nearest(rows: Rows, point: Float32Array, lattice: Int64Array) -> None:
    """The nearest point of the lattice."""
    for j in range(lattice.size):
        y = np.int64(np.rint(np.float64(point[j]) * rows.unit))
        lattice[j] = min(max(y, 0), rows.cap[j])


@kernel(nothing(ROWS, LATER, INTS, SCRATCH, STATE))
def evaluate(rows: Rows, later: Later, lattice: Int64Array, scratch: Scratch, state: State) -> None:
    """Notes a point whose value is above the line and the best found since the last look.

    The value guides; the replay of the witness decides what it is worth.
    """
    firing, still = scratch.point_firing, scratch.point_still
    firing[:] = 0
    still[:] = 0
    count = rows.weights.shape[0]
    state.work += count * lattice.size
    for row in range(count):
        put(firing if sum_of(rows, row, lattice) >= rows.fires[row] else still, row)
    value, _ = propagate(later, firing, still, scratch)
    if value > state.line and (state.found == 0 or value > state.found_value):
        state.found = 1
        state.found_value = value
        scratch.best[:] = lattice


@kernel(nothing(INTS, i64, i64))
def shuffle(order: Int64Array, count: int, seed: int) -> None:
    """Puts the first entries in random order (Fisher and Yates)."""
    for k in range(count, 1, -1):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        other = (seed >> 8) % k
        order[k - 1], order[other] = order[other], order[k - 1]


@kernel(i64(ROWS, ACTIVE, FLOATS, INTS, i64, SCRATCH), floats=True)
def round_off(
    rows: Rows,
    active: Active,
    point: Float32Array,
    lattice: Int64Array,
    seed: int,
    scratch: Scratch,
) -> int:
    """Rounds pixel after pixel, in random order, to the side that violates less.

    Returns:
        How many pixels were not whole.
    """
    slack = scratch.violation
    count = active.decided[0]
    for k in range(count):
        row, side = active.row[k], active.side[k]
        sign = np.float32(2 * side - 1)
        slack[k] = sign * dot(rows.floats[row], point) - rows.aims[side, row]
    open_ = 0
    for j in range(lattice.size):
        down = np.floor(point[j])
        part = point[j] - down
        if part < np.float32(1e-4):
            lattice[j] = np.int64(down)
        elif part > np.float32(1 - 1e-4):
            lattice[j] = np.int64(down) + 1
        else:
            scratch.order[open_] = j
            open_ += 1
    shuffle(scratch.order, open_, seed)
    for q in range(open_):
        j = scratch.order[q]
        down = np.floor(point[j]) - point[j]
        up = down + np.float32(1)
        cost_down, cost_up = np.float32(0), np.float32(0)
        for k in range(count):
            weight = np.float32((2 * active.side[k] - 1) * rows.weights[active.row[k], j])
            short = max(np.float32(2) - slack[k] - down * weight, np.float32(0))
            cost_down += short * short
            short = max(np.float32(2) - slack[k] - up * weight, np.float32(0))
            cost_up += short * short
        move = up if cost_up < cost_down or (cost_up == cost_down and up < -down) else down
        lattice[j] = np.int64(np.rint(point[j] + move))
        for k in range(count):
            weight = np.float32((2 * active.side[k] - 1) * rows.weights[active.row[k], j])
            slack[k] += move * weight
    return open_


@kernel(i64(ROWS, ACTIVE, SCRATCH))
def weigh_moves(rows: Rows, active: Active, scratch: Scratch) -> int:
    """By how much each move of one pixel changes twice the sum of squared violations.

    For pixel j, ``even[j] + odd[j]`` for a step up and ``even[j] - odd[j]`` for one down. Rows that
    no step can violate add nothing, which are nearly all.

    Returns:
        The sum of squared violations.
    """
    even, odd, slack = scratch.even, scratch.odd, scratch.slack
    even[:] = 0
    odd[:] = 0
    cost = 0
    for k in range(active.decided[0]):
        if slack[k] > 0:
            continue
        now, up, down = slack[k] ** 2, min(slack[k] + 1, 0) ** 2, (slack[k] - 1) ** 2
        cost += now
        weights = rows.weights[active.row[k]]
        curved, sloped = up + down - 2 * now, (2 * active.side[k] - 1) * (up - down)
        for j in range(even.size):
            even[j] += curved * abs(weights[j])
            odd[j] += sloped * weights[j]
    return cost


@kernel(flag(ROWS, ACTIVE, INTS, INTS, INTS, i64, SCRATCH, STATE))
def repair(
    rows: Rows,
    active: Active,
    lattice: Int64Array,
    lower: Int64Array,
    upper: Int64Array,
    moves: int,
    scratch: Scratch,
    state: State,
) -> bool:
    """Moves one pixel by one step at a time, always the one that lowers the violations most.

    Returns:
        Whether the point is on all active sides now.
    """
    slack = scratch.slack
    count = active.decided[0]
    for k in range(count):
        row, side = active.row[k], active.side[k]
        slack[k] = (2 * side - 1) * sum_of(rows, row, lattice) - rows.rhs[side, row]
    for _ in range(moves):
        cost = weigh_moves(rows, active, scratch)
        state.work += count * lattice.size
        if cost == 0:
            return True
        best, pixel, move = 0, -1, 0
        for j in range(lattice.size):
            even, odd = scratch.even[j], scratch.odd[j]
            if even + odd < best and lattice[j] < upper[j]:
                best, pixel, move = even + odd, j, 1
            if even - odd < best and lattice[j] > lower[j]:
                best, pixel, move = even - odd, j, -1
        if pixel < 0:
            return False
        lattice[pixel] += move
        for k in range(count):
            row, side = active.row[k], active.side[k]
            slack[k] += (2 * side - 1) * rows.weights[row, pixel] * move
    return False
