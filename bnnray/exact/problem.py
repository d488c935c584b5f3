"""What the kernels search: the reduced question in flat arrays.

Only first-layer units that can change sign and that matter are left, as *rows* over the pixels
that can change; only later units that can change sign and that matter are left, as bit masks over
those of the layer before. Everything else is folded into thresholds and constants.

Inputs are points of a lattice: pixel i is (lower_i + y_i) / scale with an integer y_i in
[0, cap_i]. On the grid the lattice is the grid. On the box it is a fine one, and only a guide to
witnesses: what is proven there holds for every real y.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Int8Array = npt.NDArray[np.int8]
Int64Array = npt.NDArray[np.int64]
Float32Array = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint64]
"""Bits, 64 to a word; unit u is bit u % 64 of word u // 64."""

NOT_FIRING, FIRING = 0, 1
"""The two sides of a unit."""

WORD = 64

LARGEST_MULTIPLIER = 4096
"""Of a row in a certificate."""


class Rows(NamedTuple):
    """The first layer. A row is on its side s iff ``(2 s - 1) * weights . y >= rhs[s]``, or ``>``
    where ``strict[s]``; on the box the closed form is implied, and rounded outward.

    Attributes:
        weights: (rows, pixels), -1, 0 or +1.
        floats: the same for the floating-point kernels.
        cap: (pixels,), the largest y.
        rhs: (2, rows), by side.
        strict: (2, rows), 0 or 1.
        fires: (rows,); at a point of the lattice a row fires iff ``weights . y >= fires``.
        unit: one unit of the floating-point kernels, in steps of the lattice.
        reach, aims: cap (pixels,) and rhs (2, rows) in that unit.
        span: (rows,), half of the range of ``weights . y`` over the box, in that unit.
        step: length of a gradient step, 1 / the largest eigenvalue of ``floats floats^T``.
        margin: how far inside a side the projection aims, in that unit.
    """

    weights: Int8Array
    floats: Float32Array
    cap: Int64Array
    rhs: Int64Array
    strict: Int64Array
    fires: Int64Array
    unit: float
    reach: Float32Array
    aims: Float32Array
    span: Float32Array
    step: float
    margin: float


class Later(NamedTuple):
    """The layers after the first, and the objective, all in integers.

    With ``agree`` and ``against`` the numbers of decided inputs that pull a unit up and down, it
    fires for certain iff ``agree >= need`` and never iff ``against > slack``.

    Attributes:
        units, words: (layers,), units of each layer and words of the bits of its inputs.
        masks_at, units_at: (layers,), where a layer's masks and units begin.
        positive, negative: bits of the inputs with weight +1 and -1; word by word, each of them
            for all units of the layer.
        need, slack: by unit.
        gains: int64 (units of the last layer or rows,), what each firing adds to the value.
    """

    units: Int64Array
    words: Int64Array
    masks_at: Int64Array
    units_at: Int64Array
    positive: Words
    negative: Words
    need: Int64Array
    slack: Int64Array
    gains: Int64Array


def words_of(bits: int) -> int:
    """How many words hold so many bits, one at least."""
    return max(1, -(-bits // WORD))


def pack(flags: npt.NDArray[np.bool_]) -> Words:
    """Flags (..., n) as words (..., words_of(n))."""
    count = flags.shape[-1]
    padded = np.zeros((*flags.shape[:-1], words_of(count) * WORD), dtype=np.uint8)
    padded[..., :count] = flags
    packed = np.packbits(padded, axis=-1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u8").astype(np.uint64)
