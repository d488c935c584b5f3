"""What a partial pattern of first-layer signs leaves possible: interval arithmetic on bits."""

from __future__ import annotations

import numpy as np
from numba import types

from bnnray.exact.kernels.arrays import (
    INTS,
    LATER,
    SCRATCH,
    WORDS,
    Scratch,
    i64,
    nothing,
)
from bnnray.exact.kernels.bits import has, popcount
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.problem import Int64Array, Later, Words


@kernel(nothing(i64, i64, WORDS, WORDS, WORDS, WORDS, INTS, INTS))
def count_pulls(
    units: int,
    words: int,
    positive: Words,
    negative: Words,
    firing: Words,
    still: Words,
    agree: Int64Array,
    against: Int64Array,
) -> None:
    """How many decided inputs pull each unit of a layer up (``agree``) and down (``against``)."""
    agree[:units] = 0
    against[:units] = 0
    for w in range(words):
        plus, minus = positive[w * units : (w + 1) * units], negative[w * units : (w + 1) * units]
        on, off = firing[w], still[w]
        for j in range(units):
            agree[j] += popcount((plus[j] & on) | (minus[j] & off))
            against[j] += popcount((plus[j] & off) | (minus[j] & on))


@kernel(nothing(i64, INTS, INTS, INTS, INTS, WORDS, WORDS))
def decide(
    units: int,
    agree: Int64Array,
    against: Int64Array,
    need: Int64Array,
    slack: Int64Array,
    firing: Words,
    still: Words,
) -> None:
    """Which units of a layer fire for certain, and which never do."""
    for w in range((units + 63) // 64):
        on = np.uint64(0)
        off = np.uint64(0)
        for b in range(min(64, units - 64 * w)):
            j = 64 * w + b
            bit = np.uint64(1) << np.uint64(b)
            if agree[j] >= need[j]:
                on |= bit
            elif against[j] > slack[j]:
                off |= bit
        firing[w] = on
        still[w] = off


@kernel(types.UniTuple(i64, 2)(LATER, WORDS, WORDS, SCRATCH))
def propagate(later: Later, firing: Words, still: Words, scratch: Scratch) -> tuple[int, int]:
    """The largest value that a pattern leaves possible, and how many units keep it open.

    Args:
        firing, still: the rows that are decided.

    Returns:
        The bound; and the number of undecided units of the last layer that have a gain: if 0, the
        bound is the value.
    """
    on, off = scratch.firing, scratch.still
    next_on, next_off = scratch.next_firing, scratch.next_still
    for w in range(firing.size):
        on[w] = firing[w]
        off[w] = still[w]
    for layer in range(later.units.size):
        units, words = later.units[layer], later.words[layer]
        masks, at = later.masks_at[layer], later.units_at[layer]
        count_pulls(
            units,
            words,
            later.positive[masks : masks + units * words],
            later.negative[masks : masks + units * words],
            on,
            off,
            scratch.agree,
            scratch.against,
        )
        decide(
            units,
            scratch.agree,
            scratch.against,
            later.need[at : at + units],
            later.slack[at : at + units],
            next_on,
            next_off,
        )
        for w in range((units + 63) // 64):
            on[w] = next_on[w]
            off[w] = next_off[w]
    upper, open_ = 0, 0
    for j in range(later.gains.size):
        gain = later.gains[j]
        if gain == 0 or has(off, j):
            continue
        if has(on, j):
            upper += gain
        else:
            open_ += 1
            upper += max(gain, 0)
    return upper, open_
