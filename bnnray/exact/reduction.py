"""From a question to what the kernels search: nothing that cannot change is left.

Rests on :func:`bnnray.encodings.interval_ranges`, which says in integers which units can change
sign within the region.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bnnray.encodings import LayerRange, interval_bound
from bnnray.errors import BugError
from bnnray.exact.problem import LARGEST_MULTIPLIER, Int64Array, Later, Rows, pack
from bnnray.network import SAFE_INT64, SignLayer
from bnnray.threat import Domain, Objective, Question, Region, Witness

BoolArray = npt.NDArray[np.bool_]

FINE = 2**24
"""About how many steps of the box's lattice make 1: thresholds are rounded outward to a step."""

WIDE = 16.0
"""On the box, the widest pixel is so many units of the floats; on the grid a unit is a level."""

GRID_MARGIN, BOX_MARGIN = 0.5, 0.05
"""How far inside a side the projection aims; on the grid sides are 1 apart."""


@dataclass(frozen=True, eq=False)
class Lattice:
    """The points (lower + y) / scale with integers y in [0, cap].

    On the grid, and on the box where the denominator allows it, the ends are the region's; else
    they are rounded outward.

    Args:
        scale: steps to 1.
        lower, cap: int64 (pixels,).
    """

    scale: int
    lower: Int64Array
    cap: Int64Array


@dataclass(frozen=True, eq=False)
class FirstLayer:
    """The rows of a question, for all of its targets.

    Args:
        region: where inputs lie.
        units: int64 (rows,), numbers of the first-layer units.
        pixels: int64 (free pixels,), numbers of the pixels that rows see.
        lattice: of all pixels.
        rows: over the free pixels.
        fixed: int64 (rows,), ``weights . y`` plus this is a unit's sum over all pixels, as far as
            pixels that rows do not see are at their lower end.
    """

    region: Region
    units: Int64Array
    pixels: Int64Array
    lattice: Lattice
    rows: Rows
    fixed: Int64Array

    def witness(self, y: Int64Array) -> Witness:
        """The input at a point of the lattice (free pixels,); the other pixels stay clean."""
        numerators = self.lattice.lower[self.pixels] + y
        if self.region.domain is Domain.GRID:
            levels = self.region.clean.copy()
            levels[self.pixels] = numerators
            return levels
        values = self.region.float_clean.copy()
        values[self.pixels] = numerators / self.lattice.scale
        return self.region.nearest(values)

    def distances(self, witness: Witness) -> npt.NDArray[np.float64]:
        """From an input to each row's threshold (rows,), relative to the row's range; at least 0
        where the row fires, as far as the lattice tells."""
        y = np.rint(self.point(witness).astype(np.float64) * self.rows.unit).astype(np.int64)
        away = self.rows.weights.astype(np.int64) @ y - self.rows.fires
        return away / (self.rows.unit * self.rows.span)

    def point(self, witness: Witness) -> npt.NDArray[np.float32]:
        """An input as a point (free pixels,) in the unit of the floats."""
        on_grid = self.region.domain is Domain.GRID
        numerators = witness.astype(np.float64) * (1 if on_grid else self.lattice.scale)
        offsets = (numerators - self.lattice.lower)[self.pixels]
        return np.clip(offsets / self.rows.unit, 0, self.rows.reach).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Values:
    """What the kernels' integer values stand for: objective = (base + step * value) / denominator.

    ``step`` is larger than the objective's own only where sums would pass 64 bits; then a value is
    an upper limit of the objective's.
    """

    base: int
    step: int
    denominator: int

    def objective(self, value: int) -> Fraction:
        """The objective of a value."""
        return Fraction(self.base + self.step * value, self.denominator)

    def line(self, objective: Fraction) -> int:
        """The largest value whose objective does not exceed one."""
        value = math.floor((objective * self.denominator - self.base) / self.step)
        return max(-SAFE_INT64, min(SAFE_INT64, value))


@dataclass(frozen=True, eq=False)
class Target:
    """The later layers and the objective of one target."""

    later: Later
    values: Values


