"""No certificate is ever wrong: tiny boxes are enumerated."""

import itertools

import numpy as np
import pytest

from bnnray.exact.kernels import (
    FEASIBLE,
    INFEASIBLE,
    approach,
    certify,
    make_active,
    make_scratch,
    make_state,
)
from bnnray.exact.problem import Later, Rows

NOTHING = np.zeros(0, dtype=np.int64)
NO_WORDS = np.zeros(0, dtype=np.uint64)
NO_LATER = Later(NOTHING, NOTHING, NOTHING, NOTHING, NO_WORDS, NO_WORDS, NOTHING, NOTHING, NOTHING)


def random_rows(rng, *, strict: bool = False) -> Rows:
    count, pixels = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    weights = rng.choice([-1, 0, 1], size=(count, pixels)).astype(np.int8)
    cap = rng.integers(1, 5, size=pixels)
    floats = weights.astype(np.float32)
    middle = weights @ (cap // 2)
    fires = middle + rng.integers(-2, 3, size=count)
    below = fires if strict else fires - 1
    rhs = np.stack([-below, fires]).astype(np.int64)
    stricts = np.zeros((2, count), dtype=np.int64)
    stricts[0] = int(strict)
    return Rows(
        weights=weights,
        floats=floats,
        cap=cap,
        rhs=rhs,
        strict=stricts,
        fires=fires,
        unit=1.0,
        reach=cap.astype(np.float32),
        aims=rhs.astype(np.float32),
        span=np.ones(count, dtype=np.float32),
        step=float(1 / (1.01 * max(1e-9, np.linalg.eigvalsh(floats @ floats.T)[-1]))),
        margin=0.5,
    )


def random_sides(rng, rows: Rows):
    active = make_active(len(rows.weights))
    chosen = rng.permutation(len(rows.weights))[: rng.integers(1, len(rows.weights) + 1)]
    active.decided[0] = len(chosen)
    active.row[: len(chosen)] = chosen
    active.side[: len(chosen)] = rng.integers(0, 2, size=len(chosen))
    return active


def lattice(rows: Rows, parts: int = 1) -> np.ndarray:
    """Every point of the box in steps of 1 / parts."""
    choices = [np.arange(c * parts + 1) / parts for c in rows.cap]
    return np.array(list(itertools.product(*choices)))


def on_all_sides(rows: Rows, active, points: np.ndarray, entries) -> np.ndarray:
    good = np.ones(len(points), dtype=bool)
    for k in entries:
        row, side = active.row[k], active.side[k]
        signed = (2 * side - 1) * (points @ rows.weights[row])
        rhs = rows.rhs[side, row]
        good &= signed > rhs if rows.strict[side, row] else signed >= rhs
    return good


@pytest.mark.parametrize("strict", [False, True])
def test_any_multipliers_prove_only_what_is_true(strict):
    rng = np.random.default_rng(int(strict))
    proven = 0
    for _ in range(3000):
        rows = random_rows(rng, strict=strict)
        active, scratch = random_sides(rng, rows), make_scratch(rows, NO_LATER)
        violation = (rng.random(len(rows.weights)) * rng.integers(0, 2)).astype(np.float32)
        zeros = np.zeros_like(rows.cap)
        support = certify(rows, active, violation, zeros, rows.cap, scratch)
        if support == 0:
            continue
        proven += 1
        points = lattice(rows, 4 if strict else 1)
        assert not on_all_sides(rows, active, points, scratch.support[:support]).any()
    assert proven > 100


@pytest.mark.parametrize("strict", [False, True])
def test_the_projection_decides_tiny_boxes(strict):
    rng = np.random.default_rng(10 + strict)
    endings = {FEASIBLE: 0, INFEASIBLE: 0}
    for _ in range(2000):
        rows = random_rows(rng, strict=strict)
        active, scratch = random_sides(rng, rows), make_scratch(rows, NO_LATER)
        state = make_state(0)
        lower = np.array([rng.integers(0, c + 1) for c in rows.cap]) * rng.integers(0, 2)
        point = (rng.random(len(rows.cap)) * rows.cap).astype(np.float32)
        ended = approach(
            rows,
            active,
            lower.astype(np.float32),
            rows.reach,
            lower,
            rows.cap,
            point,
            np.float32(0.1),
            300,
            scratch,
            state,
        )
        points = lattice(rows, 4)
        points = points[np.all(points >= lower, axis=1)]
        entries = range(active.decided[0])
        if ended == INFEASIBLE:
            count = int(state.support)
            assert not on_all_sides(rows, active, points, scratch.support[:count]).any()
        elif ended == FEASIBLE:
            assert np.all((point >= lower) & (point <= rows.reach))
            assert on_all_sides(rows, active, point.astype(np.float64)[None, :], entries).all()
        endings[ended] = endings.get(ended, 0) + 1
    assert min(endings[FEASIBLE], endings[INFEASIBLE]) > 200, endings


def test_what_lies_on_the_edge_only_is_not_refuted_where_the_edge_counts():
    """One pixel of [0, 2]: w . y >= 2 holds at y = 2 alone, w . y > 2 nowhere."""
    for sign, strict, refuted in ((1, 0, False), (1, 1, True)):
        rows = Rows(
            weights=np.array([[sign]], dtype=np.int8),
            floats=np.array([[sign]], dtype=np.float32),
            cap=np.array([2]),
            rhs=np.array([[0], [2]]),
            strict=np.array([[0], [strict]]),
            fires=np.array([2]),
            unit=1.0,
            reach=np.array([2.0], dtype=np.float32),
            aims=np.array([[0.0], [2.0]], dtype=np.float32),
            span=np.ones(1, dtype=np.float32),
            step=0.9,
            margin=0.5,
        )
        active = make_active(1)
        active.decided[0], active.side[0] = 1, 1
        scratch = make_scratch(rows, NO_LATER)
        violation, zeros = np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.int64)
        assert (certify(rows, active, violation, zeros, rows.cap, scratch) > 0) is refuted
