"""The search for a good quadratic bound, in floats: a guide, which decides nothing.

Units k win a prize c_k iff z_k = g_k . h >= w_k, for signs h in {-1, 1}^F of the free rows. For any
b_k, eta_k >= 0 a parabola exceeds what the unit wins,

    c_k [z >= w_k] <= alpha_k + b_k z + eta_k z^2   for all z that can be,

and with B = sum eta_k g_k g_k^T, any diagonal t that exceeds B and any m,

    h^T B h <= sum_a t_a (1 + m_a^2 - 2 m_a h_a) + 2 m^T B h - m^T B m

as (h - m)^T (diag(t) - B) (h - m) >= 0. The sum is linear in h; its maximum, with the rows away
from home limited by their budget, is a fractional knapsack. Here t = lift + the largest eigenvalue
of B - diag(lift), and the bound is lowered by subgradient steps with Polyak's length.
"""

from __future__ import annotations

import numpy as np

from bnnray.exact.kernels.arrays import FLOATS, FLOATS2, f32, f64, i64, nothing
from bnnray.exact.kernels.bounds import GUIDE, Guide
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.problem import Float32Array

ZERO, HALF, ONE, TWO = np.float32(0), np.float32(0.5), np.float32(1), np.float32(2)
NEVER = np.float32(1e30)
FLAT = np.float32(1e-12)

DRIFT = np.float32(0.05)
"""By how much the middle follows the relaxation's choice."""

LIFT_SCALE = np.float32(1)
"""Of d against b in the length of a step."""

FIRST_WIDTHS = (2000.0, 40.0, 20.0, 10.0, 6.0)
FIRST_HEIGHTS = 13
"""Parabolas tried before the first step."""


@kernel(nothing(FLOATS2, i64, i64, FLOATS, FLOATS), floats=True)
def sum_rows(
    pulls: Float32Array, free: int, units: int, signs: Float32Array, sums: Float32Array
) -> None:
    """The units' sums of signs."""
    for k in range(units):
        sums[k] = ZERO
    for a in range(free):
        row, sign = pulls[a], signs[a]
        for k in range(units):
            sums[k] += sign * row[k]


@kernel(f32(FLOATS, FLOATS, i64), floats=True)
def dot_of(a: Float32Array, b: Float32Array, count: int) -> np.float32:
    total = ZERO
    for k in range(count):
        total += a[k] * b[k]
    return total


@kernel(nothing(FLOATS2, i64, i64, FLOATS, FLOATS), floats=True)
def sum_units(
    pulls: Float32Array, free: int, units: int, weights: Float32Array, sums: Float32Array
) -> None:
    """The rows' sums of weights."""
    for a in range(free):
        sums[a] = dot_of(pulls[a], weights, units)


@kernel(f64(i64, i64, GUIDE, i64), floats=True)
def find_top(free: int, units: int, guide: Guide, steps: int) -> float:
    """About the largest eigenvalue of B - diag(lift), by steps of the power method on ``axis``."""
    axis, after, lift = guide.axis, guide.next_axis, guide.lift
    highest = lift[0]
    for a in range(free):
        highest = max(highest, lift[a])
    top = np.float64(highest)
    for _ in range(steps):
        sum_rows(guide.pulls, free, units, axis, guide.z_axis)
        for k in range(units):
            guide.z_axis[k] *= guide.curves[k]
        sum_units(guide.pulls, free, units, guide.z_axis, after)
        length = ZERO
        for a in range(free):
            after[a] += (highest - lift[a]) * axis[a]
            length += after[a] * after[a]
        top = np.sqrt(np.float64(length))
        if top < 1e-12:
            return 0.0
        shrink = np.float32(1 / top)
        for a in range(free):
            axis[a] = after[a] * shrink
    return top - np.float64(highest)


@kernel(f32(f32, f32, f32), floats=True)
def nearest_step(vertex: np.float32, low: np.float32, high: np.float32) -> np.float32:
    """The number of low, low + 2, ... high that is nearest."""
    return min(max(low + TWO * np.rint((vertex - low) * HALF), low), high)


