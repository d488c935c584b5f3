"""Diagonals that exceed a symmetric matrix, with a proof in integers.

A diagonal t exceeds a matrix B if diag(t) - B is positive semidefinite. A Cholesky factor of
diag(t) - B in floats is scaled by 2^h and rounded to an integer matrix R. Whatever R is, R R^T is
positive semidefinite, and a symmetric matrix is if no entry of its diagonal is less than the sum
of the others of its row, without their signs. So t only has to grow, where the rest
E = 4^h (diag(t) - B) - R R^T asks for it, until that holds of E.

Ranges: of 2^11 rows at most; entries of R up to 2^25, so sums of their products up to 2^61;
entries of 4^h (diag(t) - B) up to 2^61; entries of E up to 2^50, so sums of a row up to 2^61. What
is beyond is refused.
"""

from __future__ import annotations

import numpy as np

from bnnray.exact.kernels.arrays import INTS, INTS2, f64, flag, i64
from bnnray.exact.kernels.bounds import DOUBLES, DOUBLES2, Float64Array
from bnnray.exact.kernels.compile import kernel
from bnnray.exact.problem import Int64Array

MOST_ROWS = 2**11
LARGEST_FACTOR = 2**25
LARGEST_REST = 2**50
LARGEST_SUM = 2**61

TINY = 1e-10
"""A pivot has to be so large, as a share of the diagonal."""


@kernel(f64(DOUBLES, DOUBLES, i64), floats=True)
def dot_of_first(a: Float64Array, b: Float64Array, count: int) -> float:
    total = 0.0
    for k in range(count):
        total += a[k] * b[k]
    return total


@kernel(i64(INTS, INTS, i64))
def product_of_first(a: Int64Array, b: Int64Array, count: int) -> int:
    total = 0
    for k in range(count):
        total += a[k] * b[k]
    return total


@kernel(flag(i64, DOUBLES2))
def factorize(size: int, matrix: Float64Array) -> bool:
    """Cholesky's factor of a matrix, of which the lower triangle is given, in its place.

    Returns:
        Whether the matrix seems to be positive definite.
    """
    for i in range(size):
        row = matrix[i]
        least = TINY * row[i]
        for j in range(i):
            other = matrix[j]
            row[j] = (row[j] - dot_of_first(row, other, j)) / other[j]
        pivot = row[i] - dot_of_first(row, row, i)
        if not (pivot > least and pivot > 0.0):
            return False
        row[i] = np.sqrt(pivot)
    return True


@kernel(i64(i64, INTS))
def spare_bits(size: int, diagonal: Int64Array) -> int:
    """The largest h >= 0 for which 4^h times the diagonal stays below the square of the largest
    factor; -1 if none is, or an entry is not positive."""
    most = 1
    for i in range(size):
        if diagonal[i] <= 0:
            return -1
        most = max(most, diagonal[i])
    room = LARGEST_FACTOR * LARGEST_FACTOR
    if most > room:
        return -1
    bits = 0
    while most <= room >> (2 * bits + 2):
        bits += 1
    return bits


@kernel(flag(i64, DOUBLES2, i64, INTS2))
def round_factor(size: int, factor: Float64Array, bits: int, rounded: Int64Array) -> bool:
    """The factor times 2^bits as integers; whether they are in range."""
    scale = np.float64(1 << bits)
    for i in range(size):
        for j in range(i + 1):
            entry = factor[i, j] * scale
            if not abs(entry) <= LARGEST_FACTOR - 1:
                return False
            rounded[i, j] = np.int64(np.rint(entry))
    return True


@kernel(flag(i64, INTS2, INTS, i64, INTS2, INTS))
def find_surplus(
    size: int,
    gram: Int64Array,
    diagonal: Int64Array,
    bits: int,
    rounded: Int64Array,
    surplus: Int64Array,
) -> bool:
    """By how much the rest's rows exceed their diagonal; whether all was in range."""
    surplus[:size] = 0
    largest = LARGEST_SUM >> (2 * bits)
    for i in range(size):
        for j in range(i + 1):
            entry = -gram[i, j]
            if i == j:
                entry += diagonal[i]
            if abs(entry) > largest:
                return False
            rest = (entry << (2 * bits)) - product_of_first(rounded[i], rounded[j], j + 1)
            if abs(rest) > LARGEST_REST:
                return False
            if i == j:
                surplus[i] -= rest
            else:
                surplus[i] += abs(rest)
                surplus[j] += abs(rest)
    return True


@kernel(flag(i64, INTS2, INTS, DOUBLES2, INTS2, INTS))
def exceed(
    size: int,
    gram: Int64Array,
    diagonal: Int64Array,
    factor: Float64Array,
    rounded: Int64Array,
    surplus: Int64Array,
) -> bool:
    """Raises a diagonal a little, so that it exceeds a matrix for certain.

    Args:
        gram: the matrix, its lower triangle; entries below 2^61.
        diagonal: one that seems to exceed it; raised in place.
        factor, rounded, surplus: room.

    Returns:
        Whether that is proven; else the diagonal is as it was.
    """
    bits = spare_bits(size, diagonal)
    if bits < 0 or size > MOST_ROWS:
        return False
    for i in range(size):
        for j in range(i):
            factor[i, j] = -np.float64(gram[i, j])
        factor[i, i] = np.float64(diagonal[i] - gram[i, i])
    if not (factorize(size, factor) and round_factor(size, factor, bits, rounded)):
        return False
    if not find_surplus(size, gram, diagonal, bits, rounded, surplus):
        return False
    for i in range(size):
        if surplus[i] > 0:
            diagonal[i] += (surplus[i] + (1 << (2 * bits)) - 1) >> (2 * bits)
    return True
