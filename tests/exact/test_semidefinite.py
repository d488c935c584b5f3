"""A diagonal that is said to exceed a matrix does, by exact elimination."""

from fractions import Fraction

import numpy as np
import pytest

from bnnray.exact.bounds import spread_of
from bnnray.exact.kernels.semidefinite import exceed


def is_semidefinite(matrix: np.ndarray) -> bool:
    """By Gauss in rationals."""
    rows = [[Fraction(int(x)) for x in row] for row in matrix]
    while rows:
        pivot = rows[0][0]
        if pivot < 0 or (pivot == 0 and any(rows[0])):
            return False
        if pivot > 0:
            for row in rows[1:]:
                factor = row[0] / pivot
                row[:] = [x - factor * y for x, y in zip(row, rows[0], strict=True)]
        rows = [row[1:] for row in rows[1:]]
    return True


def excess(matrix: np.ndarray, diagonal: np.ndarray) -> np.ndarray:
    return np.diag(diagonal) - matrix


def room(size: int):
    square = (size, size)
    return (
        np.zeros(square),
        np.zeros(square, dtype=np.int64),
        np.zeros(size, dtype=np.int64),
    )


def random_gram(rng, size: int, largest: int) -> np.ndarray:
    signs = rng.choice([-1, 0, 1], size=(size, int(rng.integers(1, 7))))
    return (signs * rng.integers(1, largest, size=signs.shape[1])) @ signs.T


def test_elimination_tells_a_semidefinite_matrix():
    assert is_semidefinite(np.array([[2, 2], [2, 2]]))
    assert not is_semidefinite(np.array([[2, 2], [2, 1]]))
    assert not is_semidefinite(np.array([[0, 1], [1, 5]]))


@pytest.mark.parametrize("largest", [2, 50, 10**7])
def test_a_proven_diagonal_exceeds_the_matrix(largest):
    rng = np.random.default_rng(largest)
    proven = raised = 0
    for _ in range(1000):
        size = int(rng.integers(1, 6))
        gram = random_gram(rng, size, largest)
        top = np.linalg.eigvalsh(gram.astype(float))[-1]
        guess = np.full(size, top * rng.choice([1 - 1e-9, 1, 1 + 1e-9, 1.001, 1.1]))
        guess += rng.integers(0, 2, size=size) * rng.random(size) * top
        diagonal = np.maximum(1, np.rint(guess)).astype(np.int64)
        before = diagonal.copy()
        if not exceed(size, gram, diagonal, *room(size)):
            assert np.array_equal(diagonal, before)
            continue
        proven += 1
        raised += bool(np.any(diagonal > before))
        assert np.all(diagonal >= before)
        assert is_semidefinite(excess(gram, diagonal))
    assert proven > 500
    assert raised > 50


def test_what_is_out_of_range_is_refused():
    for diagonal in (-1, 0, 2**51):
        found = np.array([diagonal, 5])
        assert not exceed(2, np.eye(2, dtype=np.int64), found, *room(2))
    far_off = np.array([[1, 2**40], [2**40, 1]])
    assert not exceed(2, far_off, np.array([2, 2]), *room(2))


def test_only_the_lower_triangle_is_read():
    gram = np.array([[3, 99], [1, 3]])
    diagonal = np.array([5, 5])
    assert exceed(2, gram, diagonal, *room(2))
    assert is_semidefinite(excess(np.array([[3, 1], [1, 3]]), diagonal))


def test_a_spread_exceeds_the_matrix_and_is_about_the_least():
    rng = np.random.default_rng(1)
    for _ in range(200):
        gram = random_gram(rng, int(rng.integers(1, 7)), 100)
        assert is_semidefinite(excess(gram, spread_of(gram)))
    many = rng.choice([-1, 1], size=(40, 600))
    spread = spread_of(many @ many.T)
    top = np.linalg.eigvalsh(np.diag(spread) - many @ many.T)[0]
    assert 0 <= top < 0.01 * spread[0]


def test_beyond_the_limit_the_spread_is_the_rows_sum(monkeypatch):
    monkeypatch.setattr("bnnray.exact.bounds.MOST_FACTORED", 2)
    gram = random_gram(np.random.default_rng(2), 5, 100)
    assert np.array_equal(spread_of(gram), np.maximum(1, np.abs(gram).sum(axis=1)))
    assert is_semidefinite(excess(gram, spread_of(gram)))
