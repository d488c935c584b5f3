"""The search for an input on given sides: accelerated projected gradient on the violations.

Half the sum of squared violations is minimized over the box by FISTA with restarts (Beck and
Teboulle 2009; O'Donoghue and Candès 2015). Where no input exists the violations tend to the
multipliers of a certificate, which is tried in integers every few steps.
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
    f32,
    flag,
    i64,
    nothing,
)
from bnnray.exact.kernels.certificates import certify
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.problem import Float32Array, Int64Array, Rows

UNDECIDED, FEASIBLE, INFEASIBLE = 0, 1, 2

TRY_EVERY = 8
"""Steps between two tries of a certificate."""

ZERO, HALF, ONE, FOUR = np.float32(0), np.float32(0.5), np.float32(1), np.float32(4)


@kernel(f32(FLOATS, FLOATS), floats=True)
def dot(a: Float32Array, b: Float32Array) -> np.float32:
    total = ZERO
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@kernel(nothing(FLOATS, FLOATS, f32), floats=True)
def add_scaled(total: Float32Array, row: Float32Array, times: np.float32) -> None:
    for j in range(total.size):
        total[j] += times * row[j]


@kernel(flag(ROWS, ACTIVE, FLOATS, f32), floats=True)
def inside(rows: Rows, active: Active, point: Float32Array, margin: np.float32) -> bool:
    """Whether an input lies on all active sides by a margin."""
    for k in range(active.decided[0]):
        row, side = active.row[k], active.side[k]
        sign = np.float32(2 * side - 1)
        if sign * dot(rows.floats[row], point) < rows.aims[side, row] + margin:
            return False
    return True


@kernel(flag(ROWS, ACTIVE, FLOATS, f32, SCRATCH), floats=True)
def violations(
    rows: Rows, active: Active, point: Float32Array, margin: np.float32, scratch: Scratch
) -> bool:
    """Computes the violations and the direction that lowers them.

    Returns:
        Whether some side is missed by more than half the margin.
    """
    gradient, violation = scratch.gradient, scratch.violation
    gradient[:] = ZERO
    missed = False
    for k in range(active.decided[0]):
        row, side = active.row[k], active.side[k]
        sign = np.float32(2 * side - 1)
        gap = rows.aims[side, row] + margin - sign * dot(rows.floats[row], point)
        if gap > ZERO:
            missed = missed or gap > margin * HALF
            add_scaled(gradient, rows.floats[row], gap * sign)
        violation[k] = max(gap, ZERO)
    return missed


@kernel(flag(ROWS, ACTIVE, FLOATS, FLOATS, SCRATCH), floats=True)
def promises(
    rows: Rows, active: Active, low: Float32Array, high: Float32Array, scratch: Scratch
) -> bool:
    """Whether the violations look like a certificate, in floats: cheap, and decides nothing."""
    least = 0.0
    for k in range(active.decided[0]):
        aim = rows.aims[active.side[k], active.row[k]]
        least += np.float64(scratch.violation[k]) * np.float64(aim)
    most = 0.0
    gradient = scratch.gradient
    for j in range(gradient.size):
        g = gradient[j]
        most += np.float64(g) * np.float64(high[j] if g > ZERO else low[j])
    return least > most


@kernel(f32(FLOATS, FLOATS, FLOATS, FLOATS, FLOATS, f32, f32), floats=True)
def step(
    point: Float32Array,
    before: Float32Array,
    gradient: Float32Array,
    low: Float32Array,
    high: Float32Array,
    length: np.float32,
    momentum: np.float32,
) -> np.float32:
    """One step from ``point`` and its extrapolation; positive where that went uphill."""
    uphill = ZERO
    for j in range(point.size):
        moved = min(max(point[j] + length * gradient[j], low[j]), high[j])
        change = moved - before[j]
        uphill += (point[j] - moved) * change
        point[j] = moved + momentum * change
        before[j] = moved
    return uphill


@kernel(nothing(FLOATS, FLOATS, FLOATS), floats=True)
def clip(point: Float32Array, low: Float32Array, high: Float32Array) -> None:
    for j in range(point.size):
        point[j] = min(max(point[j], low[j]), high[j])


@kernel(
    i64(ROWS, ACTIVE, FLOATS, FLOATS, INTS, INTS, FLOATS, f32, i64, SCRATCH, STATE), floats=True
)
def approach(
    rows: Rows,
    active: Active,
    low: Float32Array,
    high: Float32Array,
    lower: Int64Array,
    upper: Int64Array,
    point: Float32Array,
    margin: np.float32,
    steps: int,
    scratch: Scratch,
    state: State,
) -> int:
    """Looks for an input on all active sides, from ``point``, which it moves.

    Args:
        low, high, lower, upper: the box, in the unit of the floats and in lattice steps.
        margin: how far inside each side to aim.
        steps: at most.

    Returns:
        FEASIBLE: ``point`` is inside, as far as floats tell; INFEASIBLE: proven, with
        ``state.support`` sides in ``scratch.support``; or UNDECIDED.
    """
    look, before = scratch.look, scratch.before
    look[:] = point
    clip(look, low, high)
    before[:] = look
    t = ONE
    for taken in range(steps):
        state.work += active.decided[0] * point.size
        if not violations(rows, active, look, margin, scratch):
            point[:] = look
            return FEASIBLE
        last = taken == steps - 1
        if (taken % TRY_EVERY == TRY_EVERY - 1 or last) and promises(
            rows, active, low, high, scratch
        ):
            state.support = certify(rows, active, scratch.violation, lower, upper, scratch)
            if state.support > 0:
                return INFEASIBLE
        t_next = (ONE + np.sqrt(ONE + FOUR * t * t)) * HALF
        uphill = step(
            look, before, scratch.gradient, low, high, np.float32(rows.step), (t - ONE) / t_next
        )
        if uphill > ZERO:
            t = ONE
            look[:] = before
        else:
            t = t_next
            clip(look, low, high)
    point[:] = before
    return UNDECIDED
