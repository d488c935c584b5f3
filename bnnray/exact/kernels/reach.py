"""The ellipsoid at a node of the tree, and what a node leaves to its children."""

from __future__ import annotations

from bnnray.exact.kernels.arrays import (
    ACTIVE,
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
from bnnray.exact.kernels.quadratic import EMPTY, FIXED, OPEN_STILL
from bnnray.exact.problem import Words


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


@kernel(nothing(BOUNDS, i64))
def inherit(bounds: Bounds, depth: int) -> None:
    """Leaves what a node found to a child, one deeper."""
    if not (bounds.by_ellipsoid or bounds.by_quadratic):
        return
    trail = bounds.trail
    for i in range(trail.times.shape[1]):
        trail.times[depth + 1, i] = trail.times[depth, i]
        trail.sums[depth + 1, i] = trail.sums[depth, i]
        trail.axis[depth + 1, i] = trail.axis[depth, i]
        trail.middle[depth + 1, i] = trail.middle[depth, i]
        trail.lift[depth + 1, i] = trail.lift[depth, i]
    for k in range(trail.lines.shape[1]):
        trail.lines[depth + 1, k] = trail.lines[depth, k]
        trail.curves[depth + 1, k] = trail.curves[depth, k]
    trail.warm[depth + 1] = trail.warm[depth]
