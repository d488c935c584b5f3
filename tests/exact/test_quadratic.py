"""No pattern of signs exceeds the quadratic bound: all of them are tried."""

import itertools

import numpy as np
import pytest

from bnnray.exact.bounds import make_bounds, make_ellipsoid
from bnnray.exact.kernels import make_scratch
from bnnray.exact.kernels.bits import has
from bnnray.exact.kernels.ellipsoid import sort_flips
from bnnray.exact.kernels.quadratic import (
    EMPTY,
    FIXED,
    MIDDLE_BITS,
    OPEN_STILL,
    SETTLED,
    UNKNOWN,
    bound_node,
    choose_by_bound,
    fix_by_gain,
    gather,
    list_open,
    lower_bound,
    prove,
    scaled_above,
    value_of,
)
from bnnray.exact.kernels.relaxation import find_top, start_axis, start_curves
from bnnray.exact.problem import Later, Rows, pack


def some_rows(count: int) -> Rows:
    """Rows of one pixel each."""
    weights = np.eye(count, dtype=np.int8)
    ones = np.ones(count, dtype=np.int64)
    return Rows(
        weights=weights,
        floats=weights.astype(np.float32),
        cap=ones,
        rhs=np.stack([0 * ones, ones]),
        strict=np.zeros((2, count), dtype=np.int64),
        fires=ones,
        unit=1.0,
        reach=np.ones(count, dtype=np.float32),
        aims=np.stack([0 * ones, ones]).astype(np.float32),
        span=np.ones(count, dtype=np.float32),
        step=0.9,
        margin=0.5,
    )


def random_later(rng, rows: int, largest: int) -> Later:
    units = int(rng.integers(1, 8))
    weights = rng.choice([-1, 0, 1] if rng.integers(2) else [-1, 1], size=(units, rows))
    fan = np.count_nonzero(weights, axis=1)
    need = fan // 2 + rng.integers(-1, 3, size=units)
    gains = rng.integers(-largest, largest + 1, size=units)
    return Later(
        units=np.array([units]),
        words=np.array([1]),
        masks_at=np.array([0]),
        units_at=np.array([0]),
        positive=np.ascontiguousarray(pack(weights > 0).T).ravel(),
        negative=np.ascontiguousarray(pack(weights < 0).T).ravel(),
        need=need,
        slack=fan - need,
        gains=gains,
    )


def weights_of(later: Later, rows: int) -> np.ndarray:
    units = int(later.units[0])
    pairs = [(m, r) for m in range(units) for r in range(rows)]
    signs = [
        int(has(later.positive[m : m + 1], r)) - int(has(later.negative[m : m + 1], r))
        for m, r in pairs
    ]
    return np.array(signs).reshape(units, rows)


