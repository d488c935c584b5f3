"""The search tree: depth first, over the sides of the rows.

A node is a set of decided rows. It carries a point; the child that agrees with the point costs
nothing, only the other one needs a projection.
"""

from __future__ import annotations

from numba import types

from bnnray.exact.kernels.arrays import (
    ACTIVE,
    CLAUSES,
    EVENT_ROOM,
    LATER,
    ROWS,
    SCRATCH,
    STACK,
    STATE,
    WORDS,
    Active,
    Clauses,
    Scratch,
    Stack,
    State,
    f32,
    i64,
    nothing,
)
from bnnray.exact.kernels.bits import has, put
from bnnray.exact.kernels.bounds import BOUNDS, GUIDE, Bounds, Guide
from bnnray.exact.kernels.branching import choose
from bnnray.exact.kernels.clauses import imply, learn
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.kernels.completions import none_exceeds
from bnnray.exact.kernels.events import BOUND, BRANCH, EACH, note, note_certificate
from bnnray.exact.kernels.projection import INFEASIBLE, approach, inside
from bnnray.exact.kernels.propagation import propagate
from bnnray.exact.kernels.quadratic import (
    EMPTY,
    FIRST_ROUNDS,
    FIXED,
    ROUNDS,
    SETTLED,
    bound_node,
    choose_by_bound,
)
from bnnray.exact.kernels.reach import bound_reach, inherit, price
from bnnray.exact.kernels.rounding import evaluate, nearest
from bnnray.exact.problem import Later, Rows, Words

DONE, PAUSED, FOUND, LEAF = 0, 1, 2, 3
"""Why :func:`advance` returns: nothing is left; the work is done; a point above the line was
found; a node is left that branching cannot decide."""

CLOSED, BRANCHED, IS_LEAF = 0, 1, 2

PASSES = 6
"""Of deduction and bounds at a node, as long as they decide rows."""

STEPS = 200
"""Of a projection at a node."""

ACCEPTED = 0.2
"""Share of the margin by which an inherited point has to be inside."""


@kernel(i64(ROWS, WORDS, WORDS, ACTIVE, SCRATCH))
def split(rows: Rows, firing: Words, still: Words, active: Active, scratch: Scratch) -> int:
    """Lists the decided rows in ``active`` and the others in ``scratch.free``; counts these."""
    decided, free = 0, 0
    for row in range(rows.weights.shape[0]):
        on = has(firing, row)
        if on or has(still, row):
            active.row[decided] = row
            active.side[decided] = 1 if on else 0
            decided += 1
        else:
            scratch.free[free] = row
            free += 1
    active.decided[0] = decided
    return free


@kernel(types.UniTuple(i64, 2)(ROWS, LATER, STACK, CLAUSES, ACTIVE, SCRATCH, STATE))
def deduce(
    rows: Rows,
    later: Later,
    stack: Stack,
    clauses: Clauses,
    active: Active,
    scratch: Scratch,
    state: State,
) -> tuple[int, int]:
    """What clauses, intervals and, where few rows are free, their completions say of the current
    node, with its rows listed by :func:`split`.

    Returns:
        How many rows are free, -1 if the node is closed; and how many units keep it open.
    """
    d = state.depth
    firing, still = stack.firing[d], stack.still[d]
    if imply(clauses, firing, still, scratch, state):
        return -1, 0
    upper, open_ = propagate(later, firing, still, scratch)
    state.work += later.positive.size + state.clauses
    stack.upper[d] = min(upper, stack.upper[d])
    if upper <= state.line:
        note(scratch, state, BOUND)
        return -1, 0
    free = split(rows, firing, still, active, scratch)
    few = open_ > 0 and 0 < free <= state.most_completed
    if few and none_exceeds(later, firing, free, scratch.free, scratch, state):
        note(scratch, state, EACH)
        note(scratch, state, free)
        for f in range(free):
            note(scratch, state, scratch.free[f])
        return -1, 0
    return free, open_


@kernel(types.UniTuple(i64, 3)(ROWS, LATER, STACK, CLAUSES, ACTIVE, BOUNDS, SCRATCH, STATE))
def prune(
    rows: Rows,
    later: Later,
    stack: Stack,
    clauses: Clauses,
    active: Active,
    bounds: Bounds,
    scratch: Scratch,
    state: State,
) -> tuple[int, int, int]:
    """All that is known of the current node without an input: deduced and bounded by turns.

    Returns:
        How many rows are free, -1 if the node is closed; how many units keep it open; and whether
        the bounds say which free row matters.
    """
    d = state.depth
    firing, still = stack.firing[d], stack.still[d]
    free, open_ = deduce(rows, later, stack, clauses, active, scratch, state)
    for _ in range(PASSES):
        if free <= 0 or open_ == 0:
            break
        if bounds.by_ellipsoid:
            ended = bound_reach(bounds, d, active, free, scratch, state, firing, still)
            if ended == EMPTY:
                return -1, 0, 0
            if ended == FIXED:
                free, open_ = deduce(rows, later, stack, clauses, active, scratch, state)
                if free <= 0 or open_ == 0:
                    break
        if not bounds.by_quadratic:
            break
        price(bounds, d, active, free, scratch)
        rounds = ROUNDS if bounds.trail.warm[d] else 2 * FIRST_ROUNDS
        state.work += rounds * free * later.units[0]
        ended, upper = bound_node(
            later, bounds, state.line, d, firing, still, free, scratch.free, scratch
        )
        stack.upper[d] = min(upper, stack.upper[d])
        if ended == EMPTY:
            return -1, 0, 0
        if ended == SETTLED:
            return free, 0, 0
        if ended != FIXED:
            return free, open_, 1
        free, open_ = deduce(rows, later, stack, clauses, active, scratch, state)
    return free, open_, 0


