"""Bits of words."""

from __future__ import annotations

import numpy as np

from bnnray.exact.kernels.arrays import WORDS, flag, i64, nothing, u64
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.problem import Words

ODD = np.uint64(0x5555555555555555)
PAIRS = np.uint64(0x3333333333333333)
NIBBLES = np.uint64(0x0F0F0F0F0F0F0F0F)
BYTES = np.uint64(0x0101010101010101)
ONE, TWO, FOUR, TOP = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)


@kernel(i64(u64))
def popcount(x: np.uint64) -> int:
    """How many bits are set; the compiler knows this form and puts one instruction for it."""
    x = x - ((x >> ONE) & ODD)
    x = (x & PAIRS) + ((x >> TWO) & PAIRS)
    x = (x + (x >> FOUR)) & NIBBLES
    return int((x * BYTES) >> TOP)


@kernel(i64(u64))
def lowest(x: np.uint64) -> int:
    """Which bit is the lowest that is set, of one at least."""
    return popcount((x & (~x + ONE)) - ONE)


@kernel(flag(WORDS, i64))
def has(words: Words, bit: int) -> bool:
    """Whether a bit is set."""
    return (words[bit >> 6] >> np.uint64(bit & 63)) & ONE != 0


@kernel(nothing(WORDS, i64))
def put(words: Words, bit: int) -> None:
    """Sets a bit."""
    words[bit >> 6] |= ONE << np.uint64(bit & 63)


@kernel(nothing(WORDS, i64))
def clear(words: Words, bit: int) -> None:
    """Clears a bit."""
    words[bit >> 6] &= ~(ONE << np.uint64(bit & 63))