class Reduction:
    """A question without what cannot change.

    Args:
        question: without a limit on the number of changed pixels.
        ranges: of its hidden layers.
    """

    def __init__(self, question: Question, ranges: Sequence[LayerRange]) -> None:
        self._question = question
        self._ranges = ranges

    @cached_property
    def first(self) -> FirstLayer:
        """The rows that matter to some target."""
        matter = [self._matter(objective)[0] for objective in self._question.objectives]
        units = np.flatnonzero(np.any(matter, axis=0))
        return _first_layer(self._question, units)

    def bound(self, objective: Objective) -> Fraction:
        """What intervals say of a target before any search."""
        return interval_bound(objective, self._ranges[-1])

    def target(self, objective: Objective) -> Target:
        """What comes after the rows, for one target."""
        network, matter = self._question.network, self._matter(objective)
        inputs = self.first.units
        parts = []
        for number in range(1, network.depth):
            units = np.flatnonzero(matter[number])
            settled = self._ranges[number - 1].settled
            parts.append(_layer(network.hidden[number], units, inputs, settled))
            inputs = units
        gains, values = _values(objective, inputs, matter[-1], self._ranges[-1].settled)
        return Target(_later(parts, gains), values)

    def _matter(self, objective: Objective) -> list[BoolArray]:
        """Units of each hidden layer that can change sign and have influence."""
        network, ranges = self._question.network, self._ranges
        felt = np.array([c != 0 for c in objective.coefficients])
        found = [ranges[-1].unstable & felt]
        for layer, before in zip(network.hidden[:0:-1], ranges[-2::-1], strict=True):
            felt = np.any(layer.rows()[found[0]] != 0, axis=0)
            found.insert(0, before.unstable & felt)
        return found


