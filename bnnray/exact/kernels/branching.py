"""Which row to branch on, and which side to try first.

A row is worth branching on if much hangs on it and the node's point is far from its threshold:
then the other side has to move far, and is soon refuted.
"""

from __future__ import annotations

import numpy as np
from numba import types

from bnnray.exact.kernels.arrays import (
    FLOATS,
    LATER,
    ROWS,
    SCRATCH,
    STATE,
    WORDS,
    Scratch,
    State,
    f32,
    i64,
    nothing,
)
from bnnray.exact.kernels.bits import clear, put
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.kernels.projection import dot
from bnnray.exact.kernels.propagation import count_pulls, propagate
from bnnray.exact.problem import Float32Array, Later, Rows, Words

NEAR = 0.1
"""Added to a distance, so that a row that the point lies on counts too."""


@kernel(f32(ROWS, i64, FLOATS))
def distance(rows: Rows, row: int, point: Float32Array) -> np.float32:
    """From the point to the row's threshold, relative to the row's range; > 0 if it fires."""
    middle = (rows.aims[1, row] - rows.aims[0, row]) * np.float32(0.5)
    return (dot(rows.floats[row], point) - middle) / rows.span[row]


@kernel(nothing(LATER, WORDS, WORDS, i64, SCRATCH))
def weigh_second_layer(
    later: Later, firing: Words, still: Words, free: int, scratch: Scratch
) -> None:
    """The gain that hangs on each second-layer unit, halved for each two of its slack; signed by
    the side on which the unit is good."""
    units, words = later.units[0], later.words[0]
    agree, against, weight = scratch.agree, scratch.against, scratch.weight
    count_pulls(units, words, later.positive, later.negative, firing, still, agree, against)
    for j in range(units):
        gain = later.gains[j]
        left = later.slack[j] - against[j] if gain > 0 else later.need[j] - 1 - agree[j]
        if gain == 0 or left < 0 or left >= free:
            weight[j] = np.float32(0)
        else:
            weight[j] = np.float32(gain) * np.float32(2.0 ** (-0.5 * left))


@kernel(types.UniTuple(types.float64, 2)(LATER, i64, SCRATCH))
def losses(later: Later, row: int, scratch: Scratch) -> tuple[float, float]:
    """The weight of the second-layer units that a row harms by firing, and by not firing."""
    units = later.units[0]
    at, shift = (row >> 6) * units, np.uint64(row & 63)
    firing, still = 0.0, 0.0
    for j in range(units):
        pull = np.int64((later.positive[at + j] >> shift) & np.uint64(1)) - np.int64(
            (later.negative[at + j] >> shift) & np.uint64(1)
        )
        weight = np.float64(scratch.weight[j]) * pull
        firing += max(-weight, 0.0)
        still += max(weight, 0.0)
    return firing, still


@kernel(types.UniTuple(types.float64, 2)(LATER, i64, WORDS, WORDS, SCRATCH, STATE))
def what_ifs(
    later: Later, row: int, firing: Words, still: Words, scratch: Scratch, state: State
) -> tuple[float, float]:
    """By how much the bound falls if a row fires, and if it does not, down to the line."""
    upper, _ = propagate(later, firing, still, scratch)
    put(firing, row)
    up, _ = propagate(later, firing, still, scratch)
    clear(firing, row)
    put(still, row)
    down, _ = propagate(later, firing, still, scratch)
    clear(still, row)
    state.work += 3 * later.positive.size
    return np.float64(upper - max(up, state.line)), np.float64(upper - max(down, state.line))


@kernel(types.UniTuple(i64, 2)(ROWS, LATER, WORDS, WORDS, FLOATS, i64, SCRATCH, STATE))
def choose(
    rows: Rows,
    later: Later,
    firing: Words,
    still: Words,
    point: Float32Array,
    free: int,
    scratch: Scratch,
    state: State,
) -> tuple[int, int]:
    """The row to branch on, of the first ``free`` in ``scratch.free``, and its first side."""
    weighed = later.units.size == 1
    if weighed:
        weigh_second_layer(later, firing, still, free, scratch)
    best, best_row, best_side = -1.0, 0, 0
    for f in range(free):
        row = scratch.free[f]
        if weighed:
            loss_firing, loss_still = losses(later, row, scratch)
        else:
            loss_firing, loss_still = what_ifs(later, row, firing, still, scratch, state)
        far = np.float64(distance(rows, row, point))
        worth = 3 * min(loss_firing, loss_still) + max(loss_firing, loss_still)
        score = (NEAR + abs(far)) * (worth + 1e-3)
        if score > best:
            best, best_row = score, row
            fires = far >= 0 if loss_firing == loss_still else loss_firing < loss_still
            best_side = 1 if fires else 0
    return best_row, best_side
