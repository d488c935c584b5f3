"""A formula of clauses and cardinality constraints, as every SAT back end takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Literals = npt.NDArray[np.int32]
"""Variables are 1, 2, ...; v says that variable v is true, -v that it is false."""


@dataclass(frozen=True, eq=False)
class AtLeast:
    """If ``given`` is true, at least ``least`` of the literals are; one that repeats counts so often.

    Args:
        literals: int32 (n,).
        least: from 2 to n - 1; what lies outside is a clause or nothing.
        given: a literal, or 0 where the constraint always holds.
    """

    literals: Literals
    least: int
    given: int


@dataclass(frozen=True, eq=False)
class Formula:
    """Clauses and cardinality constraints that are to hold together.

    Args:
        variables: how many.
        clauses: an empty one cannot hold.
        cardinalities: what the clauses do not say.
    """

    variables: int
    clauses: Sequence[Sequence[int]]
    cardinalities: Sequence[AtLeast]

    @property
    def constraints(self) -> int:
        """How many clauses and cardinality constraints there are."""
        return len(self.clauses) + len(self.cardinalities)


@dataclass
class FormulaBuilder:
    """Collects the parts of a formula."""

    variables: int = 0
    clauses: list[Sequence[int]] = field(default_factory=list)
    cardinalities: list[AtLeast] = field(default_factory=list)

    def fresh(self, count: int) -> Literals:
        """New variables (count,)."""
        first = self.variables + 1
        self.variables += count
        return np.arange(first, first + count, dtype=np.int32)

    def clause(self, *literals: int) -> None:
        """One of the literals is true."""
        self.clauses.append(literals)

    def at_least(self, literals: Literals, least: int, given: int = 0) -> None:
        """At least so many of the literals are true; a literal may repeat."""
        condition = (-given,) if given else ()
        if least > len(literals):
            self.clause(*condition)
        elif least == len(literals):
            for literal in literals.tolist():
                self.clause(*condition, literal)
        elif least == 1:
            self.clause(*condition, *literals.tolist())
        elif least > 1:
            self.cardinalities.append(AtLeast(literals, least, given))

    def at_most(self, literals: Literals, most: int, given: int = 0) -> None:
        """At most so many of the literals are true; a literal may repeat."""
        self.at_least(-literals, len(literals) - most, given)

    def build(self) -> Formula:
        """The formula of what was collected."""
        return Formula(self.variables, self.clauses, self.cardinalities)
