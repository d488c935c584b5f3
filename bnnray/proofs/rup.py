"""Reverse unit propagation over clauses and sums of literals (Goldberg and Novikov 2003).

A clause follows if assuming that all its literals are false leads to a contradiction by unit
propagation alone. So every clause that a SAT solver learns can be checked, one after the other, and
in the end the contradiction that nothing was assumed for. Clauses are never deleted: to know more
than the solver did can only help.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

TRUE, FALSE = 1, 2

Array = npt.NDArray[np.int64]


class Propagation:
    """What follows from a formula by unit propagation.

    Args:
        variables: 1, 2, ... up to this number.
        tick: called often; what it raises ends the work.
    """

    def __init__(self, variables: int, tick: Callable[[], None] = lambda: None) -> None:
        self._tick = tick
        self._values = bytearray(2 * variables + 1)  # by literal: -v counts from the end
        self._seen = np.frombuffer(self._values, dtype=np.int8)
        self._watching: list[list[list[int]]] = [[] for _ in range(2 * variables + 1)]
        self._trail: list[int] = []
        self._head = 0
        self._sums: list[tuple[int, Array, Array]] = []
        self._slack = np.zeros(0, dtype=np.int64)
        self._largest = np.zeros(0, dtype=np.int64)
        self._falsified: dict[int, tuple[Array, Array]] = {}
        self.contradiction = False

    def add_sums(self, sums: Sequence[tuple[int, Sequence[int], int]]) -> None:
        """Adds all cardinality constraints at once, before any clause: a literal, or 0 for always,
        that implies that at least so many of some literals are true; one may repeat."""
        members: dict[int, dict[int, int]] = {}
        slack = []
        for number, (given, literals, least) in enumerate(sums):
            self._tick()
            unique, counts = np.unique(np.array(literals, dtype=np.int64), return_counts=True)
            self._sums.append((given, unique, counts.astype(np.int64)))
            slack.append(len(literals) - least)
            for literal, count in zip(unique.tolist(), counts.tolist(), strict=True):
                members.setdefault(literal, {})[number] = count
            if given:
                members.setdefault(-given, {}).setdefault(number, 0)
        self._slack = np.array(slack, dtype=np.int64)
        self._largest = np.array([int(c.max(initial=1)) for _, _, c in self._sums], dtype=np.int64)
        self._falsified = {
            literal: (np.array(list(of)), np.array(list(of.values())))
            for literal, of in members.items()
        }
        self.contradiction = self._look_at(range(len(sums))) or self._propagate()

    def add(self, clause: Sequence[int]) -> None:
        """Adds a clause."""
        self._tick()
        free = [x for x in dict.fromkeys(clause) if self._values[x] != FALSE]
        if any(self._values[x] == TRUE for x in free):
            return
        if len(free) > 1:
            kept = list(free)
            self._watching[kept[0]].append(kept)
            self._watching[kept[1]].append(kept)
        elif not free:
            self.contradiction = True
        else:
            self._assign(free[0])
            self.contradiction = self.contradiction or self._propagate()

    def implies(self, clause: Sequence[int]) -> bool:
        """Whether assuming that a clause does not hold leads to a contradiction."""
        if self.contradiction or any(self._values[x] == TRUE for x in clause):
            return True
        start = len(self._trail)
        conflict = any(not self._assume(-x) for x in clause) or self._propagate()
        self._undo(start)
        return conflict

    def _assume(self, literal: int) -> bool:
        """Whether a literal may be true."""
        if self._values[literal] == 0:
            self._assign(literal)
        return self._values[literal] == TRUE

    def _assign(self, literal: int) -> None:
        self._values[literal], self._values[-literal] = TRUE, FALSE
        self._trail.append(literal)
        if -literal in self._falsified:
            numbers, counts = self._falsified[-literal]
            self._slack[numbers] -= counts

    def _undo(self, start: int) -> None:
        for literal in self._trail[start:]:
            self._values[literal] = self._values[-literal] = 0
            if -literal in self._falsified:
                numbers, counts = self._falsified[-literal]
                self._slack[numbers] += counts
        del self._trail[start:]
        self._head = start

    def _propagate(self) -> bool:
        """Assigns what follows; whether there is a contradiction."""
        while self._head < len(self._trail):
            literal = self._trail[self._head]
            self._head += 1
            self._tick()
            if self._look_at_clauses(-literal) or self._look_at_sums(-literal):
                return True
        return False

    def _look_at_clauses(self, false: int) -> bool:
        """After a literal became false: whether a clause has no other left."""
        values, watching = self._values, self._watching
        before, kept = watching[false], []
        for place, clause in enumerate(before):
            if clause[0] == false:
                clause[0], clause[1] = clause[1], false
            other = clause[0]
            if values[other] == TRUE:
                kept.append(clause)
                continue
            for number in range(2, len(clause)):
                if values[clause[number]] != FALSE:
                    clause[1], clause[number] = clause[number], false
                    watching[clause[1]].append(clause)
                    break
            else:
                kept.append(clause)
                if not self._assume(other):
                    watching[false] = kept + before[place + 1 :]
                    return True
        watching[false] = kept
        return False

    def _look_at_sums(self, false: int) -> bool:
        if false not in self._falsified:
            return False
        numbers, _ = self._falsified[false]
        tight = numbers[self._slack[numbers] < self._largest[numbers]]
        return self._look_at(tight.tolist())

    def _look_at(self, numbers: Sequence[int]) -> bool:
        """Of some sums: whether one cannot be reached though it must."""
        for number in numbers:
            given, literals, counts = self._sums[number]
            slack = self._slack[number]
            if slack < 0 and (not given or not self._assume(-given)):
                return True
            if slack >= 0 and (not given or self._values[given] == TRUE):
                missing = literals[(counts > slack) & (self._seen[literals] == 0)]
                for literal in missing.tolist():
                    self._assign(literal)
        return False
