"""What all completions of a pattern are worth, when few of its rows are free.

Intervals through several layers say little until nearly every row is decided; to try all signs of
the last few is then cheaper than to branch on them, as no input has to be found for each.
"""

from __future__ import annotations

import numpy as np

from bnnray.exact.kernels.arrays import (
    INTS,
    LATER,
    SCRATCH,
    STATE,
    WORDS,
    Scratch,
    State,
    flag,
    i64,
    nothing,
)
from bnnray.exact.kernels.bits import has, lowest, popcount
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.problem import Int64Array, Later, Words


@kernel(nothing(i64, i64, WORDS, WORDS, INTS, WORDS, INTS, WORDS))
def fire(
    units: int,
    words: int,
    positive: Words,
    negative: Words,
    need: Int64Array,
    inputs: Words,
    agree: Int64Array,
    outputs: Words,
) -> None:
    """Which units of a layer fire, all of its inputs being decided: a bit each."""
    agree[:units] = 0
    for w in range(words):
        plus, minus = positive[w * units : (w + 1) * units], negative[w * units : (w + 1) * units]
        on = inputs[w]
        for j in range(units):
            agree[j] += popcount((on ^ minus[j]) & (plus[j] | minus[j]))
    for w in range((units + 63) // 64):
        here = min(64, units - 64 * w)
        pulls, least = agree[64 * w : 64 * w + here], need[64 * w : 64 * w + here]
        bits = np.uint64(0)
        for b in range(here):
            bits |= np.uint64(pulls[b] >= least[b]) << np.uint64(b)
        outputs[w] = bits


@kernel(i64(LATER, WORDS, SCRATCH))
def value_of(later: Later, firing: Words, scratch: Scratch) -> int:
    """The value of a pattern of all rows."""
    inputs, outputs = scratch.firing, scratch.next_firing
    for w in range(firing.size):
        inputs[w] = firing[w]
    for layer in range(later.units.size):
        units, words = later.units[layer], later.words[layer]
        masks, at = later.masks_at[layer], later.units_at[layer]
        fire(
            units,
            words,
            later.positive[masks : masks + units * words],
            later.negative[masks : masks + units * words],
            later.need[at : at + units],
            inputs,
            scratch.agree,
            outputs,
        )
        inputs, outputs = outputs, inputs
    value = 0
    for j in range(later.gains.size):
        value += later.gains[j] if has(inputs, j) else 0
    return value


@kernel(flag(LATER, WORDS, i64, INTS, SCRATCH, STATE))
def none_exceeds(
    later: Later,
    firing: Words,
    free: int,
    free_rows: Int64Array,
    scratch: Scratch,
    state: State,
) -> bool:
    """Whether no signs of the free rows give a value above the line.

    Args:
        firing: the decided rows that fire.
        free, free_rows: the rows that are not decided, at most 62.
    """
    pattern = scratch.point_firing
    pattern[:] = firing
    count = 1 << free
    for number in range(1, count + 1):
        state.work += later.positive.size
        if value_of(later, pattern, scratch) > state.line:
            return False
        row = free_rows[min(lowest(np.uint64(number)), free - 1)]  # one sign changes at a time
        pattern[row >> 6] ^= np.uint64(1) << np.uint64(row & 63)
    return True