class Case:
    """A random second layer, some rows decided, and costs of flips."""

    def __init__(self, rng, largest: int = 3, rows: int | None = None, later: Later | None = None):
        self.count = rows or int(rng.integers(1, 9))
        self.later = later or random_later(rng, self.count, largest)
        self.bounds = make_bounds(make_ellipsoid(some_rows(self.count)), self.later)
        self.scratch = make_scratch(some_rows(self.count), self.later)
        fixed = np.flatnonzero(rng.random(self.count) < 0.2)
        signs = rng.choice([-1, 1], size=self.count)
        is_fixed = np.isin(np.arange(self.count), fixed)
        self.firing, self.still = pack(is_fixed & (signs > 0)), pack(is_fixed & (signs < 0))
        self.rows = np.zeros(self.count, dtype=np.int64)
        free = np.flatnonzero(~is_fixed)
        self.free = len(free)
        self.rows[: self.free] = free
        self._price(rng)
        self.patterns = self._patterns(signs, free)
        self.values = self._values()

    def _price(self, rng) -> None:
        flips = self.bounds.flips
        flips.home[: self.free] = rng.choice([-1, 1], size=self.free)
        flips.cost[: self.free] = rng.integers(0, 20, size=self.free) * rng.integers(0, 2)
        flips.budget[0] = rng.integers(0, 40)
        sort_flips(self.free, flips)

    def _patterns(self, signs, free) -> np.ndarray:
        """The signs of all rows, in every way that the budget allows."""
        flips, patterns = self.bounds.flips, []
        for choice in itertools.product((-1, 1), repeat=len(free)):
            away = np.array(choice) != flips.home[: len(free)]
            if flips.cost[: len(free)][away].sum() <= flips.budget[0]:
                pattern = signs.copy()
                pattern[free] = choice
                patterns.append(pattern)
        return np.array(patterns)

    def _values(self) -> np.ndarray:
        weights = weights_of(self.later, self.count)
        against = (weights[None] * self.patterns[:, None, :] < 0).sum(axis=2)
        return (against <= self.later.slack) @ self.later.gains

    def open_units(self) -> tuple[int, int, int]:
        return list_open(
            self.later,
            self.bounds.second,
            self.firing,
            self.still,
            self.free,
            self.rows,
            self.bounds.flips,
            self.bounds.open,
            self.scratch,
        )

    def gathered(self) -> tuple[int, int, int]:
        units, value, prizes = self.open_units()
        bounds = self.bounds
        gather(
            bounds.second,
            self.free,
            units,
            self.rows,
            bounds.flips,
            bounds.open,
            bounds.guide,
        )
        return units, value, prizes

    def parameters(self, rng, units: int, missing: int) -> float:
        """Good parameters, or any; returns a top."""
        if rng.integers(4):
            return self.found(units, missing)
        return self.guess(rng, units)

    def found(self, units: int, missing: int) -> float:
        """As the search for a bound leaves them."""
        guide, free, budget = self.bounds.guide, self.free, float(self.bounds.flips.budget[0])
        guide.axis[:free] = 0
        start_axis(free, guide)
        start_curves(free, units, guide, budget)
        lower_bound(free, units, missing, 50, self.bounds)
        return find_top(free, units, guide, 20)

    def guess(self, rng, units: int) -> float:
        """Random parameters, some of them sensible."""
        guide, free = self.bounds.guide, self.free
        guide.lines[:units] = rng.normal(size=units) * rng.choice([0, 0.1, 1])
        guide.curves[:units] = rng.random(units) * rng.choice([0, 0.01, 0.3])
        guide.middle[:free] = rng.uniform(-1, 1, size=free) * rng.integers(0, 2)
        guide.lift[:free] = rng.random(free) * rng.choice([0, 0.3])
        pulls = guide.pulls[:free, :units].astype(float)
        gram = (pulls * guide.curves[:units]) @ pulls.T - np.diag(guide.lift[:free])
        return float(np.linalg.eigvalsh(gram)[-1])

    def proof(self, units: int, top: float) -> tuple[bool, int]:
        b = self.bounds
        return prove(b.second, self.free, units, top, b.guide, b.open, b.flips, b.proof)

    def node(self, line: int) -> tuple[int, int]:
        return bound_node(
            self.later,
            self.bounds,
            line,
            0,
            self.firing,
            self.still,
            self.free,
            self.rows,
            self.scratch,
        )


def exceeds(second, wins: int, bound: int) -> bool:
    """Whether what units win is more than a scaled bound."""
    shift = second.shift + 2 * MIDDLE_BITS
    return wins << shift > bound if shift >= 0 else wins > bound << -shift


def cases(seed: int, rounds: int, largest: int = 3):
    rng = np.random.default_rng(seed)
    for _ in range(rounds):
        case = Case(rng, largest)
        if case.free:
            yield rng, case


def test_the_settled_units_are_settled():
    for _, case in cases(0, 1500):
        units, value, prizes = case.open_units()
        assert np.all(case.values >= value)
        assert np.all(case.values <= value + prizes)
        if units == 0:
            assert np.all(case.values == value)
        open_ = case.bounds.open
        weights = weights_of(case.later, case.count) * np.sign(case.later.gains)[:, None]
        free = case.rows[: case.free]
        for k in range(units):
            z = case.patterns[:, free] @ weights[open_.unit[k], free]
            assert np.all((z >= open_.low[k]) & (z <= open_.high[k]))
            assert np.all((z - open_.low[k]) % 2 == 0)
            assert open_.low[k] < open_.wins[k] <= open_.high[k]


@pytest.mark.parametrize("largest", [1, 3, 1000, 2**52])
def test_no_pattern_exceeds_the_bound_of_any_parameters(largest):
    proven = tight = 0
    for rng, case in cases(largest % 97, 1200, largest):
        units, value, prizes = case.gathered()
        if units == 0:
            continue
        most = int(case.values.max()) - value
        known, bound = case.proof(units, case.parameters(rng, units, most))
        if not known:
            continue
        proven += 1
        second = case.bounds.second
        assert not exceeds(second, most, bound)
        assert most <= value_of(second, bound, prizes) <= prizes
        tight += value_of(second, bound, prizes) < prizes
    assert proven > 300
    assert tight > 50


