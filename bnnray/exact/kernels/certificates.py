"""Proofs, in integers, that no input is on all of some sides.

Every input of the box on the sides s_k of rows k has (2 s_k - 1) w_k . y >= rhs_k. For integers
m_k >= 0 the combined row g = sum m_k (2 s_k - 1) w_k then has g . y >= sum m_k rhs_k; if that is
more than the largest g . y over the box, there is no such input (Farkas). Where a strict row has
a part, equality will do.

The sums fit in 64 bits: see :func:`bnnray.exact.reduction.check_sums`.
"""

from __future__ import annotations

import numpy as np

from bnnray.exact.kernels.arrays import (
    ACTIVE,
    FLOATS,
    INTS,
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
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.problem import LARGEST_MULTIPLIER, Float32Array, Int64Array, Rows


@kernel(nothing(ROWS, i64, i64, INTS))
def add_row(rows: Rows, row: int, times: int, combined: Int64Array) -> None:
    """Adds a multiple of a row."""
    weights = rows.weights[row]
    for j in range(combined.size):
        combined[j] += times * weights[j]


@kernel(i64(INTS, INTS, INTS))
def largest(combined: Int64Array, lower: Int64Array, upper: Int64Array) -> int:
    """The largest value of a combined row over a box."""
    total = 0
    for j in range(combined.size):
        g = combined[j]
        total += g * (upper[j] if g > 0 else lower[j])
    return total


@kernel(i64(ROWS, i64, i64, INTS, INTS, INTS))
def largest_without(
    rows: Rows, row: int, times: int, combined: Int64Array, lower: Int64Array, upper: Int64Array
) -> int:
    """The same without a multiple of a row."""
    weights = rows.weights[row]
    total = 0
    for j in range(combined.size):
        g = combined[j] - times * weights[j]
        total += g * (upper[j] if g > 0 else lower[j])
    return total


@kernel(flag(i64, i64, i64))
def contradicts(least: int, most: int, strict: int) -> bool:
    """Whether no number is at least ``least``, or above it if strict, and at most ``most``."""
    return least > most or (least == most and strict > 0)


@kernel(i64(FLOATS, i64, SCRATCH))
def scale_multipliers(violation: Float32Array, count: int, scratch: Scratch) -> int:
    """The violations as integers, the positive ones rising, with their entries in ``support``."""
    most = np.float32(0)
    for k in range(count):
        most = max(most, violation[k])
    if most <= 0:
        return 0
    kept = 0
    for k in range(count):
        scaled = np.int64(np.floor(np.float64(violation[k] / most) * LARGEST_MULTIPLIER + 0.5))
        if scaled <= 0:
            continue
        at = kept
        while at > 0 and scratch.multiplier[at - 1] > scaled:
            scratch.multiplier[at] = scratch.multiplier[at - 1]
            scratch.support[at] = scratch.support[at - 1]
            at -= 1
        scratch.multiplier[at] = scaled
        scratch.support[at] = k
        kept += 1
    return kept


@kernel(i64(ROWS, ACTIVE, i64, SCRATCH))
def combine(rows: Rows, active: Active, count: int, scratch: Scratch) -> int:
    """Adds up the rows of the first ``count`` multipliers in ``scratch.combined``.

    Returns:
        What the sum is at least, of every input on those sides.
    """
    scratch.combined[:] = 0
    least = 0
    for q in range(count):
        row, side = active.row[scratch.support[q]], active.side[scratch.support[q]]
        add_row(rows, row, scratch.multiplier[q] * (2 * side - 1), scratch.combined)
        least += scratch.multiplier[q] * rows.rhs[side, row]
    return least


@kernel(i64(ROWS, ACTIVE, FLOATS, INTS, INTS, SCRATCH, STATE))
def tighten(
    rows: Rows,
    active: Active,
    violation: Float32Array,
    lower: Int64Array,
    upper: Int64Array,
    scratch: Scratch,
    state: State,
) -> int:
    """Shrinks a box, in place, without losing a lattice point on the active sides.

    If g . y is at least b on the sides, and most is its largest value over the box, then no pixel
    can be further than (most - b) / |g_j| from the end of its range that g prefers.

    Args:
        violation: as of :func:`certify`; the multipliers are left in ``scratch`` and their number
            in ``state.support``.

    Returns:
        By how many steps the pixels' ranges shrank, together.
    """
    count = scale_multipliers(violation, active.decided[0], scratch)
    state.support = count
    least = combine(rows, active, count, scratch)
    room = largest(scratch.combined, lower, upper) - least
    if count == 0 or room < 0:
        return 0
    shrunk = 0
    for j in range(lower.size):
        g = scratch.combined[j]
        width = upper[j] - lower[j]
        if abs(g) * width <= room:
            continue
        left = room // abs(g)
        shrunk += width - left
        if g > 0:
            lower[j] = upper[j] - left
        else:
            upper[j] = lower[j] + left
    return shrunk


@kernel(i64(ROWS, ACTIVE, FLOATS, INTS, INTS, SCRATCH))
def certify(
    rows: Rows,
    active: Active,
    violation: Float32Array,
    lower: Int64Array,
    upper: Int64Array,
    scratch: Scratch,
) -> int:
    """Tries to prove that no input of a box is on all active sides, and shrinks the proof.

    Args:
        violation: (active rows,), by how much a near miss violates each: the multipliers to be.
        lower, upper: (pixels,), the box.

    Returns:
        How many sides are needed, their entries in ``scratch.support``; 0 without a proof.
    """
    count = scale_multipliers(violation, active.decided[0], scratch)
    combined, multiplier, support = scratch.combined, scratch.multiplier, scratch.support
    least = combine(rows, active, count, scratch)
    strict = 0
    for q in range(count):
        strict += rows.strict[active.side[support[q]], active.row[support[q]]]
    if count == 0 or not contradicts(least, largest(combined, lower, upper), strict):
        return 0
    kept = 0
    for q in range(count):
        row, side = active.row[support[q]], active.side[support[q]]
        times = multiplier[q] * (2 * side - 1)
        rest = least - multiplier[q] * rows.rhs[side, row]
        most = largest_without(rows, row, times, combined, lower, upper)
        if contradicts(rest, most, strict - rows.strict[side, row]):
            least = rest
            strict -= rows.strict[side, row]
            add_row(rows, row, -times, combined)
        else:
            multiplier[kept] = multiplier[q]
            support[kept] = support[q]
            kept += 1
    return kept
