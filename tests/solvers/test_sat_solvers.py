"""One contract for every SAT solver, here and in a child process."""

from __future__ import annotations

import time
from itertools import combinations

import numpy as np
import pytest

from bnnray.encodings.counters import add_counters
from bnnray.encodings.formula import Formula, FormulaBuilder
from bnnray.processes import Nursery
from bnnray.solvers import CHILD_MODULES, SAT_SOLVERS, Child, InProcess, Limits, SatProblem
from bnnray.verdicts import Status

PYSAT = ("pysat.solvers",)


@pytest.fixture(scope="module")
def child():
    nursery = Nursery([*CHILD_MODULES, *PYSAT])
    child = Child(nursery.ready())
    yield child
    child.close()
    nursery.close()


@pytest.fixture(params=sorted(SAT_SOLVERS))
def sat(request):
    return SAT_SOLVERS[request.param]


@pytest.fixture(params=["in process", "child"])
def solver(request, child):
    return InProcess() if request.param == "in process" else child


def never(_progress) -> bool:
    return False


def pigeons(holes: int) -> Formula:
    """One pigeon more than holes, in clauses: without a solution, and hard to refute."""
    out = FormulaBuilder()
    places = out.fresh((holes + 1) * holes).reshape(holes + 1, holes)
    for pigeon in places.tolist():
        out.clause(*pigeon)
    for hole in places.T.tolist():
        for one, other in combinations(hole, 2):
            out.clause(-one, -other)
    return out.build()


def choose(some: int, of: int, native: bool) -> Formula:
    out = FormulaBuilder()
    literals = out.fresh(of)
    out.threshold(literals, some)
    out.threshold(-literals, of - some)
    if not native:
        add_counters(out, lambda _: True)
    return out.build()


def test_it_finds_a_solution(sat, solver):
    formula = choose(4, 9, sat.native)
    found = solver.solve(sat, SatProblem(formula), Limits(30), never)
    assert found.status is Status.OPTIMAL
    assert found.values[:9].sum() == 4
    assert found.values.shape == (formula.variables,)
    assert found.peak_rss_bytes > 0


def test_it_says_that_there_is_none(sat, solver):
    found = solver.solve(sat, SatProblem(pigeons(5)), Limits(30), never)
    assert (found.status, found.values) == (Status.INFEASIBLE, None)
    assert found.nodes > 0


def test_an_empty_clause_and_no_clause_at_all(sat, solver):
    out = FormulaBuilder()
    nothing = solver.solve(sat, SatProblem(out.build()), Limits(30), never)
    assert nothing.status is Status.OPTIMAL
    out.clause()
    assert solver.solve(sat, SatProblem(out.build()), Limits(30), never).status is Status.INFEASIBLE


def test_the_limit_ends_it_in_a_child_whatever_it_does(sat, child):
    """None of them keeps a time limit by itself, and not all can be interrupted."""
    began = time.monotonic()
    found = child.solve(sat, SatProblem(pigeons(40)), Limits(0.7), never)
    assert found.status in (Status.TIME_LIMIT, Status.KILLED)
    assert found.values is None
    assert time.monotonic() - began < 30
    again = child.solve(sat, SatProblem(choose(2, 5, sat.native)), Limits(30), never)
    assert again.status is Status.OPTIMAL


def test_the_limit_is_kept_between_calls_without_a_child(sat):
    found = InProcess().solve(sat, SatProblem(pigeons(11)), Limits(0.5), never)
    assert found.status is Status.TIME_LIMIT


def test_the_limit_holds_while_a_formula_is_handed_over(sat):
    found = sat.solve(SatProblem(pigeons(20)), Limits(0.0), never)
    assert (found.status, found.values) == (Status.TIME_LIMIT, None)


@pytest.mark.parametrize("name", [name for name, sat in SAT_SOLVERS.items() if sat.proves])
def test_a_log_ends_with_the_contradiction(name, solver):
    sat = SAT_SOLVERS[name]
    found = solver.solve(sat, SatProblem(pigeons(5), proof=True), Limits(30), never)
    assert any(line.split() == ["0"] for line in found.proof)
    assert all(line.endswith("0") for line in found.proof)


def test_what_is_true_is_an_array_of_ones_and_zeros(sat, solver):
    found = solver.solve(sat, SatProblem(choose(1, 6, sat.native)), Limits(30), never)
    assert set(np.unique(found.values)) == {0.0, 1.0}