@pytest.mark.parametrize("largest", [3, 2**52])
def test_rows_that_the_bound_fixes_are_so_in_all_patterns_above_the_line(largest):
    fixed = 0
    for rng, case in cases(10, 1500, largest):
        units, value, prizes = case.gathered()
        if units == 0:
            continue
        line = int(rng.choice(case.values))
        missing = line - value
        if not 0 <= missing < prizes:
            continue
        known, bound = case.proof(units, case.parameters(rng, units, missing))
        if not known:
            continue
        above = scaled_above(case.bounds.second, missing)
        good = case.patterns[case.values > line]
        if bound < above:
            assert not len(good)
            continue
        flips, proof = case.bounds.flips, case.bounds.proof
        fixed += fix_by_gain(
            case.free, case.rows, bound, above, flips, proof, case.firing, case.still
        )
        assert_fixed(case, good)
    assert fixed > 10


def assert_fixed(case: Case, patterns: np.ndarray) -> None:
    for row in range(case.count):
        if has(case.firing, row):
            assert np.all(patterns[:, row] > 0)
        if has(case.still, row):
            assert np.all(patterns[:, row] < 0)


@pytest.mark.parametrize("largest", [1, 3, 1000, 2**52])
def test_a_node_keeps_every_pattern_above_the_line(largest):
    endings = dict.fromkeys([EMPTY, FIXED, OPEN_STILL, SETTLED, UNKNOWN], 0)
    for rng, case in cases(20 + largest % 89, 400, largest):
        line = int(rng.choice(case.values)) + int(rng.integers(-1, 2))
        before = int(np.bitwise_count(case.firing | case.still).sum())
        ended, upper = case.node(line)
        endings[ended] += 1
        good = case.patterns[case.values > line]
        if ended == EMPTY:
            assert not len(good)
            continue
        assert np.all(case.values <= max(upper, line))
        decided = int(np.bitwise_count(case.firing | case.still).sum())
        assert (decided > before) == (ended == FIXED)
        assert_fixed(case, good)
        if ended == SETTLED:
            assert np.all(case.values == upper)
        if ended == OPEN_STILL:
            free_rows = case.rows[: case.free].tolist()
            point = rng.random(case.count).astype(np.float32)
            rows = some_rows(case.count)
            row, side = choose_by_bound(rows, point, case.free, case.rows, case.bounds.guide)
            assert row in free_rows
            assert side in (0, 1)
    assert min(endings.values()) > 3, endings


def test_a_node_that_the_parent_warmed_is_as_careful():
    for rng, case in cases(30, 200):
        for _ in range(3):
            line = int(case.values.max()) + int(rng.integers(-2, 2))
            ended, _ = case.node(line)
            good = case.patterns[case.values > line]
            assert ended != EMPTY or not len(good)
            assert_fixed(case, good)
            if ended == FIXED:
                break


def test_the_bound_is_far_below_all_prizes_where_they_exclude_each_other():
    """Thirty units, each of which wants at least seven of ten rows on sides of its own."""
    rng = np.random.default_rng(40)
    uppers = together = 0
    for _ in range(20):
        weights = rng.choice([-1, 1], size=(30, 10))
        later = Later(
            units=np.array([30]),
            words=np.array([1]),
            masks_at=np.array([0]),
            units_at=np.array([0]),
            positive=np.ascontiguousarray(pack(weights > 0).T).ravel(),
            negative=np.ascontiguousarray(pack(weights < 0).T).ravel(),
            need=np.full(30, 7),
            slack=np.full(30, 3),
            gains=np.ones(30, dtype=np.int64),
        )
        case = Case(rng, rows=10, later=later)
        most = int(case.values.max())
        units, _, prizes = case.gathered()
        known, bound = case.proof(units, case.found(units, most))
        assert known
        upper = value_of(case.bounds.second, bound, prizes)
        assert most <= upper
        uppers, together = uppers + upper, together + prizes
    assert uppers < 0.85 * together


@pytest.mark.parametrize("broken", ["prizes", "slack", "budget"])
def test_numbers_rounded_the_wrong_way_are_caught(broken):
    wrong = 0
    for rng, case in cases(50, 1500):
        second, flips = case.bounds.second, case.bounds.flips
        if broken == "prizes":
            changed = second._replace(scaled=second.scaled - second.scaled // 64)
            case.bounds = case.bounds._replace(second=changed)
        elif broken == "slack":
            case.bounds = case.bounds._replace(second=second._replace(slack=second.slack - 1))
        elif flips.budget[0] > 0:
            flips.budget[0] -= 1
        units, value, _ = case.gathered()
        if units == 0:
            wrong += bool(np.any(case.values > value))
            continue
        most = int(case.values.max()) - value
        known, bound = case.proof(units, case.parameters(rng, units, most))
        wrong += known and exceeds(second, most, bound)
    assert wrong > 0
