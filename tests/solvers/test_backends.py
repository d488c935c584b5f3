"""One contract for every MILP back end, here and in a child process."""

import math
import time

import gurobipy
import highspy
import numpy as np
import pytest
from scipy import sparse

from bnnray.encodings import LinearModel
from bnnray.errors import LicenceError, ModelTooLarge, UsageError
from bnnray.processes import Nursery
from bnnray.solvers import (
    BACKENDS,
    CHILD_MODULES,
    Child,
    Gurobi,
    Highs,
    InProcess,
    Limits,
    Problem,
    check_licence,
    make_backend,
)
from bnnray.solvers import gurobi as gurobi_module
from bnnray.solvers import highs as highs_module
from bnnray.verdicts import Status


def program(objective, rows, rhs, *, equal=(), upper=1.0, integer=True) -> LinearModel:
    """A program over 0 <= v <= upper; ``equal`` lists the rows that are equations."""
    n = len(objective)
    return LinearModel(
        objective=np.array(objective, dtype=float),
        lower=np.zeros(n),
        upper=np.full(n, upper),
        integer=np.full(n, integer),
        matrix=sparse.csr_array(np.array(rows, dtype=float).reshape(len(rhs), n)),
        rhs=np.array(rhs, dtype=float),
        equal=np.isin(np.arange(len(rhs)), equal),
        integral=True,
    )


