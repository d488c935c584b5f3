"""The quadratic bound of a single later layer, proven in integers.

:mod:`bnnray.exact.kernels.relaxation` states the bound and finds its parameters in floats. Here
they become integers, b and eta times 2^shift, m times 2^MIDDLE_BITS, t raised until it exceeds B
for certain (:mod:`bnnray.exact.kernels.semidefinite`), and the bound is computed from them anew:
it holds for any parameters. Let L + sum_a l_a h_a be the linear bound, and let a row's flip from
its home bring gain_a. For any price >= 0, as the flips' costs keep within the budget,

    value <= L + sum_a l_a home_a + sum_a max(0, gain_a - price cost_a) + price budget.

Forcing a row to flip, or to stay, takes |gain_a - price cost_a| from that at most once more; where
the rest does not exceed the line, the row is fixed.

Ranges, with F free rows: the scaled prizes' sum is below 2^34, sum |b| F and sum eta F^2 are at
most 2^45, t_a F too, |m| <= 2^6. So at scale 2^(shift + 12) sum alpha is below 2^59, the terms
of t and m below 2^59, sum |gain_a| below 2^61, and price * (budget + 1) is at most 2^60: no sum
passes 2^63. Parameters beyond are refused.
"""

from __future__ import annotations

import numpy as np
from numba import types

from bnnray.exact.kernels.arrays import (
    FLOATS,
    INTS,
    LATER,
    ROWS,
    SCRATCH,
    WORDS,
    Scratch,
    f64,
    flag,
    i64,
    nothing,
)
from bnnray.exact.kernels.bits import put
from bnnray.exact.kernels.bounds import (
    BOUNDS,
    FLIPS,
    GUIDE,
    OPEN,
    PROOF,
    SECOND,
    TRAIL,
    Bounds,
    Flips,
    Guide,
    Open,
    Proof,
    Second,
    Trail,
)
from bnnray.exact.kernels.branching import NEAR, distance
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.kernels.propagation import count_pulls
from bnnray.exact.kernels.relaxation import (
    fill,
    find_slopes,
    find_top,
    keep,
    move,
    relax,
    restore,
    spread_of_choice,
    start_axis,
    start_curves,
)
from bnnray.exact.kernels.semidefinite import exceed
from bnnray.exact.problem import Float32Array, Int64Array, Later, Rows, Words

OPEN_STILL, EMPTY, FIXED, SETTLED, UNKNOWN = 0, 1, 2, 3, 4
"""What the bound said of a node: nothing more, but which rows matter; that nothing in it is above
the line; that some rows are decided now; that its value is one number; and nothing at all."""

MIDDLE_BITS = 6
TERM_BITS, PRICE_BITS = 45, 60

ROUNDS, FIRST_ROUNDS = 30, 200
"""Steps at a node, and where no parent leaves anything."""

PATIENCE, SHORTER = 6, 0.6
"""Steps without progress, and what they do to the length."""

PROGRESS, SAFE, AIM, NEARBY = 0.0125, 0.05, 0.5, 10.0
"""In units of value: what counts as progress; how far below the line a bound in floats is tried in
integers; how far below the steps aim; and how far above a bound may be of use for fixing rows."""

EXCESS = (1.004, 1.02, 1.06, 1.15)
"""Factors on t, tried in turn."""

LOSS_WEIGHT, MOST_LOSS = 1.2, 3.0


@kernel(i64(f64, i64))
def whole(value: float, most: int) -> int:
    """The nearest integer, 0 if it is beyond some limit."""
    if not abs(value) <= np.float64(most):
        return 0
    return int(np.rint(value))


# The units that are open


@kernel(nothing(SECOND, i64, INTS, FLIPS, OPEN))
def count_bad(second: Second, free: int, rows: Int64Array, flips: Flips, open_: Open) -> None:
    """How many free rows pull each unit; how many of them harm it at home, and at least and at
    most within the budget."""
    fan, bad, least, most = open_.fan, open_.bad, open_.least, open_.most
    less, more = open_.less, open_.more
    fan[:] = 0
    bad[:] = 0
    less[:] = 0
    more[:] = 0
    for a in range(free):
        pulls, home = second.pulls[rows[a]], flips.home[a]
        for j in range(fan.size):
            pull = np.int64(pulls[j])
            fan[j] += pull * pull
            bad[j] += 1 if pull * home < 0 else 0
    for j in range(fan.size):
        least[j] = bad[j]
        most[j] = bad[j]
    budget = flips.budget[0]
    for q in range(free):
        a = flips.order[q]
        pulls, home, cost = second.pulls[rows[a]], flips.home[a], flips.cost[a]
        for j in range(fan.size):
            pull = np.int64(pulls[j]) * home
            less[j] += cost if pull < 0 else 0
            more[j] += cost if pull > 0 else 0
            least[j] -= 1 if pull < 0 and less[j] <= budget else 0
            most[j] += 1 if pull > 0 and more[j] <= budget else 0


