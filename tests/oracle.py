"""The true maximum objective of a tiny question, by enumeration and exact rationals.

Nothing of bnnray's encodings or attacks is used: on the grid all inputs are tried, on the box all
first-layer sign patterns, each decided by an exact linear program that maximizes the slack of the
strict rows.
"""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np

from bnnray.threat import Domain, Norm, Question, Threat
from bnnray.verdicts import is_flip


def true_maximum(question: Question) -> Fraction:
    if question.threat.domain is Domain.GRID:
        return grid_maximum(question)
    return box_maximum(question)


def grid_inputs(question: Question) -> np.ndarray:
    """Every input of the question's region."""
    threat, levels = question.threat, question.threat.levels
    clean = [Fraction(int(pixel), question.levels) for pixel in question.pixels]
    choices = [
        [
            k
            for k in range(levels + 1)
            if abs(Fraction(k, levels) - pixel) <= (threat.epsilon if _may_change(threat, i) else 0)
        ]
        for i, pixel in enumerate(clean)
    ]
    most = len(clean) if threat.max_pixels is None else threat.max_pixels
    return np.array(
        [
            values
            for values in itertools.product(*choices)
            if sum(Fraction(k, levels) != x for k, x in zip(values, clean, strict=True)) <= most
        ]
    )


def _may_change(threat: Threat, pixel: int) -> bool:
    return threat.mask is None or pixel in threat.mask


def grid_maximum(question: Question) -> Fraction:
    inputs, levels = grid_inputs(question), question.threat.levels
    scores = question.network.scores(inputs, levels)
    return max(question.objective_of(row) for row in scores)


def box_maximum(question: Question) -> Fraction:
    first = question.network.hidden[0]
    rows, thresholds = first.rows().astype(int).tolist(), first.thresholds
    best = None
    for signs in itertools.product([1, -1], repeat=first.units):
        value = question.objective_of(_scores_of_signs(question, signs))
        if best is not None and value <= best:
            continue
        if any(reachable(rows, thresholds, signs, *ends) for ends in boxes(question)):
            best = value
    assert best is not None
    return best


def boxes(question: Question) -> list[tuple[list[Fraction], list[Fraction]]]:
    """The region as a union of boxes, each with its lower and upper ends: one for each choice of
    the pixels that change, where their number is limited."""
    threat, clean = question.threat, [Fraction(int(k), question.levels) for k in question.pixels]
    may = [i for i in range(len(clean)) if _may_change(threat, i)]
    most = len(may) if threat.max_pixels is None else min(threat.max_pixels, len(may))
    return [
        (
            [max(Fraction(0), x - threat.epsilon) if i in some else x for i, x in enumerate(clean)],
            [min(Fraction(1), x + threat.epsilon) if i in some else x for i, x in enumerate(clean)],
        )
        for some in itertools.combinations(may, most)
    ]


def true_distance(question: Question, norm: Norm) -> Fraction | None:
    """The distance of the nearest flip, or None where there is none; on the box the infimum."""
    if question.threat.domain is Domain.GRID:
        return grid_distance(question, norm)
    return box_distance(question, norm)