@kernel(f64(i64, GUIDE), floats=True)
def bend(units: int, guide: Guide) -> float:
    """The sum of the alphas less m^T B m; notes ``z_worst`` and the slopes at the middle."""
    value = 0.0
    for k in range(units):
        line, curve, prize = guide.lines[k], guide.curves[k], guide.prizes[k]
        low, wins, high = guide.low[k], guide.wins[k], guide.high[k]
        if curve > FLAT:
            vertex = min(max(-line / (TWO * curve), np.float32(-4096)), np.float32(4096))
        else:
            vertex = np.float32(-4096) if line > ZERO else np.float32(4096)
        lost = nearest_step(vertex, low, wins - TWO)
        won = nearest_step(vertex, wins, high)
        if_lost = -lost * (line + curve * lost)
        if_won = prize - won * (line + curve * won)
        middle = guide.z_middle[k]
        guide.z_worst[k] = won if if_won >= if_lost else lost
        guide.bent[k] = line + TWO * curve * middle
        value += np.float64(max(if_lost, if_won) - curve * middle * middle)
    return value


@kernel(f64(i64, GUIDE, f64), floats=True)
def fill(free: int, guide: Guide, budget: float) -> float:
    """The largest gain of flips within the budget, one of them in part; notes it in ``hat``."""
    key, rank, gain = guide.key, guide.rank, guide.gain
    for a in range(free):
        key[a] = guide.cost[a] / gain[a] if gain[a] > ZERO else NEVER
    for at in range(1, free):
        a = rank[at]
        k = key[a]
        q = at
        while q > 0 and key[rank[q - 1]] > k:
            rank[q] = rank[q - 1]
            q -= 1
        rank[q] = a
    value, left = 0.0, budget
    guide.price[0] = 0.0
    for q in range(free):
        a = rank[q]
        if gain[a] <= ZERO:
            break
        if guide.cost[a] <= left:
            left -= guide.cost[a]
            value += gain[a]
            guide.hat[a] = -guide.hat[a]
            continue
        part = left / np.float64(guide.cost[a])
        value += gain[a] * part
        guide.hat[a] *= np.float32(1 - 2 * part)
        guide.price[0] = np.float64(gain[a]) / np.float64(guide.cost[a])
        break
    return value


@kernel(f64(i64, i64, GUIDE, f64, f64), floats=True)
def relax(free: int, units: int, guide: Guide, top: float, budget: float) -> float:
    """The bound at b, eta, m and d, for ``top`` the largest eigenvalue; notes where it is taken."""
    middle, slope = guide.middle, guide.slope
    sum_rows(guide.pulls, free, units, middle, guide.z_middle)
    value = bend(units, guide)
    sum_units(guide.pulls, free, units, guide.bent, slope)
    for a in range(free):
        m, home = middle[a], guide.home[a]
        t = np.float32(top) + guide.lift[a]
        slope[a] -= TWO * t * m
        value += np.float64(t * (ONE + m * m) + home * slope[a])
        guide.gain[a] = -TWO * home * slope[a]
        guide.hat[a] = home
    return value + fill(free, guide, budget)


@kernel(f64(i64, GUIDE), floats=True)
def spread_of_choice(free: int, guide: Guide) -> float:
    """By how much the bound rises with ``top``."""
    total = 0.0
    for a in range(free):
        m = guide.middle[a]
        total += np.float64(ONE + m * m - TWO * m * guide.hat[a])
    return total


