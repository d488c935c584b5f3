"""What the decided rows leave of the box, as an ellipsoid that shrinks with every row.

Let r = cap / 2, z = y - r, R = sum r, K = W diag(r) W^T and c the rows' sums W r. In the box
z_j^2 <= r_j^2, so sum z_j^2 / r_j <= R. Rows i on their sides s_i have s_i (W y)_i >= rhs_i. For
any mu >= 0 on them and z' = diag(r) W^T (s mu), multiplying out,

    sum (z_j - z'_j)^2 / r_j <= R - 2 sum mu_i (rhs_i - s_i c_i) + (s mu)^T K (s mu) =: rho

on all sides at once. So none of the box is, if rho < 0; else row i's sum lies within
sqrt(K_ii rho) of a_i = c_i + (K s mu)_i (Cauchy and Schwarz), and with a diagonal D that exceeds K,
sum (a_i(y) - a_i)^2 / D_ii <= rho over all rows together: the rows that are away from home share
a budget.

The multipliers are times / 2^bits with integers ``times``; ``sums`` are 2^(bits + 1) a, and
``left`` is 2^(2 bits + 1) rho, both integers. Dual coordinate ascent is done on these integers
themselves, so nothing is rounded.

Ranges, with S = ``total`` and q = ``bits``: 2^q S < 2^30 and, at 8 bits for the multipliers' sum,
sum times <= 2^(q + 8). So |sums| <= 2^q S (1 + 2^8) < 2^39. The terms of ``left`` are at most
4^q S, 2^(2q + 9) (3 S + 2) and 2^(2q + 16) S, all below 2^59 as q <= 12; where ``left`` is more
than the 4^q S without multipliers, they are dropped. Distances are cut off at 2^q S + 1, the
square of which, below 2^61, is more than ``diagonal * left`` in any case.
"""

from __future__ import annotations

import numpy as np
from numba import types

from bnnray.exact.kernels.arrays import ACTIVE, INTS, WORDS, Active, i64, nothing
from bnnray.exact.kernels.bits import put
from bnnray.exact.kernels.bounds import ELLIPSOID, FLIPS, Ellipsoid, Flips
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.problem import Int64Array, Words

MULTIPLIER_BITS = 8
"""The multipliers' sum is at most 2 to this."""

SWEEPS = 4
"""Over the decided rows, at a node."""

SETTLED = 0.0004
"""A sweep is the last if no step raised the bound by this share of R."""

BUDGET_BITS = 20


@kernel(nothing(INTS, i64, INTS))
def add_times(row: Int64Array, times: int, total: Int64Array) -> None:
    for i in range(total.size):
        total[i] += times * row[i]


@kernel(nothing(ELLIPSOID, INTS, INTS))
def reset(ellipsoid: Ellipsoid, times: Int64Array, sums: Int64Array) -> None:
    """Without multipliers: the whole box."""
    times[:] = 0
    for i in range(sums.size):
        sums[i] = ellipsoid.center[i] << ellipsoid.bits


