"""What the two bounds need to know of a question, in integers."""

from __future__ import annotations

import numpy as np

from bnnray.exact.kernels.bounds import (
    Bounds,
    Ellipsoid,
    Second,
    make_flips,
    make_guide,
    make_open,
    make_proof,
    make_trail,
)
from bnnray.exact.kernels.semidefinite import MOST_ROWS, exceed
from bnnray.exact.problem import Int64Array, Later, Rows

MOST_TOTAL = 2**19
"""About the largest sum of caps of an ellipsoid, in steps."""

SUM_BITS, MOST_BITS = 30, 12
"""``2^bits * total`` has no more bits than this, and multipliers no more than that."""

PRIZE_BITS = 33
"""Of the sum of the scaled prizes, but for rounding up."""

MOST_FACTORED = 1200
"""Rows beyond which the spread is the sum of each row: cubic time is too long."""

WIDER = (1.0001, 1.001, 1.01, 1.1)
"""Factors above the largest eigenvalue, tried in turn."""


def make_ellipsoid(rows: Rows) -> Ellipsoid:
    """The ellipsoid of all rows; of none if they are more than the proofs and memory allow."""
    if len(rows.weights) > MOST_ROWS:
        return make_ellipsoid(rows._replace(weights=rows.weights[:0], rhs=rows.rhs[:, :0]))
    step = max(1, -(-int(rows.cap.sum()) // MOST_TOTAL))
    cap = -(-rows.cap // step)
    total = int(cap.sum())
    weights = rows.weights.astype(np.float64)
    gram = np.rint((weights * cap) @ weights.T).astype(np.int64)  # exact: sums below 2^53
    return Ellipsoid(
        gram=gram,
        diagonal=np.maximum(1, np.diagonal(gram)),
        spread=spread_of(gram),
        center=rows.weights.astype(np.int64) @ cap,
        rhs=np.ascontiguousarray(np.clip(rows.rhs // step, -total, total + 1)),
        total=total,
        bits=min(MOST_BITS, SUM_BITS - total.bit_length()),
    )


def spread_of(gram: Int64Array) -> Int64Array:
    """A diagonal that exceeds a positive semidefinite matrix, in proportion to its own."""
    count = len(gram)
    diagonal = np.maximum(1, np.diagonal(gram))
    if 0 < count <= MOST_FACTORED:
        root = np.sqrt(diagonal.astype(np.float64))
        largest = np.linalg.eigvalsh(gram / np.outer(root, root))[-1]
        room = (np.zeros(gram.shape), np.zeros_like(gram), np.zeros_like(diagonal))
        for factor in WIDER:
            spread = np.ceil(largest * factor * diagonal).astype(np.int64)
            if exceed(count, gram, spread, *room):
                return spread
    return np.maximum(1, np.abs(gram).sum(axis=1))


def make_second(later: Later, rows: int) -> Second:
    """The one later layer, from its masks; without units if there are more, or none."""
    if later.units.size != 1:
        return _no_second(rows)
    units, words = int(later.units[0]), int(later.words[0])
    signs = np.where(later.gains >= 0, 1, -1)
    masks = [_unpack(masks, units, words, rows) for masks in (later.positive, later.negative)]
    pulls = (masks[0] - masks[1]) * signs
    prizes = np.abs(later.gains)
    shift = PRIZE_BITS - int(prizes.sum()).bit_length()
    return Second(
        pulls=np.ascontiguousarray(pulls, dtype=np.int8),
        prizes=prizes,
        slack=np.where(later.gains >= 0, later.slack, later.need - 1),
        constant=int(np.minimum(later.gains, 0).sum()),
        scaled=prizes << shift if shift >= 0 else -(-prizes >> -shift),
        shift=shift,
        unit=float(prizes[prizes > 0].mean()) if prizes.any() else 1.0,
    )


def make_bounds(ellipsoid: Ellipsoid, later: Later, *, used: bool = True) -> Bounds:
    """Both bounds, each in use where it can be; or neither, also where the ellipsoid is empty."""
    rows = len(ellipsoid.center)
    used = used and rows > 0
    second = make_second(later, rows) if used else _no_second(rows)
    units = len(second.prizes)
    return Bounds(
        by_ellipsoid=int(used and ellipsoid.bits > 0),
        by_quadratic=int(units > 0),
        ellipsoid=ellipsoid,
        second=second,
        trail=make_trail(ellipsoid, units),
        flips=make_flips(rows),
        open=make_open(rows, units),
        guide=make_guide(rows if units else 0, units),
        proof=make_proof(rows if units else 0, units),
    )


def _no_second(rows: int) -> Second:
    none = np.zeros(0, dtype=np.int64)
    return Second(np.zeros((rows, 0), dtype=np.int8), none, none, 0, none, 0, 1.0)


def _unpack(masks: np.typing.NDArray[np.uint64], units: int, words: int, rows: int) -> Int64Array:
    """Bits of masks, word by word for all units, as (rows, units)."""
    by_unit = np.ascontiguousarray(masks.reshape(words, units).T).astype("<u8").view(np.uint8)
    bits = np.unpackbits(by_unit, axis=1, bitorder="little", count=rows)
    return np.ascontiguousarray(bits.T).astype(np.int64)
