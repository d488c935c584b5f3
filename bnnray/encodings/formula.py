"""A formula of clauses and cardinality constraints, as every SAT back end takes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Literals = npt.NDArray[np.int32]
"""Variables are 1, 2, ...; v says that variable v is true, -v that it is false."""


@dataclass(frozen=True, eq=False)
class Threshold:
    """How many of some literals are true, compared with a number; one that repeats counts so often.

    Args:
        literals: int32 (n,).
        least: from 2 to n - 1; what lies outside is said by clauses.
        output: a literal, or 0 where at least so many are always to be true.
        on: if the output is true, at least ``least`` of the literals are.
        off: if the output is false, fewer than ``least`` are.
    """

    literals: Literals
    least: int
    output: int
    on: bool
    off: bool


@dataclass(frozen=True, eq=False)
class Formula:
    """Clauses and cardinality constraints that are to hold together.

    Args:
        variables: how many.
        clauses: int32 arrays (clauses, literals), those of equal length together; a clause of no
            literals cannot hold.
        thresholds: what the clauses do not say.
    """

    variables: int
    clauses: Sequence[Literals]
    thresholds: Sequence[Threshold]

    @property
    def constraints(self) -> int:
        """How many clauses there are, and cardinality constraints, one a direction."""
        return sum(map(len, self.clauses)) + sum(t.on + t.off for t in self.thresholds)

    @property
    def impossible(self) -> bool:
        """Whether a clause has no literals."""
        return any(block.shape[1] == 0 for block in self.clauses)


@dataclass
class FormulaBuilder:
    """Collects the parts of a formula."""

    variables: int = 0
    thresholds: list[Threshold] = field(default_factory=list)
    _blocks: list[Literals] = field(default_factory=list)
    _clauses: dict[int, list[Sequence[int]]] = field(default_factory=lambda: defaultdict(list))

    def fresh(self, count: int) -> Literals:
        """New variables (count,)."""
        first = self.variables + 1
        self.variables += count
        return np.arange(first, first + count, dtype=np.int32)

    def clause(self, *literals: int) -> None:
        """One of the literals is true."""
        self._clauses[len(literals)].append(literals)

    def block(self, *columns: npt.NDArray[np.signedinteger]) -> None:
        """In each row one of the literals is true; a column (clauses,) is an argument."""
        self._blocks.append(np.stack(columns, axis=1).astype(np.int32))

    def threshold(
        self, literals: Literals, least: int, output: int = 0, *, on: bool = True, off: bool = False
    ) -> None:
        """A cardinality constraint, see :class:`Threshold`, with any ``least``."""
        if 1 < least < len(literals):
            self.thresholds.append(Threshold(literals, least, output, on, off))
            return
        if on:
            self._all_or_one(literals, least, (-output,) if output else ())
        if off:
            self._all_or_one(-literals, len(literals) - least + 1, (output,))

    def _all_or_one(self, literals: Literals, least: int, unless: tuple[int, ...]) -> None:
        """None, one, all or more than all of the literals are to be true."""
        if least > len(literals):
            self.clause(*unless)
        elif least == len(literals):
            for literal in literals.tolist():
                self.clause(*unless, literal)
        elif least == 1:
            self.clause(*unless, *literals.tolist())

    def build(self) -> Formula:
        """The formula of what was collected."""
        singles = [
            np.array(clauses, dtype=np.int32).reshape(len(clauses), length)
            for length, clauses in self._clauses.items()
        ]
        return Formula(self.variables, (*singles, *self._blocks), tuple(self.thresholds))
