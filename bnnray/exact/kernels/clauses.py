"""Sets of sides that no input is on together: learned from certificates, used at every node."""

from __future__ import annotations

import numpy as np

from bnnray.exact.kernels.arrays import (
    ACTIVE,
    CLAUSES,
    INTS,
    SCRATCH,
    STATE,
    WORDS,
    Active,
    Clauses,
    Scratch,
    State,
    flag,
    i64,
    nothing,
)
from bnnray.exact.kernels.bits import lowest, popcount, put
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.kernels.events import CLAUSE, FORCED, note
from bnnray.exact.problem import Int64Array, Words


@kernel(flag(CLAUSES, WORDS, WORDS, SCRATCH, STATE))
def imply(clauses: Clauses, firing: Words, still: Words, scratch: Scratch, state: State) -> bool:
    """Decides the rows that the clauses force, in place.

    Returns:
        Whether some clause has all its sides: then no input is left.
    """
    words = firing.size
    again = True
    while again:
        again = False
        for c in range(state.clauses):
            missing = 0
            for w in range(words):
                on, off = clauses.firing[c, w], clauses.still[c, w]
                if (on & still[w]) | (off & firing[w]):
                    missing = 2  # an input on the other side of a row: nothing follows
                    break
                missing += popcount(on & ~firing[w]) + popcount(off & ~still[w])
                if missing > 1:
                    break
            if missing > 1:
                continue
            clauses.used[c] = state.conflicts
            note(scratch, state, CLAUSE if missing == 0 else FORCED)
            note(scratch, state, clauses.number[c])
            if missing == 0:
                return True
            for w in range(words):
                turned_off = clauses.firing[c, w] & ~firing[w]
                turned_on = clauses.still[c, w] & ~still[w]
                still[w] |= turned_off
                firing[w] |= turned_on
                if turned_off | turned_on:
                    note(scratch, state, 64 * w + lowest(turned_off | turned_on))
            again = True
    return False


@kernel(nothing(CLAUSES, STATE))
def forget(clauses: Clauses, state: State) -> None:
    """Drops the half that was of no use for the longest time."""
    count = state.clauses
    oldest = np.sort(clauses.used[:count])[count // 2]
    kept = 0
    for c in range(count):
        if clauses.used[c] > oldest:
            for w in range(clauses.firing.shape[1]):
                clauses.firing[kept, w] = clauses.firing[c, w]
                clauses.still[kept, w] = clauses.still[c, w]
            clauses.used[kept] = clauses.used[c]
            clauses.number[kept] = clauses.number[c]
            kept += 1
    state.clauses = kept


@kernel(nothing(CLAUSES, STATE, ACTIVE, INTS, i64))
def learn(clauses: Clauses, state: State, active: Active, support: Int64Array, count: int) -> None:
    """Keeps the sides of a certificate's support, its first ``count`` entries of ``active``."""
    if state.clauses == clauses.used.size:
        forget(clauses, state)
    c = state.clauses
    clauses.firing[c, :] = 0
    clauses.still[c, :] = 0
    for q in range(count):
        k = support[q]
        if active.side[k] == 1:
            put(clauses.firing[c], active.row[k])
        else:
            put(clauses.still[c], active.row[k])
    state.conflicts += 1
    clauses.used[c] = state.conflicts
    clauses.number[c] = state.conflicts
    state.clauses += 1