@kernel(nothing(ELLIPSOID, ACTIVE, INTS, INTS))
def ascend(ellipsoid: Ellipsoid, active: Active, times: Int64Array, sums: Int64Array) -> None:
    """Moves each decided row's multiplier to where ``left`` is least, for a few rounds.

    Args:
        times, sums: of the decided rows so far; kept in step.
    """
    bits = ellipsoid.bits
    room = (1 << (bits + MULTIPLIER_BITS)) - np.sum(times)
    enough = SETTLED * np.float64(1 << (2 * bits)) * np.float64(ellipsoid.total)
    for _ in range(SWEEPS):
        best = 0.0
        for k in range(active.decided[0]):
            row, side = active.row[k], active.side[k]
            sign, wide = 2 * side - 1, ellipsoid.diagonal[row]
            short = (ellipsoid.rhs[side, row] << (bits + 1)) - sign * sums[row]
            change = (short + wide // 2) // wide
            change = min(max(change, -times[row]), room)
            if change == 0:
                continue
            times[row] += change
            room -= change
            add_times(ellipsoid.gram[row], sign * change, sums)
            best = max(best, np.float64(change) * np.float64(change) * np.float64(wide))
        if best < enough:
            break


@kernel(i64(ELLIPSOID, ACTIVE, INTS, INTS))
def left_by(ellipsoid: Ellipsoid, active: Active, times: Int64Array, sums: Int64Array) -> int:
    """``left``; negative if no input is on all active sides. Resets multipliers that are no use.

    Args:
        times: 0 but for active rows.
        sums: that belong to them.
    """
    bits = ellipsoid.bits
    gained, curved = 0, 0
    for k in range(active.decided[0]):
        row, side = active.row[k], active.side[k]
        sign, center = 2 * side - 1, ellipsoid.center[row]
        gained += times[row] * (2 * ellipsoid.rhs[side, row] - sign * center)
        curved += times[row] * sign * (sums[row] - (center << bits))
    whole = ellipsoid.total << (2 * bits)
    left = whole - (gained << (bits + 1)) + curved
    if left > whole:
        reset(ellipsoid, times, sums)
        return whole
    return left


@kernel(i64(ELLIPSOID, i64, i64, INTS))
def distance_to(ellipsoid: Ellipsoid, row: int, side: int, sums: Int64Array) -> int:
    """How far the middle of what is left is from a row's side, times 2^(bits + 1), cut off where
    it is out of reach; 0 or less if it is on it."""
    away = (ellipsoid.rhs[side, row] << (ellipsoid.bits + 1)) - (2 * side - 1) * sums[row]
    return min(away, (ellipsoid.total << ellipsoid.bits) + 1)


@kernel(types.UniTuple(i64, 2)(ELLIPSOID, i64, INTS, i64, INTS, WORDS, WORDS))
def fix_rows(
    ellipsoid: Ellipsoid,
    free: int,
    rows: Int64Array,
    left: int,
    sums: Int64Array,
    firing: Words,
    still: Words,
) -> tuple[int, int]:
    """Decides the rows, of the first ``free`` in ``rows``, of which one side is out of reach.

    Returns:
        How many were decided, and how many have both sides out of reach.
    """
    fixed, lost = 0, 0
    for a in range(free):
        row = rows[a]
        farthest = ellipsoid.diagonal[row] * left
        to_still = distance_to(ellipsoid, row, 0, sums)
        to_firing = distance_to(ellipsoid, row, 1, sums)
        never_still = to_still > 0 and to_still * to_still > farthest
        never_firing = to_firing > 0 and to_firing * to_firing > farthest
        if never_still and never_firing:
            lost += 1
        elif never_still:
            put(firing, row)
            fixed += 1
        elif never_firing:
            put(still, row)
            fixed += 1
    return fixed, lost


@kernel(nothing(i64, FLIPS))
def sort_flips(free: int, flips: Flips) -> None:
    """Orders the free rows by rising cost."""
    order = np.argsort(flips.cost[:free])
    for a in range(free):
        flips.order[a] = order[a]


@kernel(nothing(ELLIPSOID, i64, INTS, i64, INTS, FLIPS))
def price_flips(
    ellipsoid: Ellipsoid, free: int, rows: Int64Array, left: int, sums: Int64Array, flips: Flips
) -> None:
    """Where the free rows are at home, what it costs to have them away, and the budget.

    Costs are rounded down, and the sum of integers is no more than the budget rounded down.
    """
    bits = 0
    while left >> bits >= 1 << BUDGET_BITS:
        bits += 1
    budget = left >> bits
    flips.budget[0] = budget
    for a in range(free):
        row = rows[a]
        to_still = distance_to(ellipsoid, row, 0, sums)
        to_firing = distance_to(ellipsoid, row, 1, sums)
        flips.home[a] = 1 if to_firing <= to_still else -1
        far = max(0, max(to_still, to_firing))
        flips.cost[a] = min((far * far // ellipsoid.spread[row]) >> bits, budget + 1)
    sort_flips(free, flips)


@kernel(nothing(i64, FLIPS))
def free_flips(free: int, flips: Flips) -> None:
    """The same where nothing is known of the rows: nothing costs anything."""
    flips.budget[0] = 0
    for a in range(free):
        flips.home[a] = 1
        flips.cost[a] = 0
        flips.order[a] = a
