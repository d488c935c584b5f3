"""The search tree of one target, advanced in short slices.

A slice takes about 10 ms, so that limits hold and what is found is told at once; between slices
everything is in arrays, and nothing runs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from bnnray.exact.bounds import make_bounds, make_ellipsoid
from bnnray.exact.cell import Cell
from bnnray.exact.kernels import (
    BOUND,
    DONE,
    LEAF,
    Clauses,
    Ellipsoid,
    advance,
    evaluate,
    learn,
    make_active,
    make_clauses,
    make_scratch,
    make_stack,
    make_state,
    note_certificate,
)
from bnnray.exact.leaf import Ending, Leaf
from bnnray.exact.problem import pack
from bnnray.exact.proof import ProofText
from bnnray.exact.reduction import FirstLayer, Target
from bnnray.threat import Domain, Witness

SLICE_SECONDS = 0.01
FIRST_WORK, LEAST_WORK, MOST_WORK = 2_000_000, 100_000, 2_000_000_000

CLAUSE_ROOM = 10_000
"""How many clauses are kept; the half that was of no use for longest goes when it is full."""

MOST_COMPLETED = 8
"""With so many free rows a node is tried with all of their signs; more take longer than to branch
(measured; 6 to 10 differ little)."""


@dataclass
class Knowledge:
    """What was learned of the first layer; it holds for every target and every line.

    Attributes:
        clauses: the room for them.
        ellipsoid: of all rows.
        count: how many there are.
        learned: how many there ever were.
    """

    clauses: Clauses
    ellipsoid: Ellipsoid
    count: int = 0
    learned: int = 0


def no_knowledge(first: FirstLayer) -> Knowledge:
    """Before anything was learned."""
    return Knowledge(make_clauses(len(first.units), CLAUSE_ROOM), make_ellipsoid(first.rows))


class Tree:
    """The search for inputs above a line, first the root.

    Args:
        first, target: the reduced question.
        knowledge: what was learned before; more is added.
        start: an input of the region.
        line: an objective; what does not exceed it is of no interest.
        proof: where the tree is to be written, if it is; then without the bounds by an ellipsoid
            and a quadratic, which the checker does not know.
        free: bool (rows,), the rows that may be on another side than at the start; all if None.
            What is proven then holds of that neighbourhood only.
    """

    def __init__(
        self,
        first: FirstLayer,
        target: Target,
        knowledge: Knowledge,
        start: Witness,
        line: Fraction,
        proof: ProofText | None = None,
        free: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        rows, later = first.rows, target.later
        self._first, self._target, self._knowledge = first, target, knowledge
        count, pixels = rows.weights.shape
        self._stack = make_stack(count, pixels)
        self._active = make_active(count)
        self._bounds = make_bounds(knowledge.ellipsoid, later, used=proof is None)
        self._scratch = make_scratch(rows, later)
        self._state = make_state(target.values.line(line))
        self._state.clauses, self._state.conflicts = knowledge.count, knowledge.learned
        self._state.most_completed = MOST_COMPLETED
        self._proof = proof
        self._state.noting = int(proof is not None)
        self._stack.point[0] = first.point(start)
        if free is not None:
            fires = first.distances(start) >= 0
            self._stack.firing[0], self._stack.still[0] = pack(fires & ~free), pack(~fires & ~free)
        self._stack.upper[0] = int(np.maximum(later.gains, 0).sum())
        self._leaf: Leaf | None = None
        self._work = FIRST_WORK
        self.undecided: int | None = None
        self.finished = False

    @property
    def nodes(self) -> int:
        """Visited so far."""
        return int(self._state.nodes)

    @property
    def bound(self) -> Fraction:
        """What no input exceeds: the line, or the bound of an open node or an undecided leaf."""
        state, stack = self._state, self._stack
        depth = int(state.depth)
        uppers = [int(state.line)]
        if self.undecided is not None:
            uppers.append(self.undecided)
        if depth >= 0:
            open_ = stack.children[: depth + 1] < 2
            open_[depth] |= state.entering == 1
            uppers += stack.upper[: depth + 1][open_].tolist()
        return self._target.values.objective(max(uppers))

    def raise_line(self, line: Fraction) -> None:
        """What does not exceed this objective is of no interest any more."""
        self._state.line = max(int(self._state.line), self._target.values.line(line))

    def advance(self, nodes: int) -> Witness | None:
        """Searches for a slice.

        Args:
            nodes: to visit at most.

        Returns:
            An input that seems to be above the line, for the replay to judge.
        """
        if self._leaf is not None:
            self._settle(self._leaf)
        else:
            self._grow(nodes)
        self._knowledge.count = int(self._state.clauses)
        self._knowledge.learned = int(self._state.conflicts)
        self._write()
        if not self._state.found:
            return None
        self._state.found = 0
        return self._first.witness(self._scratch.best)

    def _grow(self, nodes: int) -> None:
        began = time.perf_counter()
        ended = advance(
            self._first.rows,
            self._target.later,
            self._stack,
            self._knowledge.clauses,
            self._active,
            self._bounds,
            self._scratch,
            self._state,
            self._work,
            nodes,
        )
        self._pace(time.perf_counter() - began, paused=ended not in (DONE, LEAF))
        self.finished = ended == DONE
        if ended == LEAF:
            cell = Cell(self._first.rows, self._active, self._scratch, self._state)
            point = self._stack.point[int(self._state.depth)]
            self._leaf = Leaf(cell, point, whole=self._first.region.domain is Domain.GRID)

    def _write(self, *more: int) -> None:
        """Hands events to the proof."""
        if self._proof is not None:
            noted = self._scratch.events[: self._state.noted].tolist()
            self._proof.add([*noted, *more])
            self._state.noted = 0

    def _settle(self, leaf: Leaf) -> None:
        """Works on a leaf for a slice."""
        state = self._state
        depth = int(state.depth)
        upper = int(self._stack.upper[depth])
        if upper <= state.line:
            self._write(BOUND)
            self._close()
            return
        ending = leaf.advance()
        if ending is Ending.REACHED:
            rows, later = self._first.rows, self._target.later
            evaluate(rows, later, self._scratch.lattice, self._scratch, state)
        elif ending is Ending.REFUTED:
            if leaf.events:
                self._write(*leaf.events)
            else:
                note_certificate(self._active, self._scratch, state)
            if leaf.support:
                support = np.array(leaf.support)
                learn(self._knowledge.clauses, state, self._active, support, len(support))
            self._close()
        elif ending is Ending.UNDECIDED:
            self.undecided = upper if self.undecided is None else max(self.undecided, upper)
            self._close()

    def _close(self) -> None:
        self._leaf = None
        self._state.depth -= 1

    def _pace(self, seconds: float, *, paused: bool) -> None:
        """Fits the work of a slice to its time."""
        if seconds > 2 * SLICE_SECONDS:
            self._work = max(LEAST_WORK, self._work // 2)
        elif paused and seconds < SLICE_SECONDS / 2:
            self._work = min(MOST_WORK, self._work * 2)