def _lattice(region: Region) -> Lattice:
    d = region.denominator
    if region.domain is Domain.GRID or d <= FINE:
        factor = 1 if region.domain is Domain.GRID else FINE // d
        lower, upper = region.lower * factor, region.upper * factor
        return Lattice(d * factor, lower, upper - lower)
    lower = np.array([n * FINE // d for n in region.lower.tolist()], dtype=np.int64)
    upper = np.array([-(-n * FINE // d) for n in region.upper.tolist()], dtype=np.int64)
    return Lattice(FINE, lower, upper - lower)


def _first_layer(question: Question, units: Int64Array) -> FirstLayer:
    region, layer = question.region, question.network.hidden[0]
    lattice = _lattice(region)
    all_weights = layer.rows()[units]
    pixels = np.flatnonzero((region.upper > region.lower) & np.any(all_weights != 0, axis=0))
    weights = np.ascontiguousarray(all_weights[:, pixels])
    cap = lattice.cap[pixels]
    fixed = all_weights.astype(np.int64) @ lattice.lower
    on_grid = region.domain is Domain.GRID
    unit = 1.0 if on_grid else max(1.0, float(cap.max(initial=0)) / WIDE)
    fires, rhs, strict = _sides(layer, units, lattice.scale, fixed, on_grid=on_grid)
    floats = weights.astype(np.float32)
    reach = (cap / unit).astype(np.float32)
    rows = Rows(
        weights=weights,
        floats=floats,
        cap=cap,
        rhs=rhs,
        strict=strict,
        fires=fires,
        unit=unit,
        reach=reach,
        aims=(rhs / unit).astype(np.float32),
        span=np.maximum(np.abs(floats) @ reach / 2, np.float32(1e-6)),
        step=_step(floats),
        margin=GRID_MARGIN if on_grid else BOX_MARGIN,
    )
    _check_sums(rows)
    return FirstLayer(region, units, pixels, lattice, rows, fixed)


def _sides(
    layer: SignLayer, units: Int64Array, scale: int, fixed: Int64Array, *, on_grid: bool
) -> tuple[Int64Array, Int64Array, Int64Array]:
    """``fires``, ``rhs`` and ``strict`` of rows, see :class:`Rows`.

    A unit fires at x iff w . x >= t. On the grid sums are integers: w . y >= ceil(t), or not
    above ceil(t) - 1. On the box sums are real: w . y >= t implies w . y >= floor(t), strictly
    unless t is an integer; and w . y < t implies w . y < ceil(t).
    """
    exact = [layer.thresholds[u] * scale for u in units.tolist()]
    above = np.array([math.ceil(t) for t in exact], dtype=np.int64) - fixed
    below = np.array([math.floor(t) for t in exact], dtype=np.int64) - fixed
    if on_grid:
        return above, np.stack([1 - above, above]), np.zeros((2, len(units)), dtype=np.int64)
    strict = np.stack([np.ones(len(units), dtype=np.int64), (above != below).astype(np.int64)])
    return above, np.stack([-above, below]), strict


def _step(floats: npt.NDArray[np.float32]) -> float:
    """1 / the largest eigenvalue of ``floats floats^T``, a little less."""
    if not len(floats):
        return 1.0
    gram = floats.astype(np.float64) @ floats.T
    return float(1 / (1.01 * np.linalg.eigvalsh(gram)[-1]))


def _check_sums(rows: Rows) -> None:
    """No sum of a certificate may pass 64 bits."""
    count = len(rows.weights)
    largest = (
        count
        * LARGEST_MULTIPLIER
        * max(int(rows.cap.sum()) + 1, int(np.abs(rows.rhs).max(initial=0)))
    )
    if largest >= SAFE_INT64:
        raise BugError(f"sums of up to {largest} do not fit in 64 bits")


@dataclass(frozen=True, eq=False)
class _Layer:
    """One later layer; see :class:`Later`."""

    positive: npt.NDArray[np.uint64]
    negative: npt.NDArray[np.uint64]
    need: Int64Array
    slack: Int64Array


def _layer(layer: SignLayer, units: Int64Array, inputs: Int64Array, settled: Int64Array) -> _Layer:
    """A layer over the inputs that are left; the settled ones go into its thresholds."""
    weights = layer.rows()[units]
    thresholds = layer.sign_thresholds[units] - weights.astype(np.int64) @ settled
    seen = weights[:, inputs]
    fan = np.count_nonzero(seen, axis=1)
    return _Layer(pack(seen > 0), pack(seen < 0), (fan + thresholds) // 2, (fan - thresholds) // 2)


NO_WORDS, NO_INTS = np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)


def _later(parts: Sequence[_Layer], gains: Int64Array) -> Later:
    units = np.array([len(p.need) for p in parts], dtype=np.int64)
    words = np.array([p.positive.shape[1] for p in parts], dtype=np.int64)

    return Later(
        units=units,
        words=words,
        masks_at=_begins(units * words),
        units_at=_begins(units),
        positive=np.concatenate([NO_WORDS, *(p.positive.T.ravel() for p in parts)]),
        negative=np.concatenate([NO_WORDS, *(p.negative.T.ravel() for p in parts)]),
        need=np.concatenate([NO_INTS, *(p.need for p in parts)]),
        slack=np.concatenate([NO_INTS, *(p.slack for p in parts)]),
        gains=gains,
    )


def _begins(lengths: Int64Array) -> Int64Array:
    return np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)[: len(lengths)]


def _values(
    objective: Objective, inputs: Int64Array, matter: BoolArray, settled: Int64Array
) -> tuple[Int64Array, Values]:
    """What each input's firing adds, and what the sums stand for."""
    signs = settled.tolist()
    base = objective.constant
    base += sum(c * s for c, s in zip(objective.coefficients, signs, strict=True))
    added = [2 * objective.coefficients[u] if matter[u] else 0 for u in inputs.tolist()]
    base -= sum(added) // 2
    step = math.gcd(*added) or 1
    while sum(abs(a) for a in added) // step >= SAFE_INT64:
        step *= 2
    gains = np.array([-(-a // step) for a in added], dtype=np.int64)
    return gains, Values(base, step, objective.denominator)
