"""The types of the two bounds, by an ellipsoid and by a quadratic, and the room they work in."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bnnray.exact.kernels.arrays import BYTES2, FLOATS, FLOATS2, INTS, INTS2, array, f64, i64, named
from bnnray.exact.problem import Float32Array, Int8Array, Int64Array

Float64Array = npt.NDArray[np.float64]


class Ellipsoid(NamedTuple):
    """The box of the rows, as an ellipsoid; see :mod:`bnnray.exact.kernels.ellipsoid`.

    A *step* is a whole number of lattice steps; boxes and sides are rounded outward to it.

    Attributes:
        gram: (rows, rows), ``weights diag(cap) weights^T`` in steps.
        diagonal: (rows,), its diagonal, 1 at least.
        spread: (rows,), a diagonal that exceeds ``gram`` by a positive semidefinite matrix.
        center: (rows,), ``weights . cap``: twice the rows' sums at the middle of the box.
        rhs: (2, rows), by side, in steps.
        total: the sum of the caps, in steps.
        bits: multipliers are multiples of ``2^-bits``.
    """

    gram: Int64Array
    diagonal: Int64Array
    spread: Int64Array
    center: Int64Array
    rhs: Int64Array
    total: int
    bits: int


class Second(NamedTuple):
    """A single later layer: the value is ``constant`` and the prizes of the units that win.

    Attributes:
        pulls: (rows, units), +1 where a row helps a unit to win by firing, -1 where it harms it.
        prizes: (units,), >= 0.
        slack: (units,), a unit wins iff no more rows than this are on the side that harms it.
        constant: the value where no unit wins.
        scaled: (units,), ``prizes * 2^shift``, rounded up.
        shift: of either sign.
        unit: the floats' unit of value, a typical prize.
    """

    pulls: Int8Array
    prizes: Int64Array
    slack: Int64Array
    constant: int
    scaled: Int64Array
    shift: int
    unit: float


class Trail(NamedTuple):
    """What a node leaves to its children, by depth; all of it only speeds them up, but for
    ``sums``, which belong to ``times``.

    Attributes:
        times: (depths, rows), the multipliers of the decided rows, in ``2^-bits``.
        sums: (depths, rows), ``2^(bits + 1)`` times the rows' sums at the middle of what is left.
        warm: (depths,), 1 if the rest is of use.
        lines, curves: float32 (depths, units), the parabolas of the units.
        axis, middle, lift: float32 (depths, rows).
    """

    times: Int64Array
    sums: Int64Array
    warm: Int64Array
    lines: Float32Array
    curves: Float32Array
    axis: Float32Array
    middle: Float32Array
    lift: Float32Array


class Flips(NamedTuple):
    """The free rows by number, and what it costs to have them away from home.

    Attributes:
        home: (rows,), +1 or -1: firing or not at the middle of what is left.
        cost: (rows,); the rows that are not at home cost ``budget`` at most, together.
        order: (rows,), by rising cost.
        budget: (1,).
    """

    home: Int64Array
    cost: Int64Array
    order: Int64Array
    budget: Int64Array


class Open(NamedTuple):
    """The units that the free rows decide, by number.

    With z the sum of the free rows that pull a unit, each +1 where it helps and -1 where it
    harms, the unit wins iff z >= ``wins``; z lies in [``low``, ``high``] in steps of 2.

    Attributes:
        unit, low, high, wins: (units,).
        pulls: int8 (rows, units), of free rows and open units.
        fan, bad, least, most, less, more: (units,), of all units, to work in.
    """

    unit: Int64Array
    low: Int64Array
    high: Int64Array
    wins: Int64Array
    pulls: Int8Array
    fan: Int64Array
    bad: Int64Array
    least: Int64Array
    most: Int64Array
    less: Int64Array
    more: Int64Array


class Guide(NamedTuple):
    """The relaxation in floats, in units of value; see :mod:`bnnray.exact.kernels.relaxation`.

    Attributes:
        pulls: (rows, units), of free rows and open units.
        prizes, low, high, wins: (units,).
        lines, curves, best_lines, best_curves: (units,), b and eta.
        line_slope, curve_slope, bent, weights: (units,).
        z_worst, z_middle, z_hat, z_axis: (units,), sums of a unit.
        home, cost, hat, gain, key, slope, next_axis: (rows,).
        axis, middle, lift, best_axis, best_middle, best_lift: (rows,), u, m and d.
        importance, preference: (rows,), for branching; a positive preference is for firing.
        rank: int64 (rows,), rows by rising cost of a unit of gain.
        price: float64 (1,), of a unit of the budget.
    """

    pulls: Float32Array
    prizes: Float32Array
    low: Float32Array
    high: Float32Array
    wins: Float32Array
    lines: Float32Array
    curves: Float32Array
    best_lines: Float32Array
    best_curves: Float32Array
    line_slope: Float32Array
    curve_slope: Float32Array
    bent: Float32Array
    weights: Float32Array
    z_worst: Float32Array
    z_middle: Float32Array
    z_hat: Float32Array
    z_axis: Float32Array
    home: Float32Array
    cost: Float32Array
    hat: Float32Array
    gain: Float32Array
    key: Float32Array
    slope: Float32Array
    next_axis: Float32Array
    axis: Float32Array
    middle: Float32Array
    lift: Float32Array
    best_axis: Float32Array
    best_middle: Float32Array
    best_lift: Float32Array
    importance: Float32Array
    preference: Float32Array
    rank: Int64Array
    price: Float64Array


class Proof(NamedTuple):
    """The same in integers; see :mod:`bnnray.exact.kernels.quadratic`.

    Attributes:
        lines, curves, level: (units,).
        middle, top, slope, gain: (rows,).
        gram: (rows, rows), the lower triangle of ``sum curves pulls pulls^T``.
        factor: float64 (rows, rows).
        rounded: (rows, rows).
        surplus: (rows,).
    """

    lines: Int64Array
    curves: Int64Array
    level: Int64Array
    middle: Int64Array
    top: Int64Array
    slope: Int64Array
    gain: Int64Array
    gram: Int64Array
    factor: Float64Array
    rounded: Int64Array
    surplus: Int64Array


class Bounds(NamedTuple):
    """Both bounds and their room; each is used if its field ``by_...`` is not 0."""

    by_ellipsoid: int
    by_quadratic: int
    ellipsoid: Ellipsoid
    second: Second
    trail: Trail
    flips: Flips
    open: Open
    guide: Guide
    proof: Proof


DOUBLES, DOUBLES2 = array(f64), array(f64, 2)

ELLIPSOID = named((INTS2, INTS, INTS, INTS, INTS2, i64, i64), Ellipsoid)
SECOND = named((BYTES2, INTS, INTS, i64, INTS, i64, f64), Second)
TRAIL = named((INTS2, INTS2, INTS, *([FLOATS2] * 5)), Trail)
FLIPS = named((INTS,) * 4, Flips)
OPEN = named((*([INTS] * 4), BYTES2, *([INTS] * 6)), Open)
GUIDE = named((FLOATS2, *([FLOATS] * 31), INTS, DOUBLES), Guide)
PROOF = named((*([INTS] * 7), INTS2, DOUBLES2, INTS2, INTS), Proof)
BOUNDS = named((i64, i64, ELLIPSOID, SECOND, TRAIL, FLIPS, OPEN, GUIDE, PROOF), Bounds)


def make_trail(ellipsoid: Ellipsoid, units: int) -> Trail:
    """Before the root."""
    rows = len(ellipsoid.center)
    depths = rows + 2
    trail = Trail(
        times=_ints(depths, rows),
        sums=_ints(depths, rows),
        warm=_ints(depths),
        lines=_floats(depths, units),
        curves=_floats(depths, units),
        axis=_floats(depths, rows),
        middle=_floats(depths, rows),
        lift=_floats(depths, rows),
    )
    trail.sums[0] = ellipsoid.center << ellipsoid.bits
    return trail


def make_flips(rows: int) -> Flips:
    return Flips(_ints(rows), _ints(rows), _ints(rows), _ints(1))


def make_open(rows: int, units: int) -> Open:
    lists = [_ints(units) for _ in range(10)]
    pulls = np.zeros((rows, units), dtype=np.int8)
    return Open._make([*lists[:4], pulls, *lists[4:]])


def make_guide(rows: int, units: int) -> Guide:
    of_units = [_floats(units) for _ in range(16)]
    of_rows = [_floats(rows) for _ in range(15)]
    return Guide._make(
        [
            _floats(rows, units),
            *of_units,
            *of_rows,
            _ints(rows),
            np.zeros(1),
        ]
    )


def make_proof(rows: int, units: int) -> Proof:
    lists = [*(_ints(units) for _ in range(3)), *(_ints(rows) for _ in range(4))]
    square = [_ints(rows, rows), np.zeros((rows, rows)), _ints(rows, rows)]
    return Proof._make([*lists, *square, _ints(rows)])


def _ints(*shape: int) -> Int64Array:
    return np.zeros(shape, dtype=np.int64)


def _floats(*shape: int) -> Float32Array:
    return np.zeros(shape, dtype=np.float32)
