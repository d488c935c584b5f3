"""Good starts for IProp's subproblems, without a solver.

They make it sound to end a subproblem early: whatever the solver does, the answer is at least this.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bnnray.encodings import HiddenProblem, InputProblem, Rows
from bnnray.encodings.linear_model import BoolArray
from bnnray.threat import FloatArray, Witness

SEARCH_WORK, DESCENT_WORK = 10**8, 3 * 10**8
"""Entries of the rows that each start may look at, so that large layers take a second and not
minutes. Not a clock, as a seed must repeat a run."""

MOVES = 300
"""Turns that the tabu search makes, unless that is too much work."""

WORTH = 6.0
"""A row that holds weighs as much as this shortfall of others."""

TABU = (2, 7)
"""For how many moves a sign that was turned stays: drawn from the first to below the second."""

ROUNDS, DESCENT_STEPS = 15, 60
"""How often rows are given up in the descent, unless that is too much work, and its steps between
that."""

GIVEN_UP = 0.15
"""The part of the short rows that is given up in a round."""

NEAR, ROUNDING = 1e-3, 4.0
"""By how much the descent aims beyond each row, on the box and, for the rounding, on the grid."""


def start_hidden(problem: HiddenProblem, rng: np.random.Generator) -> FloatArray:
    """A start for problem (9) by tabu search over the turns, from none.

    A move turns the sign after which the rows that hold, and the sum by which others are short,
    are best. The best assignment is kept.
    """
    rows, turns = problem.rows, np.zeros(len(problem.free), dtype=bool)
    slack = -rows.needs
    best, best_value = turns, _value(problem, turns, slack)
    if not rows.gains.size:
        return problem.assignment(best)
    tabu_until = np.zeros(len(turns), dtype=np.int64)
    for move in range(min(MOVES, SEARCH_WORK // rows.gains.size)):
        after = slack[:, None] + rows.gains * np.where(turns, -1.0, 1.0)
        merit = WORTH * (after >= 0).sum(axis=0) + np.minimum(after, 0).sum(axis=0)
        chosen = int(np.argmax(np.where(move < tabu_until, -np.inf, merit)))
        tabu_until[chosen] = move + 1 + int(rng.integers(*TABU))
        turns = turns.copy()
        turns[chosen] = not turns[chosen]
        slack = after[:, chosen]
        value = _value(problem, turns, slack)
        if value > best_value:
            best, best_value = turns, value
    return problem.assignment(best)


def start_input(problem: InputProblem, incumbent: Witness) -> FloatArray:
    """A start for problem (10): the incumbent, or a better input found by descent from it.

    Accelerated projected gradient descent on the rows' squared shortfalls; after each round the
    rows that are shortest are given up, and those that hold again are taken back.
    """
    best = problem.assignment(incumbent)
    rows, pixels = problem.rows, problem.pixels
    if not rows.gains.size or pixels.limit is not None:
        return best
    on_grid = bool(pixels.integer.any())
    aims = rows.needs + (ROUNDING if on_grid else NEAR)
    for values in _descend(rows, aims, best[: pixels.pixels]):
        found = problem.assignment(pixels.witness_of(values))
        if problem.model.objective @ found > problem.model.objective @ best:
            best = found
    return best


def _value(problem: HiddenProblem, turns: BoolArray, slack: FloatArray) -> int:
    return (len(problem.signs) + 1) * int((slack >= 0).sum()) - int(turns.sum())


def _descend(rows: Rows, aims: FloatArray, start: FloatArray) -> Iterator[FloatArray]:
    """The values (columns,) after each round."""
    rate = 1.0 / _curvature(rows.gains)
    values, kept = start, np.ones(len(aims), dtype=bool)
    rounds = DESCENT_WORK // (DESCENT_STEPS * rows.gains.size)
    for _ in range(min(ROUNDS, max(1, rounds))):
        ahead, momentum = values, 1.0
        for _ in range(DESCENT_STEPS):
            short = np.where(kept, np.maximum(aims - rows.gains @ ahead, 0), 0)
            stepped = np.clip(ahead + rate * (short @ rows.gains), rows.lower, rows.upper)
            faster = (1 + math.sqrt(1 + 4 * momentum * momentum)) / 2
            ahead = stepped + (momentum - 1) / faster * (stepped - values)
            values, momentum = stepped, faster
        yield values
        slack = rows.gains @ values - rows.needs
        short = np.where(kept, -slack, 0)
        shortest = np.argsort(-short)[: max(1, int(GIVEN_UP * (short > 0).sum()))]
        if short[shortest[0]] <= 0:
            return
        kept[shortest] = False
        kept |= slack >= 0


def _curvature(gains: FloatArray) -> float:
    """An upper estimate of the largest eigenvalue of gains . gains^T, by power iteration."""
    vector = np.ones(gains.shape[1])
    for _ in range(20):
        vector = (gains @ vector) @ gains
        vector /= np.linalg.norm(vector) or 1.0
    return 1.1 * float(np.linalg.norm(gains @ vector)) ** 2 or 1.0
