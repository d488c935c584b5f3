"""The bounds at a node of the tree: by the ellipsoid, and by the quadratic."""

from __future__ import annotations

from numba import types

from bnnray.exact.kernels.arrays import (
    ACTIVE,
    LATER,
    SCRATCH,
    STATE,
    WORDS,
    Active,
    Scratch,
    State,
    i64,
    nothing,
)
from bnnray.exact.kernels.bounds import BOUNDS, Bounds
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.kernels.ellipsoid import ascend, fix_rows, free_flips, left_by, price_flips
from bnnray.exact.kernels.quadratic import (
    EMPTY,
    FIRST_ROUNDS,
    FIXED,
    OPEN_STILL,
    ROUNDS,
    bound_node,
)
from bnnray.exact.problem import Later, Words

PASSES_OF_ROUND = 10
"""About how often a step of the quadratic bound reads all pulls."""


@kernel(i64(BOUNDS, i64, ACTIVE, i64, SCRATCH, STATE, WORDS, WORDS))
def bound_reach(
    bounds: Bounds,
    depth: int,
    active: Active,
    free: int,
    scratch: Scratch,
    state: State,
    firing: Words,
    still: Words,
) -> int:
    """Bounds which free rows can change sides.

    Returns:
        EMPTY if no input is on all active sides, FIXED if rows were decided, or OPEN_STILL.
    """
    ellipsoid = bounds.ellipsoid
    times, sums = bounds.trail.times[depth], bounds.trail.sums[depth]
    ascend(ellipsoid, active, times, sums)
    left = left_by(ellipsoid, active, times, sums)
    state.work += 4 * active.decided[0] * sums.size
    if left < 0:
        return EMPTY
    fixed, lost = fix_rows(ellipsoid, free, scratch.free, left, sums, firing, still)
    state.fixed_by_reach += fixed
    if lost > 0:
        return EMPTY
    return FIXED if fixed > 0 else OPEN_STILL


@kernel(nothing(BOUNDS, i64, ACTIVE, i64, SCRATCH))
def price(bounds: Bounds, depth: int, active: Active, free: int, scratch: Scratch) -> None:
    """What it costs to have the free rows away from home; call after :func:`bound_reach`."""
    if bounds.by_ellipsoid == 0:
        free_flips(free, bounds.flips)
        return
    times, sums = bounds.trail.times[depth], bounds.trail.sums[depth]
    left = left_by(bounds.ellipsoid, active, times, sums)
    price_flips(bounds.ellipsoid, free, scratch.free, left, sums, bounds.flips)


@kernel(types.UniTuple(i64, 2)(LATER, BOUNDS, i64, ACTIVE, i64, SCRATCH, STATE, WORDS, WORDS))
def bound_value(
    later: Later,
    bounds: Bounds,
    depth: int,
    active: Active,
    free: int,
    scratch: Scratch,
    state: State,
    firing: Words,
    still: Words,
) -> tuple[int, int]:
    """Bounds the value by the quadratic, see :func:`bound_node`."""
    price(bounds, depth, active, free, scratch)
    rounds = ROUNDS if bounds.trail.warm[depth] else 2 * FIRST_ROUNDS
    ended, upper, fixed = bound_node(
        later, bounds, state.line, depth, firing, still, free, scratch.free, scratch
    )
    state.fixed_by_value += fixed
    state.work += rounds * PASSES_OF_ROUND * free * later.units[0] // 8
    return ended, upper


@kernel(nothing(BOUNDS, i64))
def inherit(bounds: Bounds, depth: int) -> None:
    """Leaves what a node found to a child, one deeper."""
    trail = bounds.trail
    if bounds.by_ellipsoid:
        trail.times[depth + 1] = trail.times[depth]
        trail.sums[depth + 1] = trail.sums[depth]
    if bounds.by_quadratic:
        trail.warm[depth + 1] = trail.warm[depth]
        trail.lines[depth + 1] = trail.lines[depth]
        trail.curves[depth + 1] = trail.curves[depth]
        trail.axis[depth + 1] = trail.axis[depth]
        trail.middle[depth + 1] = trail.middle[depth]
        trail.lift[depth + 1] = trail.lift[depth]
