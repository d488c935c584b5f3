"""The types of what the kernels share, and the room that they work in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import from_dtype, types

from bnnray.exact.problem import Float32Array, Int64Array, Later, Rows, Words, words_of

i64, f32, f64, u64, flag = types.int64, types.float32, types.float64, types.uint64, types.boolean
nothing = types.void


def array(dtype: types.Type, dimensions: int = 1) -> types.Array:
    """A contiguous array."""
    return types.Array(dtype, dimensions, "C")


def named(parts: tuple[types.Type, ...], class_: type) -> types.Type:
    """A named tuple."""
    return types.BaseTuple.from_types(parts, class_)


INTS, INTS2 = array(i64), array(i64, 2)
FLOATS, FLOATS2 = array(f32), array(f32, 2)
WORDS, WORDS2 = array(u64), array(u64, 2)
BYTES2 = array(types.int8, 2)

ROWS = named(
    (BYTES2, FLOATS2, INTS, INTS2, INTS2, INTS, f64, FLOATS, FLOATS2, FLOATS, f64, f64), Rows
)
LATER = named((INTS, INTS, INTS, INTS, WORDS, WORDS, INTS, INTS, INTS), Later)


class Active(NamedTuple):
    """Rows that have to be on a side: the first ``decided[0]`` entries of each array.

    Attributes:
        decided: (1,), how many.
        row, side: (rows,).
    """

    decided: Int64Array
    row: Int64Array
    side: Int64Array


class Clauses(NamedTuple):
    """Sets of sides that no input is on together.

    Attributes:
        firing, still: (room, words), rows on the firing side, and on the other.
        used: (room,), when each was last of use.
        number: (room,), from 1 on, in the order in which they were learned.
    """

    firing: Words
    still: Words
    used: Int64Array
    number: Int64Array


class Stack(NamedTuple):
    """The path from the root to the current node, by depth.

    Attributes:
        firing, still: (depths, words), the rows that are decided.
        point: float32 (depths, pixels), an input, in the node's cell where one was found.
        upper: (depths,), what no input of the node exceeds.
        row, side: (depths,), what was branched on, and the side of the first child.
        children: (depths,), how many were begun.
    """

    firing: Words
    still: Words
    point: Float32Array
    upper: Int64Array
    row: Int64Array
    side: Int64Array
    children: Int64Array


class Scratch(NamedTuple):
    """Room that kernels work in; what is in it means nothing between calls, but for ``best``.

    Attributes:
        firing, still, next_firing, next_still: (words,), of one layer.
        point_firing, point_still: (words,), of the rows.
        agree, against: (units,), of one layer.
        multiplier, support: (rows,), of a certificate.
        combined: (pixels,), its weights.
        free, slack: (rows,).
        order, even, odd: (pixels,).
        events: (room,), of the proof, the first ``state.noted``.
        lattice: (pixels,), a rounded point.
        best: (pixels,), the best of them that was evaluated.
        lower: (pixels,), zeros: the lower end of the box; low: the same as float32.
        look, before, gradient: float32 (pixels,), of a projection.
        violation: float32 (rows,).
        weight: float32 (units,).
    """

    firing: Words
    still: Words
    next_firing: Words
    next_still: Words
    point_firing: Words
    point_still: Words
    agree: Int64Array
    against: Int64Array
    multiplier: Int64Array
    support: Int64Array
    combined: Int64Array
    free: Int64Array
    slack: Int64Array
    order: Int64Array
    even: Int64Array
    odd: Int64Array
    events: Int64Array
    lattice: Int64Array
    best: Int64Array
    lower: Int64Array
    low: Float32Array
    look: Float32Array
    before: Float32Array
    gradient: Float32Array
    violation: Float32Array
    weight: Float32Array


State = Any
"""One record of :data:`STATE_TYPE`."""

EVENT_ROOM = 2**16
"""Numbers of events after which a search pauses, to have them taken."""

STATE_FIELDS = [
    "depth",
    "entering",
    "line",
    "found",
    "found_value",
    "clauses",
    "nodes",
    "work",
    "conflicts",
    "support",
    "noting",
    "noted",
    "most_completed",
]
STATE_TYPE = np.dtype([(name, np.int64) for name in STATE_FIELDS])
"""Where a search stands.

- depth: of the current node, -1 when the tree is done; entering: 1 when it is still to be visited.
- line: a value; what does not exceed it is of no interest.
- found: 1 when ``Scratch.best`` holds a point whose value, ``found_value``, is above the line.
- clauses: how many there are; conflicts: how many were learned.
- support: of the last certificate; noting: 1 if events are to be noted; noted: numbers of them.
- most_completed: a node with no more free rows is tried with all of their signs.
- nodes: visited; work: about so many multiplications were done.
"""

ACTIVE = named((INTS, INTS, INTS), Active)
CLAUSES = named((WORDS2, WORDS2, INTS, INTS), Clauses)
STACK = named((WORDS2, WORDS2, FLOATS2, INTS, INTS, INTS, INTS), Stack)
SCRATCH = named((*([WORDS] * 6), *([INTS] * 14), *([FLOATS] * 6)), Scratch)
STATE = from_dtype(STATE_TYPE)


def make_active(rows: int) -> Active:
    return Active(_ints(1), _ints(rows), _ints(rows))


def make_clauses(rows: int, room: int) -> Clauses:
    words = words_of(rows)
    return Clauses(_words(room, words), _words(room, words), _ints(room), _ints(room))


def make_stack(rows: int, pixels: int) -> Stack:
    depths, words = rows + 2, words_of(rows)
    return Stack(
        firing=_words(depths, words),
        still=_words(depths, words),
        point=np.zeros((depths, pixels), dtype=np.float32),
        upper=_ints(depths),
        row=_ints(depths),
        side=_ints(depths),
        children=_ints(depths),
    )


def most_events(rows: int) -> int:
    """How many numbers the events of one node are at most."""
    return 6 * rows + 8


def make_scratch(rows: Rows, later: Later) -> Scratch:
    count, pixels = rows.weights.shape
    widest = max([count, *later.units.tolist()])
    words, row_words = words_of(widest), words_of(count)
    return Scratch(
        firing=_words(words),
        still=_words(words),
        next_firing=_words(words),
        next_still=_words(words),
        point_firing=_words(row_words),
        point_still=_words(row_words),
        agree=_ints(widest),
        against=_ints(widest),
        multiplier=_ints(count),
        support=_ints(count),
        combined=_ints(pixels),
        free=_ints(count),
        slack=_ints(count),
        order=_ints(pixels),
        even=_ints(pixels),
        odd=_ints(pixels),
        events=_ints(EVENT_ROOM + most_events(count)),
        lattice=_ints(pixels),
        best=_ints(pixels),
        lower=_ints(pixels),
        low=_floats(pixels),
        look=_floats(pixels),
        before=_floats(pixels),
        gradient=_floats(pixels),
        violation=_floats(count),
        weight=_floats(widest),
    )


def make_state(line: int) -> State:
    """The state before the root."""
    state = np.zeros(1, dtype=STATE_TYPE).view(np.recarray)[0]
    state.entering, state.line = 1, line
    return state


def _ints(*shape: int) -> Int64Array:
    return np.zeros(shape, dtype=np.int64)


def _floats(*shape: int) -> Float32Array:
    return np.zeros(shape, dtype=np.float32)


def _words(*shape: int) -> Words:
    return np.zeros(shape, dtype=np.uint64)