def grid_distance(question: Question, norm: Norm) -> Fraction | None:
    inputs, levels = grid_inputs(question), question.threat.levels
    clean = question.pixels * (levels // question.levels)
    moved = np.abs(inputs - clean)
    sizes = moved.max(axis=1) if norm is Norm.LINF else moved.sum(axis=1)
    flips = [
        Fraction(int(size), levels)
        for size, scores in zip(sizes, question.network.scores(inputs, levels), strict=True)
        if is_flip(question.objective_of(scores), question.threat.tie)
    ]
    return min(flips, default=None)


def box_distance(question: Question, norm: Norm) -> Fraction | None:
    """A cell of first-layer signs that has an input at all comes as near as its closure does."""
    first = question.network.hidden[0]
    rows, thresholds = first.rows().astype(int).tolist(), first.thresholds
    clean = [Fraction(int(k), question.levels) for k in question.pixels]
    found = []
    for signs in itertools.product([1, -1], repeat=first.units):
        value = question.objective_of(_scores_of_signs(question, signs))
        if is_flip(value, question.threat.tie):
            found += [
                nearest(rows, thresholds, signs, lower, upper, clean, norm)
                for lower, upper in boxes(question)
                if reachable(rows, thresholds, signs, lower, upper)
            ]
    return min(found, default=None)


def nearest(rows, thresholds, signs, lower, upper, clean, norm) -> Fraction:
    """The least distance from clean to the closed cell of the signs in a box.

    Variables are y = x - lower >= 0 and then the distance, or its parts for L1.
    """
    count = len(lower)
    parts = 1 if norm is Norm.LINF else count
    unit = [[int(i == j) for j in range(count)] for i in range(count)]
    a, b = [], []
    for row, t, sign in zip(rows, thresholds, signs, strict=True):
        rest = t - sum(w * x for w, x in zip(row, lower, strict=True))
        a.append([-sign * w for w in row] + [0] * parts)
        b.append(-sign * rest)
    for i in range(count):
        part = [-1] if norm is Norm.LINF else [-w for w in unit[i]]
        a += [unit[i] + [0] * parts, unit[i] + part, [-w for w in unit[i]] + part]
        b += [upper[i] - lower[i], clean[i] - lower[i], lower[i] - clean[i]]
    return -maximize([0] * count + [-1] * parts, a, b)


def _scores_of_signs(question: Question, signs: tuple[int, ...]) -> np.ndarray:
    values = np.array([signs])
    for layer in question.network.hidden[1:]:
        values = layer.fire(values, layer.sign_thresholds)
    return question.network.output.scores(values)[0]


def reachable(rows, thresholds, signs, lower, upper) -> bool:
    """Whether some x in the box has row . x >= t where the sign is +1 and < t where it is -1.

    Variables are y = x - lower >= 0 and the slack s >= 0 of the strict rows, at most 1.
    """
    count = len(lower)
    a, b = [], []
    for row, t, sign in zip(rows, thresholds, signs, strict=True):
        rest = t - sum(w * x for w, x in zip(row, lower, strict=True))
        if sign > 0:
            a.append([-w for w in row] + [0])
            b.append(-rest)
        else:
            a.append([*row, 1])
            b.append(rest)
    for i in range(count):
        a.append([int(i == j) for j in range(count)] + [0])
        b.append(upper[i] - lower[i])
    a.append([0] * count + [1])
    b.append(Fraction(1))
    largest = maximize([0] * count + [1], a, b)
    return largest is not None and (largest > 0 or all(s > 0 for s in signs))


def maximize(c, a, b) -> Fraction | None:
    """Max c.x over a x <= b, x >= 0, in rationals by the simplex method with Bland's rule.

    Bounded programs only. None if infeasible.
    """
    table = [[Fraction(v) for v in row] + [Fraction(r)] for row, r in zip(a, b, strict=True)]
    m, n = len(table), len(c)
    basis, free = list(range(n, n + m)), list(range(n))
    if min(row[-1] for row in table) < 0:
        for row in table:
            row.insert(n, Fraction(-1))
        free.append(-1)
        goal = [Fraction(0)] * n + [Fraction(-1), Fraction(0)]
        worst = min(range(m), key=lambda i: table[i][-1])
        _pivot(table, goal, basis, free, worst, n)
        _climb(table, goal, basis, free)
        if goal[-1] != 0:
            return None
        if -1 in basis:
            i = basis.index(-1)
            j = next(j for j in range(len(free)) if table[i][j] != 0)
            _pivot(table, goal, basis, free, i, j)
        j = free.index(-1)
        free.pop(j)
        for row in table:
            row.pop(j)
    goal = [Fraction(0)] * (len(free) + 1)
    for variable, value in enumerate(c):
        if variable in free:
            goal[free.index(variable)] += value
        else:
            row = table[basis.index(variable)]
            goal = [g - value * r for g, r in zip(goal, row, strict=True)]
    _climb(table, goal, basis, free)
    return -goal[-1]


def _climb(table, goal, basis, free) -> None:
    while True:
        entering = [j for j in range(len(free)) if goal[j] > 0]
        if not entering:
            return
        j = min(entering, key=lambda j: free[j])
        ratios = [(row[-1] / row[j], basis[i], i) for i, row in enumerate(table) if row[j] > 0]
        _pivot(table, goal, basis, free, min(ratios)[2], j)


def _pivot(table, goal, basis, free, i, j) -> None:
    row = table[i]
    p = row[j]
    table[i] = [v / p for v in row]
    table[i][j] = 1 / p
    for other in [*table[:i], *table[i + 1 :], goal]:
        factor = other[j]
        if factor:
            for k in range(len(other)):
                other[k] = other[k] - factor * table[i][k] if k != j else -factor / p
    basis[i], free[j] = free[j], basis[i]
