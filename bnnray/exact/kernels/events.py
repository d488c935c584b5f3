"""The events of a search, from which a proof is written; nothing is noted unless it is asked for.

Each event is its name followed by its numbers, in the order in which the tree is walked:

- BRANCH row, side: the children follow, that on this side first.
- BOUND: the node is closed, as its bound does not exceed the line.
- EACH count, then so many rows: the node is closed, as no signs of these rows exceed the line.
- CERTIFICATE count, then so many times row, side, multiplier: the node is closed; the sides are a
  clause from now on, numbered from 1.
- CLAUSE number: the node is closed, as it has all sides of a clause.
- FORCED number, row: the node has all other sides of a clause, so the row is on the other side.

Of a leaf of the grid, noted by its own search:

- PARITIES row, then twice count and so many times row, side, multiplier: certificates of the leaf's
  points at which the row's sum is even, and of the others, see :mod:`bnnray.exact.parity`; the leaf
  is closed, and their sides together are a clause, numbered as those of a CERTIFICATE.
- PARITY row: the points with an even sum follow, then those with an odd one.
- PIXEL pixel, y: the parts follow, that with at most y steps first, then that with more.
- PART count, then so many times row, side, multiplier: the part is closed by this certificate.
- TIGHTEN count, then so many times row, side, multiplier: the part goes on with the smaller box
  that :func:`bnnray.exact.kernels.certificates.tighten` makes of it by these multipliers.
- POINT: the part is a single point, and not on all sides.
"""

from __future__ import annotations

from bnnray.exact.kernels.arrays import (
    ACTIVE,
    SCRATCH,
    STATE,
    Active,
    Scratch,
    State,
    i64,
    nothing,
)
from bnnray.exact.kernels.compile import kernel

BRANCH, BOUND, CERTIFICATE, CLAUSE, FORCED = 1, 2, 3, 4, 5
PARITIES, PARITY, PIXEL, PART, POINT, TIGHTEN = 6, 7, 8, 9, 10, 11
EACH = 12


@kernel(nothing(SCRATCH, STATE, i64))
def note(scratch: Scratch, state: State, number: int) -> None:
    """Notes a number of an event."""
    if state.noting == 1:
        scratch.events[state.noted] = number
        state.noted += 1


@kernel(nothing(ACTIVE, SCRATCH, STATE))
def note_certificate(active: Active, scratch: Scratch, state: State) -> None:
    """Notes the certificate that was found last."""
    note(scratch, state, CERTIFICATE)
    note(scratch, state, state.support)
    for q in range(state.support):
        k = scratch.support[q]
        note(scratch, state, active.row[k])
        note(scratch, state, active.side[k])
        note(scratch, state, scratch.multiplier[q])
