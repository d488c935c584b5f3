"""What the ellipsoid rules out is out of reach: tiny boxes are enumerated."""

import itertools

import numpy as np
import pytest
from test_certificates import NO_LATER, lattice, on_all_sides, random_rows, random_sides

from bnnray.exact.bounds import make_bounds, make_ellipsoid
from bnnray.exact.kernels.bits import has
from bnnray.exact.kernels.bounds import make_flips
from bnnray.exact.kernels.ellipsoid import ascend, fix_rows, left_by, price_flips
from bnnray.exact.problem import words_of


def start(ellipsoid):
    return np.zeros_like(ellipsoid.center), ellipsoid.center << ellipsoid.bits


def random_multipliers(rng, ellipsoid, active):
    """Any multipliers on the active rows, with the sums that belong to them."""
    times, sums = start(ellipsoid)
    for k in range(active.decided[0]):
        row, sign = active.row[k], 2 * active.side[k] - 1
        times[row] = rng.integers(0, 2 << ellipsoid.bits)
        sums += ellipsoid.gram[row] * sign * times[row]
    return times, sums


def holds(rows, points, row, side) -> np.ndarray:
    """Which points are on a closed side."""
    return (2 * side - 1) * (points @ rows.weights[row]) >= rows.rhs[side, row]


def mistakes(rows, ellipsoid, active, times, sums, points) -> tuple[int, int]:
    """How many false claims there are, and how many claims of use, of points on all active
    sides."""
    points = points[on_all_sides(rows, active, points, range(active.decided[0]))]
    left = left_by(ellipsoid, active, times, sums)
    if left < 0:
        return len(points), 1
    decided = active.row[: active.decided[0]]
    free = np.setdiff1d(np.arange(len(rows.weights)), decided)
    listed = np.zeros(len(rows.weights), dtype=np.int64)
    listed[: len(free)] = free
    words = words_of(len(rows.weights))
    firing, still = np.zeros(words, dtype=np.uint64), np.zeros(words, dtype=np.uint64)
    fixed, lost = fix_rows(ellipsoid, len(free), listed, left, sums, firing, still)
    if lost:
        return len(points), 1
    wrong = 0
    for row in free:
        wrong += has(firing, row) and bool(holds(rows, points, row, 0).any())
        wrong += has(still, row) and bool(holds(rows, points, row, 1).any())
    flips = make_flips(len(rows.weights))
    price_flips(ellipsoid, len(free), listed, left, sums, flips)
    away = [holds(rows, points, row, int(flips.home[a] < 0)) for a, row in enumerate(free)]
    spent = sum((flips.cost[a] * flags for a, flags in enumerate(away)), np.zeros(len(points)))
    assert sorted(flips.order[: len(free)]) == list(range(len(free)))
    assert np.all(np.diff(flips.cost[flips.order[: len(free)]]) >= 0)
    return wrong + int(np.any(spent > flips.budget[0])), fixed


def claims(seed: int, *, strict: bool, rounds: int, change=lambda e: e) -> tuple[int, int]:
    rng = np.random.default_rng(seed)
    wrong = useful = 0
    for _ in range(rounds):
        rows = random_rows(rng, strict=strict)
        active = random_sides(rng, rows)
        if rng.integers(2):
            active.decided[0] -= 1
        ellipsoid = change(make_ellipsoid(rows))
        if rng.integers(2):
            times, sums = random_multipliers(rng, ellipsoid, active)
        else:
            times, sums = start(ellipsoid)
            ascend(ellipsoid, active, times, sums)
        w, u = mistakes(rows, ellipsoid, active, times, sums, lattice(rows, 2))
        wrong, useful = wrong + w, useful + u
    return wrong, useful


@pytest.mark.parametrize("strict", [False, True])
def test_nothing_within_reach_is_ruled_out(strict):
    wrong, useful = claims(int(strict), strict=strict, rounds=3000)
    assert wrong == 0
    assert useful > 300


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e._replace(total=e.total - 1),
        lambda e: e._replace(rhs=e.rhs + 1),
        lambda e: e._replace(diagonal=e.diagonal - 1),
        lambda e: e._replace(spread=e.spread * 2 // 3),
    ],
    ids=["total", "rhs", "diagonal", "spread"],
)
def test_numbers_rounded_the_wrong_way_are_caught(change):
    wrong, _ = claims(2, strict=False, rounds=1500, change=change)
    assert wrong > 0


def test_ascent_keeps_the_sums_in_step_and_lowers_what_is_left():
    rng = np.random.default_rng(3)
    gained = 0
    for _ in range(500):
        rows = random_rows(rng)
        active, ellipsoid = random_sides(rng, rows), make_ellipsoid(rows)
        times, sums = start(ellipsoid)
        whole = left_by(ellipsoid, active, times, sums)
        ascend(ellipsoid, active, times, sums)
        signs = np.zeros_like(times)
        decided = active.decided[0]
        signs[active.row[:decided]] = 2 * active.side[:decided] - 1
        expected = (ellipsoid.center << ellipsoid.bits) + ellipsoid.gram @ (signs * times)
        assert np.array_equal(sums, expected)
        assert np.all(times >= 0)
        left = left_by(ellipsoid, active, times, sums)
        assert left <= whole
        gained += left < whole
    assert gained > 100


def test_steps_of_a_fine_lattice_are_rounded_outward():
    rng = np.random.default_rng(4)
    useful = 0
    for _ in range(300):
        rows = random_rows(rng)
        factor = int(rng.integers(2**18, 2**22))
        cap = rows.cap * factor + rng.integers(0, 5, size=len(rows.cap))
        rhs = rows.rhs * factor + rng.integers(-5, 5, size=rows.rhs.shape)
        fine = rows._replace(cap=cap, rhs=rhs)
        active, ellipsoid = random_sides(rng, fine), make_ellipsoid(fine)
        assert ellipsoid.total < 2**20
        times, sums = start(ellipsoid)
        ascend(ellipsoid, active, times, sums)
        choices = [np.linspace(0, c, 9).astype(np.int64) for c in cap]
        points = np.array(list(itertools.product(*choices)))
        wrong, use = mistakes(fine, ellipsoid, active, times, sums, points)
        assert wrong == 0
        useful += use
    assert useful > 30


def test_the_corner_of_a_box_is_never_ruled_out():
    """One row over one pixel: the ellipsoid touches both ends."""
    rng = np.random.default_rng(5)
    rows = random_rows(rng)
    one = rows._replace(
        weights=np.array([[1]], dtype=np.int8),
        cap=np.array([3]),
        rhs=np.array([[0], [3]]),
        strict=np.zeros((2, 1), dtype=np.int64),
    )
    ellipsoid = make_ellipsoid(one)
    active = random_sides(rng, one)
    active.decided[0] = 0
    times, sums = start(ellipsoid)
    for points in (np.array([[0]]), np.array([[3]])):
        assert mistakes(one, ellipsoid, active, times, sums, points) == (0, 0)


def test_too_many_rows_have_no_bounds(monkeypatch):
    rows = random_rows(np.random.default_rng(6))
    assert make_bounds(make_ellipsoid(rows), NO_LATER).by_ellipsoid == 1
    monkeypatch.setattr("bnnray.exact.bounds.MOST_ROWS", len(rows.weights) - 1)
    bounds = make_bounds(make_ellipsoid(rows), NO_LATER)
    assert (bounds.by_ellipsoid, bounds.by_quadratic) == (0, 0)