@kernel(f64(i64, i64, GUIDE), floats=True)
def find_slopes(free: int, units: int, guide: Guide) -> float:
    """The subgradient, eta's and d's scaled; its squared length. Call after :func:`relax`."""
    sum_rows(guide.pulls, free, units, guide.hat, guide.z_hat)
    sum_rows(guide.pulls, free, units, guide.axis, guide.z_axis)
    whole = np.float32(spread_of_choice(free, guide))
    scale = ONE / np.float32(free)
    length = ZERO
    for k in range(units):
        hat, worst, middle, axis = (
            guide.z_hat[k],
            guide.z_worst[k],
            guide.z_middle[k],
            guide.z_axis[k],
        )
        line = hat - worst
        curve = whole * axis * axis - worst * worst + middle * (TWO * hat - middle)
        curve = ZERO if guide.curves[k] <= ZERO and curve > ZERO else curve * scale
        guide.line_slope[k] = line
        guide.curve_slope[k] = curve
        length += line * line + curve * curve
    for a in range(free):
        m, u = guide.middle[a], guide.axis[a]
        own = ONE + m * m - TWO * m * guide.hat[a]
        guide.slope[a] = LIFT_SCALE * (own - whole * u * u)
        length += guide.slope[a] * guide.slope[a]
    return np.float64(length)


@kernel(nothing(i64, i64, GUIDE, f32), floats=True)
def move(free: int, units: int, guide: Guide, length: np.float32) -> None:
    """A step of a length down the slopes, and of the middle toward the relaxation's choice."""
    scale = ONE / np.float32(free)
    for k in range(units):
        guide.lines[k] -= length * guide.line_slope[k]
        guide.curves[k] = max(guide.curves[k] - length * scale * guide.curve_slope[k], ZERO)
    for a in range(free):
        guide.lift[a] -= length * LIFT_SCALE * guide.slope[a]
        guide.middle[a] += DRIFT * (guide.hat[a] - guide.middle[a])


@kernel(nothing(i64, i64, GUIDE))
def keep(free: int, units: int, guide: Guide) -> None:
    """Notes b, eta, u, m and d as the best."""
    for k in range(units):
        guide.best_lines[k] = guide.lines[k]
        guide.best_curves[k] = guide.curves[k]
    for a in range(free):
        guide.best_axis[a] = guide.axis[a]
        guide.best_middle[a] = guide.middle[a]
        guide.best_lift[a] = guide.lift[a]


@kernel(nothing(i64, i64, GUIDE))
def restore(free: int, units: int, guide: Guide) -> None:
    """Takes the best again."""
    for k in range(units):
        guide.lines[k] = guide.best_lines[k]
        guide.curves[k] = guide.best_curves[k]
    for a in range(free):
        guide.axis[a] = guide.best_axis[a]
        guide.middle[a] = guide.best_middle[a]
        guide.lift[a] = guide.best_lift[a]


@kernel(nothing(i64, GUIDE))
def start_axis(free: int, guide: Guide) -> None:
    """Makes the axis a unit vector, any if there is none."""
    length = np.sqrt(np.float64(dot_of(guide.axis, guide.axis, free)))
    if length < 1e-3:
        for a in range(free):
            guide.axis[a] = np.float32(((a * 7919 + 13) % 101) / 50.0 - 1.0)
        length = np.sqrt(np.float64(dot_of(guide.axis, guide.axis, free)))
    for a in range(free):
        guide.axis[a] = np.float32(guide.axis[a] / length)


@kernel(nothing(i64, i64, GUIDE, f64))
def start_curves(free: int, units: int, guide: Guide, budget: float) -> None:
    """The best of a few families of parabolas, before the first step."""
    guide.lines[:units] = ZERO
    guide.middle[:free] = ZERO
    guide.lift[:free] = ZERO
    best = 1e300
    for width in FIRST_WIDTHS:
        height = 0.00125
        for _ in range(FIRST_HEIGHTS):
            for k in range(units):
                wins, prize = np.float64(guide.wins[k]), np.float64(guide.prizes[k])
                curve = 0.0
                if wins > 0:
                    share = width * width / (max(wins, 1.0) ** 2 + width * width)
                    curve = prize * min(height * share, 1 / (wins * wins))
                guide.curves[k] = np.float32(curve)
            value = relax(free, units, guide, find_top(free, units, guide, 8), budget)
            if value < best:
                best = value
                keep(free, units, guide)
            height *= 1.6
    restore(free, units, guide)
