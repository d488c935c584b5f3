"""SAT solvers through PySAT: native cardinality constraints, or clauses in their place."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bnnray.encodings import AtLeast, Formula
from bnnray.errors import UsageError
from bnnray.solvers.interface import Limits, Report, SatProblem, Solution
from bnnray.threat import FloatArray
from bnnray.verdicts import Status

FIRST_BUDGET = 200
"""Conflicts of the first call."""

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
        native: whether it takes cardinality constraints as they are; else they become clauses.
        proves: whether it can log a proof that :mod:`bnnray.proofs` can check.
    """

    name: str
    native: bool
    proves: bool = False

    def solve(self, problem: SatProblem, limits: Limits, report: Report) -> Solution:
        began = time.monotonic()
        with _opened(self.name, log=problem.proof) as solver:
            form = self._load(solver, problem.formula, limits, began)
            built = time.monotonic() - began
            answer = _call(solver, limits, began) if form.whole else None
            nodes = solver.accum_stats()["conflicts"]
            return replace(
                _solution(solver, answer, problem),
                nodes=nodes,
                build_seconds=built,
                variables=form.variables,
                constraints=form.constraints,
            )

    def _load(self, solver: Any, formula: Formula, limits: Limits, began: float) -> _Form:
        """Hands a formula over, as far as the time admits."""
        if not all(formula.clauses):
            solver.append_formula([[1], [-1]])
            return _Form(formula.variables, formula.constraints)
        solver.append_formula(formula.clauses)
        form = _Form(formula.variables, len(formula.clauses))
        for cardinality in formula.cardinalities:
            if limits.left(began) == 0:
                return replace(form, whole=False)
            form = self._add(solver, cardinality, form)
        return form

    def _add(self, solver: Any, cardinality: AtLeast, form: _Form) -> _Form:
        literals, most = at_most(cardinality)
        if self.native:
            solver.add_atmost(literals, most)
            return replace(form, constraints=form.constraints + 1)
        clauses, variables = _as_clauses(literals, most, form.variables)
        solver.append_formula(clauses)
        return replace(form, variables=variables, constraints=form.constraints + len(clauses))


SAT_SOLVERS: Mapping[str, Sat] = {
    "minicard": Sat("minicard", native=True),
    "gluecard4": Sat("gluecard4", native=True, proves=True),
    "cadical195": Sat("cadical195", native=False),
    "cadical300": Sat("cadical300", native=False),
    "glucose4": Sat("glucose4", native=False),
}
"""SAT solvers by the name that a job file uses."""


@dataclass(frozen=True)
class _Form:
    """A formula as a solver has it, and whether it has all of it."""

    variables: int
    constraints: int
    whole: bool = True


def at_most(cardinality: AtLeast) -> tuple[list[int], int]:
    """A cardinality constraint as "at most so many of these literals", of which one may repeat.

    With n literals, "g implies at least k" is: at most n of the negated literals and k times g.
    """
    literals, least, given = cardinality.literals, cardinality.least, cardinality.given
    negated = (-literals).tolist()
    if not given:
        return negated, len(negated) - least
    return negated + [given] * least, len(negated)


def _as_clauses(literals: list[int], most: int, variables: int) -> tuple[list[list[int]], int]:
    """The same as clauses, and how many variables there are then."""
    from pysat.card import CardEnc, EncType

    cnf = CardEnc.atmost(literals, most, top_id=variables, encoding=EncType.kmtotalizer)
    return cnf.clauses, max(variables, cnf.nv)


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


def check_proves(name: str) -> None:
    """Refuses a solver that logs no proof that can be checked.

    Raises:
        UsageError: it is one of those.
    """
    if not SAT_SOLVERS[name].proves:
        can = ", ".join(solver for solver, sat in SAT_SOLVERS.items() if sat.proves)
        raise UsageError(f"{name} logs no proof that can be checked; use {can}")
