"""SAT solvers through PySAT."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bnnray.encodings import Formula, Threshold
from bnnray.solvers.interface import Limits, Report, SatProblem, Solution
from bnnray.threat import FloatArray
from bnnray.verdicts import Status

FIRST_BUDGET = 200
"""Conflicts of the first call."""

PIECE = 10_000
"""Clauses that are handed over between two looks at the clock."""

SLICE = 0.2
"""Seconds that one call should take: a solver looks at its limit between calls only."""


@dataclass(frozen=True)
class Sat:
    """A SAT solver of PySAT.

    None of them keeps a time limit, and some cannot be interrupted; all keep a number of conflicts,
    so they are called again and again, with what they have learned, until their time is over. What
    takes too long between two conflicts is the business of who can kill the process.

    Args:
        name: PySAT's name of the solver.
        native: whether it takes cardinality constraints; to others a formula must not have any.
        proves: whether it can log a proof that :mod:`bnnray.proofs` can check.
    """

    name: str
    native: bool
    proves: bool = False

    def solve(self, problem: SatProblem, limits: Limits, report: Report) -> Solution:
        began = time.monotonic()
        with _opened(self.name, log=problem.proof) as solver:
            loaded = _load(solver, problem.formula, limits, began)
            built = time.monotonic() - began
            answer = _call(solver, limits, began) if loaded else None
            conflicts = solver.accum_stats()["conflicts"]
            solution = _solution(solver, answer, problem)
        return replace(solution, nodes=conflicts, build_seconds=built)


SAT_SOLVERS: Mapping[str, Sat] = {
    "minicard": Sat("minicard", native=True),
    "gluecard4": Sat("gluecard4", native=True, proves=True),
    "cadical195": Sat("cadical195", native=False, proves=True),
    "cadical300": Sat("cadical300", native=False, proves=True),
    "glucose4": Sat("glucose4", native=False, proves=True),
}
"""SAT solvers by the name that a job file uses."""


def _load(solver: Any, formula: Formula, limits: Limits, began: float) -> bool:
    """Hands a formula over; False if the time ended before."""
    if formula.impossible:
        solver.append_formula([[1], [-1]])
        return True
    for clauses in formula.clauses:
        for start in range(0, len(clauses), PIECE):
            if limits.left(began) == 0:
                return False
            solver.append_formula(clauses[start : start + PIECE].tolist())
    for threshold in formula.thresholds:
        if limits.left(began) == 0:
            return False
        for literals, most in at_most(threshold):
            solver.add_atmost(literals, most)
    return True


def at_most(threshold: Threshold) -> Iterator[tuple[list[int], int]]:
    """A cardinality constraint as "at most so many of these literals", one for each direction.

    With n literals, "g implies at least k" is: at most n of the negated literals and k times g.
    """
    literals, least, output = threshold.literals.tolist(), threshold.least, threshold.output
    negated, more = [-x for x in literals], len(literals) - least + 1
    if threshold.on:
        yield (negated + [output] * least, len(literals)) if output else (negated, more - 1)
    if threshold.off:
        yield literals + [-output] * more, len(literals)


@contextmanager
def _opened(name: str, *, log: bool) -> Iterator[Any]:
    from pysat.solvers import Solver

    with Solver(name=name, with_proof=log) as solver:
        yield solver


def _call(solver: Any, limits: Limits, began: float) -> bool | None:
    """Whether the formula can be satisfied; None if the time ended before."""
    budget = FIRST_BUDGET
    while limits.left(began) > 0:
        start = time.monotonic()
        solver.conf_budget(budget)
        answer: bool | None = solver.solve_limited()
        if answer is not None:
            return answer
        took = time.monotonic() - start
        budget = max(FIRST_BUDGET, int(budget * min(2.0, SLICE / max(took, 1e-3))))
    return None


def _solution(solver: Any, answer: bool | None, problem: SatProblem) -> Solution:
    if answer is None:
        return Solution(Status.TIME_LIMIT)
    if answer:
        return Solution(Status.OPTIMAL, values=_values(solver, problem.formula.variables))
    proof = tuple(solver.get_proof()) if problem.proof else ()
    return Solution(Status.INFEASIBLE, bound=float("-inf"), proof=proof)


def _values(solver: Any, variables: int) -> FloatArray:
    """1 for what is true, (variables,); what the solver never saw is false."""
    model = np.array(solver.get_model(), dtype=np.int64)
    true = model[(model > 0) & (model <= variables)]
    values = np.zeros(variables)
    values[true - 1] = 1.0
    return values