@kernel(types.UniTuple(i64, 3)(LATER, SECOND, WORDS, WORDS, i64, INTS, FLIPS, OPEN, SCRATCH))
def list_open(
    later: Later,
    second: Second,
    firing: Words,
    still: Words,
    free: int,
    rows: Int64Array,
    flips: Flips,
    open_: Open,
    scratch: Scratch,
) -> tuple[int, int, int]:
    """Which units the free rows decide.

    Returns:
        How many; the value without them; and the sum of their prizes.
    """
    agree, against = scratch.agree, scratch.against
    units, words = later.units[0], later.words[0]
    count_pulls(units, words, later.positive, later.negative, firing, still, agree, against)
    count_bad(second, free, rows, flips, open_)
    count, value, prizes = 0, second.constant, 0
    for j in range(units):
        if second.prizes[j] == 0:
            continue
        left = second.slack[j] - (against[j] if later.gains[j] > 0 else agree[j])
        if open_.most[j] <= left:
            value += second.prizes[j]
        elif open_.least[j] <= left:
            open_.unit[count] = j
            open_.low[count] = open_.fan[j] - 2 * open_.most[j]
            open_.high[count] = open_.fan[j] - 2 * open_.least[j]
            open_.wins[count] = open_.fan[j] - 2 * left
            prizes += second.prizes[j]
            count += 1
    return count, value, prizes


@kernel(nothing(SECOND, i64, i64, INTS, FLIPS, OPEN, GUIDE))
def gather(
    second: Second,
    free: int,
    units: int,
    rows: Int64Array,
    flips: Flips,
    open_: Open,
    guide: Guide,
) -> None:
    """Puts the open units and free rows together, for integers and for floats."""
    for k in range(units):
        guide.low[k] = np.float32(open_.low[k])
        guide.high[k] = np.float32(open_.high[k])
        guide.wins[k] = np.float32(open_.wins[k])
        guide.prizes[k] = np.float32(second.prizes[open_.unit[k]] / second.unit)
    for a in range(free):
        guide.home[a] = np.float32(flips.home[a])
        guide.cost[a] = np.float32(flips.cost[a])
        guide.rank[a] = a
        pulls, exact, floats = second.pulls[rows[a]], open_.pulls[a], guide.pulls[a]
        for k in range(units):
            exact[k] = pulls[open_.unit[k]]
            floats[k] = np.float32(exact[k])


# The bound in integers