@kernel(i64(ROWS, LATER, STACK, CLAUSES, ACTIVE, GUIDE, SCRATCH, STATE, i64, i64, i64))
def visit(
    rows: Rows,
    later: Later,
    stack: Stack,
    clauses: Clauses,
    active: Active,
    guide: Guide,
    scratch: Scratch,
    state: State,
    free: int,
    open_: int,
    weighed: int,
) -> int:
    """Closes the current node, or chooses the row to branch on, or calls it a leaf.

    Args:
        free, open_, weighed: as :func:`prune` left them.
    """
    d = state.depth
    firing, still, point = stack.firing[d], stack.still[d], stack.point[d]
    state.work += active.decided[0] * point.size
    if not inside(rows, active, point, f32(ACCEPTED * rows.margin)):
        ended = approach(
            rows,
            active,
            scratch.low,
            rows.reach,
            scratch.lower,
            rows.cap,
            point,
            f32(rows.margin),
            STEPS,
            scratch,
            state,
        )
        if ended == INFEASIBLE:
            learn(clauses, state, active, scratch.support, state.support)
            note_certificate(active, scratch, state)
            return CLOSED
        nearest(rows, point, scratch.lattice)
        evaluate(rows, later, scratch.lattice, scratch, state)
    if open_ == 0 or free == 0:
        return IS_LEAF
    if weighed:
        row, side = choose_by_bound(rows, point, free, scratch.free, guide)
    else:
        row, side = choose(rows, later, firing, still, point, free, scratch, state)
    stack.row[d] = row
    stack.side[d] = side
    note(scratch, state, BRANCH)
    note(scratch, state, row)
    note(scratch, state, side)
    return BRANCHED


@kernel(nothing(STACK, BOUNDS, STATE))
def descend(stack: Stack, bounds: Bounds, state: State) -> None:
    """Goes to the next child of the current node, or back up if it has no more."""
    d = state.depth
    if stack.children[d] == 2:
        state.depth = d - 1
        return
    side = stack.side[d] if stack.children[d] == 0 else 1 - stack.side[d]
    stack.children[d] += 1
    stack.firing[d + 1] = stack.firing[d]
    stack.still[d + 1] = stack.still[d]
    stack.point[d + 1] = stack.point[d]
    stack.upper[d + 1] = stack.upper[d]
    inherit(bounds, d)
    put(stack.firing[d + 1] if side == 1 else stack.still[d + 1], stack.row[d])
    state.depth = d + 1
    state.entering = 1


@kernel(i64(ROWS, LATER, STACK, CLAUSES, ACTIVE, BOUNDS, SCRATCH, STATE, i64, i64))
def advance(
    rows: Rows,
    later: Later,
    stack: Stack,
    clauses: Clauses,
    active: Active,
    bounds: Bounds,
    scratch: Scratch,
    state: State,
    work: int,
    nodes: int,
) -> int:
    """Searches on from where it stood.

    Args:
        work, nodes: how much at most; the node that passes it is finished.

    Returns:
        DONE, PAUSED, FOUND or LEAF. After LEAF the caller settles the node, and closes it by
        lowering ``state.depth``.
    """
    last_work, last_node = state.work + work, state.nodes + nodes
    while state.depth >= 0:
        if state.entering == 0:
            descend(stack, bounds, state)
            continue
        state.entering = 0
        state.nodes += 1
        stack.children[state.depth] = 0  # also of a leaf: it is open until it is settled
        free, open_, weighed = prune(rows, later, stack, clauses, active, bounds, scratch, state)
        ended = CLOSED
        if free >= 0:
            ended = visit(
                rows,
                later,
                stack,
                clauses,
                active,
                bounds.guide,
                scratch,
                state,
                free,
                open_,
                weighed,
            )
        if ended == CLOSED:
            state.depth -= 1
        elif ended == IS_LEAF:
            return LEAF
        if state.found == 1:
            return FOUND
        if state.work >= last_work or state.nodes >= last_node or state.noted >= EVENT_ROOM:
            return PAUSED
    return DONE