def knapsack(n: int, seed: int) -> LinearModel:
    """A multi-dimensional knapsack that takes branch and bound far longer than a second."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, 1000, size=(8, n))
    values = rows.sum(axis=0) / 8 + rng.integers(0, 400, size=n)
    return program(np.rint(values), rows, rows.sum(axis=1) // 3)


@pytest.fixture(params=sorted(BACKENDS))
def backend(request):
    return make_backend(request.param)


@pytest.fixture(scope="module")
def child():
    nursery = Nursery(CHILD_MODULES)
    yield Child(nursery.ready())
    nursery.close()


@pytest.fixture(params=["in process", "child"])
def solver(request, child):
    return InProcess() if request.param == "in process" else child


def collect(into: list):
    def report(progress) -> bool:
        into.append(progress)
        return False

    return report


def test_finds_and_proves_the_optimum(backend, solver):
    seen: list = []
    model = program([3, 4, 5], [[2, 3, 4]], [6])
    found = solver.solve(backend, Problem(model), Limits(10), collect(seen))
    assert found.status is Status.OPTIMAL
    assert found.values is not None
    assert np.rint(found.values).tolist() == [1, 0, 1]
    assert found.objective == pytest.approx(8)
    assert 8 <= found.bound + 1e-6 < 9
    assert found.peak_rss_bytes > 0


def test_says_infeasible_without_values(backend, solver):
    model = program([1, 1], [[1, 1], [-1, -1]], [0.4, -0.6])
    found = solver.solve(backend, Problem(model), Limits(10), collect([]))
    assert (found.status, found.values, found.bound) == (Status.INFEASIBLE, None, -math.inf)


def test_equations_hold_beside_inequalities(backend, solver):
    model = program([3, 1, 2], [[1, 1, 1], [1, -1, 0]], [2, 0], equal=[1])
    found = solver.solve(backend, Problem(model), Limits(10), collect([]))
    assert (found.status, np.rint(found.values).tolist()) == (Status.OPTIMAL, [1, 1, 0])
    model = program([-3, -2, -1], [[1, 1, 1], [1, -1, 0]], [2, 0.5], equal=[0])
    found = solver.solve(backend, Problem(model), Limits(10), collect([]))
    assert (found.status, np.rint(found.values).tolist()) == (Status.OPTIMAL, [0, 1, 1])


def test_an_equation_that_cannot_hold_is_infeasible(backend, solver):
    model = program([1, 1], [[1, 1]], [0.5], equal=[0])
    found = solver.solve(backend, Problem(model), Limits(10), collect([]))
    assert (found.status, found.values) == (Status.INFEASIBLE, None)


def test_an_equation_over_real_numbers(backend, solver):
    model = program([1, 0], [[1, 1]], [0.7], equal=[0], integer=False)
    found = solver.solve(backend, Problem(model), Limits(10), collect([]))
    assert found.values == pytest.approx([0.7, 0.0])


def test_a_program_without_rows_or_integers(backend, solver):
    model = program([1, -1], [], [], upper=2.0, integer=False)
    found = solver.solve(backend, Problem(model), Limits(10), collect([]))
    assert found.status is Status.OPTIMAL
    assert found.objective == pytest.approx(2)
    assert found.bound == pytest.approx(2)


def test_the_time_limit_keeps_the_incumbent_and_a_bound(backend, solver):
    seen: list = []
    found = solver.solve(backend, Problem(knapsack(120, 1)), Limits(0.7), collect(seen))
    assert found.status is Status.TIME_LIMIT
    assert found.values is not None
    assert found.objective <= found.bound < math.inf
    assert any(p.values is not None for p in seen)
    improving = [p.objective for p in seen if p.values is not None]
    assert improving == sorted(improving)


def test_lost_patience_keeps_the_incumbent_and_a_bound(backend, solver):
    """It ends long before its limit, as if its time were over."""
    limits = Limits(300, patience=0.5)
    began = time.monotonic()
    found = solver.solve(backend, Problem(knapsack(120, 1)), limits, collect([]))
    assert time.monotonic() - began < 100
    assert found.status is Status.TIME_LIMIT
    assert found.values is not None
    assert found.objective <= found.bound < math.inf


def test_starts_from_what_it_is_given(backend, solver):
    model = knapsack(120, 2)
    start = np.zeros(120)
    found = solver.solve(backend, Problem(model, start), Limits(0.5), collect([]))
    assert found.values is not None
    assert found.objective >= 0


def test_stops_when_told(backend, solver):
    def stop_at_first(progress) -> bool:
        return progress.values is not None

    found = solver.solve(backend, Problem(knapsack(120, 3)), Limits(20), stop_at_first)
    assert found.status is Status.KILLED
    assert found.values is not None


def test_what_the_report_raises_ends_the_solve(backend):
    def broken(_progress) -> bool:
        raise ValueError("broken report")

    with pytest.raises(ValueError, match="broken report"):
        InProcess().solve(backend, Problem(knapsack(60, 4)), Limits(5), broken)


def test_every_status_of_highs_is_translated():
    native = {n for n in dir(highspy.HighsModelStatus) if n.startswith("k")}
    assert set(highs_module.STATUSES) == native
    optimal = {n for n, s in highs_module.STATUSES.items() if s is Status.OPTIMAL}
    infeasible = {n for n, s in highs_module.STATUSES.items() if s is Status.INFEASIBLE}
    assert optimal == {"kOptimal", "kModelEmpty"}
    assert infeasible == {"kInfeasible", "kUnboundedOrInfeasible"}


def test_every_status_of_gurobi_is_translated():
    native = {n for n in dir(gurobipy.GRB.Status) if n.isupper()}
    assert set(gurobi_module.STATUSES) == native == set(gurobi_module.status_names().values())
    optimal = {n for n, s in gurobi_module.STATUSES.items() if s is Status.OPTIMAL}
    infeasible = {n for n, s in gurobi_module.STATUSES.items() if s is Status.INFEASIBLE}
    assert optimal == {"OPTIMAL"}
    assert infeasible == {"INFEASIBLE", "INF_OR_UNBD"}


def test_a_model_beyond_pips_licence_is_one_sentence(solver):
    large = program(np.ones(2001), [np.ones(2001)], [5])
    with pytest.raises(ModelTooLarge, match='2001 variables and 1 rows; use backend = "highs"'):
        solver.solve(Gurobi(), Problem(large), Limits(5), collect([]))


def test_highs_takes_that_model():
    large = program(np.ones(2001), [np.ones(2001)], [5])
    assert InProcess().solve(Highs(), Problem(large), Limits(5), collect([])).objective == 5


def test_a_missing_licence_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("GRB_LICENSE_FILE", str(tmp_path / "none.lic"))
    with pytest.raises(LicenceError, match="expected a Gurobi licence"):
        check_licence()


def test_an_unknown_back_end_lists_the_known():
    with pytest.raises(UsageError, match=r"did you mean 'highs'\? valid: gurobi, highs"):
        make_backend("hihgs")