@kernel(i64(i64, i64, i64, i64))
def most_below(line: int, curve: int, low: int, high: int) -> int:
    """The largest -line z - curve z^2 for z = low, low + 2, ... high."""
    if curve <= 0:
        z = low if line > 0 else high
        return -z * line
    steps = (-line - 2 * curve * low) // (4 * curve)  # the last step before the vertex
    first = low + 2 * min(max(steps, 0), (high - low) // 2)
    second = min(first + 2, high)
    return max(-first * (line + curve * first), -second * (line + curve * second))


@kernel(i64(SECOND, i64, OPEN, PROOF))
def alpha(second: Second, k: int, open_: Open, proof: Proof) -> int:
    """The largest excess of what a unit wins over b z + eta z^2, for the z that can be."""
    line, curve = proof.lines[k], proof.curves[k]
    lost = most_below(line, curve, open_.low[k], open_.wins[k] - 2)
    won = most_below(line, curve, open_.wins[k], open_.high[k])
    return max(lost, second.scaled[open_.unit[k]] + won)


@kernel(flag(SECOND, i64, i64, f64, GUIDE, PROOF))
def quantize(second: Second, free: int, units: int, top: float, guide: Guide, proof: Proof) -> bool:
    """The parameters as integers; whether they are in range."""
    scale = second.unit * 2.0**second.shift
    limit = (1 << TERM_BITS) // free
    lines, curves = 0, 0
    for k in range(units):
        proof.lines[k] = whole(np.float64(guide.lines[k]) * scale, limit)
        proof.curves[k] = max(0, whole(np.float64(guide.curves[k]) * scale, limit // free))
        lines += abs(proof.lines[k])
        curves += proof.curves[k]
    one = 1 << MIDDLE_BITS
    for a in range(free):
        proof.middle[a] = min(max(whole(np.float64(guide.middle[a]) * one, one * one), -one), one)
        proof.top[a] = max(1, whole((top + np.float64(guide.lift[a])) * scale + 0.5, limit))
    return lines <= limit and curves <= limit // free


@kernel(nothing(i64, i64, OPEN, PROOF))
def fill_gram(free: int, units: int, open_: Open, proof: Proof) -> None:
    """B, its lower triangle."""
    weighted = proof.level
    for a in range(free):
        pulls, row = open_.pulls[a], proof.gram[a]
        for k in range(units):
            weighted[k] = proof.curves[k] * pulls[k]
        for b in range(a + 1):
            other = open_.pulls[b]
            total = 0
            for k in range(units):
                total += weighted[k] * other[k]
            row[b] = total


@kernel(flag(SECOND, i64, i64, f64, GUIDE, OPEN, PROOF))
def make_exact(
    second: Second,
    free: int,
    units: int,
    top: float,
    guide: Guide,
    open_: Open,
    proof: Proof,
) -> bool:
    """The parameters as integers with t that exceeds B; whether that was done."""
    if not quantize(second, free, units, top, guide, proof):
        return False
    fill_gram(free, units, open_, proof)
    limit = (1 << TERM_BITS) // free
    for factor in EXCESS:
        quantize(second, free, units, top * factor, guide, proof)
        if exceed(free, proof.gram, proof.top, proof.factor, proof.rounded, proof.surplus):
            return bool(np.max(proof.top[:free]) <= limit)
    return False


@kernel(i64(SECOND, i64, i64, OPEN, FLIPS, PROOF))
def linearize(
    second: Second, free: int, units: int, open_: Open, flips: Flips, proof: Proof
) -> int:
    """The linear bound with all rows at home, times 2^(shift + 2 MIDDLE_BITS); notes what each
    flip gains."""
    one = 1 << MIDDLE_BITS
    level, slope, middle = proof.level, proof.slope, proof.middle
    level[:units] = 0
    for a in range(free):
        pulls = open_.pulls[a]
        for k in range(units):
            level[k] += middle[a] * pulls[k]
    value = 0
    for k in range(units):
        value += one * one * alpha(second, k, open_, proof)
        value -= proof.curves[k] * level[k] * level[k]
        level[k] = one * one * proof.lines[k] + 2 * one * proof.curves[k] * level[k]
    for a in range(free):
        pulls = open_.pulls[a]
        total = -2 * one * proof.top[a] * middle[a]
        for k in range(units):
            total += level[k] * pulls[k]
        slope[a] = total
        value += proof.top[a] * (one * one + middle[a] * middle[a]) + flips.home[a] * total
        proof.gain[a] = -2 * flips.home[a] * total
    return value


@kernel(i64(i64, FLIPS, PROOF, GUIDE))
def find_price(free: int, flips: Flips, proof: Proof, guide: Guide) -> int:
    """A price of the budget's unit, guided by floats."""
    scale = 2.0**-30
    for a in range(free):
        guide.gain[a] = np.float32(proof.gain[a] * scale)
    fill(free, guide, np.float64(flips.budget[0]))
    most = (1 << PRICE_BITS) // (flips.budget[0] + 1)
    return max(0, whole(min(guide.price[0] / scale, np.float64(most)), most))


@kernel(i64(i64, i64, FLIPS, PROOF))
def pay(free: int, price: int, flips: Flips, proof: Proof) -> int:
    """The most that flips gain within the budget, at a price; notes what each gains beyond it."""
    value = price * flips.budget[0]
    for a in range(free):
        proof.gain[a] -= price * flips.cost[a]
        value += max(proof.gain[a], 0)
    return value


@kernel(types.Tuple((flag, i64))(SECOND, i64, i64, f64, GUIDE, OPEN, FLIPS, PROOF))
def prove(
    second: Second,
    free: int,
    units: int,
    top: float,
    guide: Guide,
    open_: Open,
    flips: Flips,
    proof: Proof,
) -> tuple[bool, int]:
    """The bound in integers, times 2^(shift + 2 MIDDLE_BITS), if there is one; ``proof.gain`` is
    what each flip takes from it or, if positive, what each row at home does."""
    if not make_exact(second, free, units, top, guide, open_, proof):
        return False, 0
    value = linearize(second, free, units, open_, flips, proof)
    return True, value + pay(free, find_price(free, flips, proof, guide), flips, proof)


@kernel(i64(SECOND, i64))
def scaled_above(second: Second, missing: int) -> int:
    """A bound below this proves that units win no more than ``missing``, which is 0 or more and
    less than all prizes."""
    shift = second.shift
    above = (missing + 1) << shift if shift >= 0 else (missing + 1) >> -shift
    return above << (2 * MIDDLE_BITS)


@kernel(i64(SECOND, i64, i64))
def value_of(second: Second, bound: int, prizes: int) -> int:
    """What units win at most by a bound, and no more than all prizes."""
    value, shift = bound >> (2 * MIDDLE_BITS), second.shift
    if shift >= 0:
        return min(value >> shift, prizes)
    return min((value + 1) << -shift, prizes) if value < prizes >> -shift else prizes


@kernel(i64(i64, INTS, i64, i64, FLIPS, PROOF, WORDS, WORDS))
def fix_by_gain(
    free: int,
    rows: Int64Array,
    bound: int,
    above: int,
    flips: Flips,
    proof: Proof,
    firing: Words,
    still: Words,
) -> int:
    """Decides the rows whose other side the bound rules out; counts them."""
    fixed = 0
    for a in range(free):
        gain = proof.gain[a]
        if bound - abs(gain) >= above:
            continue
        fires = (flips.home[a] > 0) != (gain > 0)
        put(firing if fires else still, rows[a])
        fixed += 1
    return fixed


# What a node leaves to its children


@kernel(nothing(TRAIL, i64, i64, i64, INTS, OPEN, GUIDE))
def save(
    trail: Trail, depth: int, free: int, units: int, rows: Int64Array, open_: Open, guide: Guide
) -> None:
    """Notes the parameters by the numbers of units and rows."""
    trail.warm[depth] = 1
    trail.lines[depth, :] = 0
    trail.curves[depth, :] = 0
    for k in range(units):
        trail.lines[depth, open_.unit[k]] = guide.lines[k]
        trail.curves[depth, open_.unit[k]] = guide.curves[k]
    for a in range(free):
        trail.axis[depth, rows[a]] = guide.axis[a]
        trail.middle[depth, rows[a]] = guide.middle[a]
        trail.lift[depth, rows[a]] = guide.lift[a]


@kernel(nothing(TRAIL, i64, i64, i64, INTS, OPEN, GUIDE))
def load(
    trail: Trail, depth: int, free: int, units: int, rows: Int64Array, open_: Open, guide: Guide
) -> None:
    """Takes them up again."""
    for k in range(units):
        guide.lines[k] = trail.lines[depth, open_.unit[k]]
        guide.curves[k] = trail.curves[depth, open_.unit[k]]
    for a in range(free):
        guide.axis[a] = trail.axis[depth, rows[a]]
        guide.middle[a] = trail.middle[depth, rows[a]]
        guide.lift[a] = trail.lift[depth, rows[a]]


# The search for a bound


@kernel(nothing(i64, i64, OPEN, GUIDE))
def weigh(free: int, units: int, open_: Open, guide: Guide) -> None:
    """How much hangs on each free row: a unit's prize, halved for each two of its slack."""
    for k in range(units):
        left = (open_.fan[open_.unit[k]] - open_.wins[k]) // 2
        guide.weights[k] = guide.prizes[k] * np.float32(2.0 ** (-0.5 * left))
    for a in range(free):
        by_firing, by_still = np.float32(0), np.float32(0)
        for k in range(units):
            pull = guide.weights[k] * guide.pulls[a, k]
            by_firing += max(-pull, np.float32(0))
            by_still += max(pull, np.float32(0))
        guide.importance[a] = 3 * min(by_firing, by_still) + max(by_firing, by_still)


@kernel(nothing(i64, FLIPS, GUIDE))
def note_preferences(free: int, flips: Flips, guide: Guide) -> None:
    """The side that the relaxation wants for each row, and by how much."""
    for a in range(free):
        gain = np.float64(guide.gain[a]) - guide.price[0] * np.float64(flips.cost[a])
        guide.preference[a] = np.float32(-gain * flips.home[a])


@kernel(types.Tuple((flag, f64, f64))(i64, i64, i64, i64, BOUNDS))
def lower_bound(
    free: int, units: int, missing: int, rounds: int, bounds: Bounds
) -> tuple[bool, float, float]:
    """Lowers the bound step by step.

    Args:
        missing: what the units have to exceed.

    Returns:
        Whether it is proven that they do not; and the best bound, with its eigenvalue.
    """
    guide, budget = bounds.guide, np.float64(bounds.flips.budget[0])
    second = bounds.second
    cut = np.float64(missing + 1) / second.unit
    best, best_top, shorter, stuck = 1e300, 0.0, 1.0, 0
    top = find_top(free, units, guide, 20 if rounds == FIRST_ROUNDS else 6)
    for taken in range(rounds):
        value = relax(free, units, guide, top, budget)
        stuck = 0 if value < best - PROGRESS else stuck + 1
        if stuck >= PATIENCE:
            shorter *= SHORTER
            stuck = 0
        if value < best:
            best, best_top = value, top
            keep(free, units, guide)
            if value <= cut - SAFE:
                better = find_top(free, units, guide, 6)
                value += spread_of_choice(free, guide) * (better - top)
                top = better
                if value <= cut - SAFE / 4:
                    known, bound = prove(
                        second, free, units, top, guide, bounds.open, bounds.flips, bounds.proof
                    )
                    if known and bound < scaled_above(second, missing):
                        return True, best, best_top
                value = relax(free, units, guide, top, budget)
        if taken == rounds - 1:
            break
        length = find_slopes(free, units, guide)
        if length < 1e-9 or value <= cut - AIM:
            break
        step = (value - (cut - AIM)) / length * shorter
        move(free, units, guide, np.float32(step))
        top = find_top(free, units, guide, 2)
    restore(free, units, guide)
    return False, best, best_top


@kernel(types.UniTuple(i64, 2)(LATER, BOUNDS, i64, i64, WORDS, WORDS, i64, INTS, SCRATCH))
def bound_node(
    later: Later,
    bounds: Bounds,
    line: int,
    depth: int,
    firing: Words,
    still: Words,
    free: int,
    rows: Int64Array,
    scratch: Scratch,
) -> tuple[int, int]:
    """Bounds what the free rows can reach, and decides those that the bound decides.

    Args:
        line: what is not above it is of no interest.
        free, rows: the free rows, for which ``bounds.flips`` hold.

    Returns:
        EMPTY, FIXED, SETTLED, OPEN_STILL or UNKNOWN; and what no input exceeds, as far as it is
        above the line.
    """
    second, open_, guide, flips = bounds.second, bounds.open, bounds.guide, bounds.flips
    units, value, prizes = list_open(
        later, second, firing, still, free, rows, flips, open_, scratch
    )
    missing = line - value
    if missing >= prizes:
        return EMPTY, value + prizes
    if units == 0:
        return SETTLED, value
    gather(second, free, units, rows, flips, open_, guide)
    weigh(free, units, open_, guide)
    guide.preference[:free] = 0
    if missing < 0:
        return UNKNOWN, value + prizes
    budget = np.float64(flips.budget[0])
    cut = np.float64(missing + 1) / second.unit
    rounds = ROUNDS
    if bounds.trail.warm[depth]:
        load(bounds.trail, depth, free, units, rows, open_, guide)
        start_axis(free, guide)
    else:
        rounds = FIRST_ROUNDS
        guide.axis[:free] = 0
        start_axis(free, guide)
        start_curves(free, units, guide, budget)
    closed, best, top = lower_bound(free, units, missing, rounds, bounds)
    if closed:
        return EMPTY, line
    save(bounds.trail, depth, free, units, rows, open_, guide)
    relax(free, units, guide, top, budget)
    note_preferences(free, flips, guide)
    if best > cut + NEARBY:
        return OPEN_STILL, value + prizes
    top = find_top(free, units, guide, 8)
    known, bound = prove(second, free, units, top, guide, open_, flips, bounds.proof)
    if not known:
        return OPEN_STILL, value + prizes
    above = scaled_above(second, missing)
    if bound < above:
        return EMPTY, line
    most = value + value_of(second, bound, prizes)
    fixed = fix_by_gain(free, rows, bound, above, flips, bounds.proof, firing, still)
    return FIXED if fixed > 0 else OPEN_STILL, most


@kernel(types.UniTuple(i64, 2)(ROWS, FLOATS, i64, INTS, GUIDE))
def choose_by_bound(
    rows: Rows, point: Float32Array, free: int, free_rows: Int64Array, guide: Guide
) -> tuple[int, int]:
    """The row to branch on, and its first side: one on which much hangs, far from the point, and
    that the relaxation wants on the other side."""
    best, best_row, best_side = -1.0, 0, 0
    for a in range(free):
        far = np.float64(distance(rows, free_rows[a], point))
        wanted = np.float64(guide.preference[a])
        loss = max(0.0, -wanted if far >= 0 else wanted)
        score = (NEAR + abs(far)) * np.float64(guide.importance[a])
        score *= 0.5 + min(MOST_LOSS, LOSS_WEIGHT * loss)
        if score > best:
            best, best_row = score, free_rows[a]
            best_side = 1 if wanted > 0 or (wanted == 0 and far >= 0) else 0
    return best_row, best_side
