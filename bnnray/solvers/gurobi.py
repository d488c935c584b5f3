"""Gurobi. pip's own licence admits 2,000 variables and 2,000 rows."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from bnnray.errors import LicenceError, ModelTooLarge
from bnnray.solvers.interface import Limits, Patience, Problem, Progress, Report, Solution
from bnnray.verdicts import Status

STATUSES = {
    "OPTIMAL": Status.OPTIMAL,
    "INFEASIBLE": Status.INFEASIBLE,
    "TIME_LIMIT": Status.TIME_LIMIT,
    "WORK_LIMIT": Status.TIME_LIMIT,
    "ITERATION_LIMIT": Status.ITERATION_LIMIT,
    "NODE_LIMIT": Status.NODE_LIMIT,
    "SOLUTION_LIMIT": Status.NODE_LIMIT,
    "MEM_LIMIT": Status.MEMORY_LIMIT,
    "INTERRUPTED": Status.KILLED,
    "LOADED": Status.CRASHED,
    "INPROGRESS": Status.CRASHED,
    "INF_OR_UNBD": Status.INFEASIBLE,
    "UNBOUNDED": Status.CRASHED,
    "CUTOFF": Status.CRASHED,
    "USER_OBJ_LIMIT": Status.CRASHED,
    "NUMERIC": Status.CRASHED,
    "SUBOPTIMAL": Status.CRASHED,
    "LOCALLY_OPTIMAL": Status.CRASHED,
    "LOCALLY_INFEASIBLE": Status.CRASHED,
}
"""Every GRB.Status by name. Ours are linear programs over bounded variables without cutoffs of the
solver: a status that speaks of those is a failure, and "infeasible or unbounded" is infeasible."""


@dataclass(frozen=True)
class Gurobi:
    """The Gurobi branch-and-cut solver through gurobipy."""

    name: str = "gurobi"

    def solve(self, problem: Problem, limits: Limits, report: Report) -> Solution:
        import gurobipy as gp

        began = time.monotonic()
        try:
            with gp.Model(env=_environment()) as model:
                _build(gp, model, problem, limits)
                listener = _Listener(report, Patience(limits.patience))
                model.Params.TimeLimit = limits.left(began)
                model.optimize(listener)
                if listener.error is not None:
                    raise listener.error
                return _read(model, listener.patience)
        except gp.GurobiError as error:
            raise_licence_error(error, problem)
            return Solution(Status.CRASHED, message=f"Gurobi error {error.errno}: {error}")


def check_licence() -> None:
    """Starts and ends an environment.

    Raises:
        LicenceError: none can be started here.
    """
    import gurobipy as gp

    try:
        with gp.Env(params={"OutputFlag": 0}):
            return
    except gp.GurobiError as error:
        raise_licence_error(error, None)
        raise


def raise_licence_error(error: Any, problem: Problem | None) -> None:
    """Raises ours if a Gurobi error is about the licence; returns for any other."""
    from gurobipy import GRB

    if error.errno == GRB.Error.SIZE_LIMIT_EXCEEDED and problem is not None:
        model = problem.model
        raise ModelTooLarge(
            f"Gurobi's licence here admits smaller models than this one of {model.variables} "
            f'variables and {model.rows} rows; use backend = "highs" or a full licence'
        ) from None
    if error.errno in (GRB.Error.NO_LICENSE, GRB.Error.NETWORK):
        raise LicenceError(
            f"expected a Gurobi licence; Gurobi says: {error}; set GRB_LICENSE_FILE, unset it for "
            'pip\'s own licence, or use backend = "highs"'
        ) from None


@functools.cache
def _environment() -> Any:
    """One environment a process, kept: starting one may take a licence token and seconds."""
    import gurobipy as gp

    return gp.Env(params={"OutputFlag": 0})


def _build(gp: Any, model: Any, problem: Problem, limits: Limits) -> None:
    program = problem.model
    kinds = np.where(program.integer, gp.GRB.INTEGER, gp.GRB.CONTINUOUS)
    variables = model.addMVar(
        program.variables, lb=program.lower, ub=program.upper, vtype=kinds, obj=program.objective
    )
    model.ModelSense = gp.GRB.MAXIMIZE
    if program.rows:
        senses = np.where(program.equal, gp.GRB.EQUAL, gp.GRB.LESS_EQUAL)
        model.addMConstr(program.matrix, variables, senses, program.rhs)
    if problem.start is not None:
        variables.Start = problem.start
    model.Params.Threads = limits.threads
    model.Params.Seed = limits.seed % 2_000_000_000
    model.Params.MIPGap = 0.0
    model.Params.MIPGapAbs = program.gap
    model.Params.FeasibilityTol = 1e-6
    model.Params.IntFeasTol = 1e-6


class _Listener:
    """Passes progress on. gurobipy swallows what a callback raises, so it is kept here."""

    def __init__(self, report: Report, patience: Patience) -> None:
        self._report = report
        self.patience = patience
        self._bound = math.inf
        self.error: Exception | None = None

    def __call__(self, model: Any, where: int) -> None:
        try:
            progress = self._progress(model, where)
            if (progress is not None and self._report(progress)) or self.patience.look():
                model.terminate()
        except Exception as error:
            self.error = error
            model.terminate()

    def _progress(self, model: Any, where: int) -> Progress | None:
        from gurobipy import GRB

        ask = GRB.Callback
        if where == ask.MIPSOL:
            self.patience.renew()
            return Progress(
                values=np.array(model.cbGetSolution(model.getVars()), dtype=np.float64),
                objective=float(model.cbGet(ask.MIPSOL_OBJ)),
                bound=_finite(model.cbGet(ask.MIPSOL_OBJBND)),
                nodes=int(model.cbGet(ask.MIPSOL_NODCNT)),
            )
        if where != ask.MIP:
            return None
        bound = _finite(model.cbGet(ask.MIP_OBJBND))
        if bound >= self._bound:
            return None
        self._bound = bound
        return Progress(
            values=None,
            objective=float(model.cbGet(ask.MIP_OBJBST)),
            bound=bound,
            nodes=int(model.cbGet(ask.MIP_NODCNT)),
        )


def status_names() -> dict[int, str]:
    """Gurobi's status codes and their names."""
    from gurobipy import GRB

    return {getattr(GRB.Status, name): name for name in dir(GRB.Status) if name.isupper()}


def _read(model: Any, patience: Patience) -> Solution:
    native = status_names()[model.Status]
    status = STATUSES[native]
    if status is Status.KILLED and patience.over:
        status = Status.TIME_LIMIT
    nodes = int(model.NodeCount)
    if status is Status.INFEASIBLE:
        return Solution(status, bound=-math.inf, nodes=nodes)
    if status is Status.CRASHED:
        return Solution(status, nodes=nodes, message=f"Gurobi ended with {native}")
    values = np.array(model.X, dtype=np.float64) if model.SolCount else None
    return Solution(
        status=status,
        values=values,
        objective=float(model.ObjVal) if values is not None else -math.inf,
        bound=_finite(model.ObjBound),
        nodes=nodes,
    )


def _finite(bound: float) -> float:
    return float(bound) if abs(bound) < 1e90 else math.inf
