"""Gurobi. pip's own licence admits 2,000 variables and 2,000 rows."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from bnnray.errors import LicenceError, LicenceServerAway, LicenceTaken, ModelTooLarge
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

IN_USE = ("use limit", "too many sessions", "overage")
"""What token servers and the web licence service say, under several error codes, where all that was
bought is in use."""

AWAY = "failed to connect to token server"
"""Gurobi has no error code of its own for that."""

QUEUE_SECONDS = 5.0
"""How long to stand in the queue of a compute server. Gurobi's own default is for ever."""


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
            refusal = licence_error(error, problem)
            if refusal is None:
                return Solution(Status.CRASHED, message=f"Gurobi error {error.errno}: {error}")
            if not isinstance(refusal, ModelTooLarge):
                end_environment()  # its connection may be lost, and the next one whole
            raise refusal from None


def check_licence() -> None:
    """Starts and ends an environment.

    Raises:
        LicenceError: none can be started here.
        LicenceTaken: none can be started here now.
    """
    with _started():
        return


def begin_environment() -> None:
    """Starts this process's environment, unless it has one: from then on it holds a licence.

    Raises:
        LicenceError: none can be started here.
        LicenceTaken: none can be started here now.
    """
    _environment()


def end_environment() -> None:
    """Ends this process's environment, if it has one, and gives the licence back."""
    if _environment.cache_info().currsize:
        _environment().dispose()
        _environment.cache_clear()


def licence_error(error: Any, problem: Problem | None) -> LicenceError | None:
    """Ours if a Gurobi error is about the licence; None for any other."""
    from gurobipy import GRB

    says = str(error).lower()
    if error.errno == GRB.Error.SIZE_LIMIT_EXCEEDED and problem is not None:
        model = problem.model
        return ModelTooLarge(
            f"Gurobi's licence here admits smaller models than this one of {model.variables} "
            f'variables and {model.rows} rows; use backend = "highs" or a full licence'
        )
    if error.errno == GRB.Error.JOB_REJECTED or any(words in says for words in IN_USE):
        return LicenceTaken(f"all Gurobi licences are in use; Gurobi says: {error}")
    if error.errno == GRB.Error.NETWORK or AWAY in says:
        return LicenceServerAway(
            f"expected an answer of Gurobi's licence server; Gurobi says: {error}; see that it can "
            'be reached from here, set GRB_LICENSE_FILE, or use backend = "highs"'
        )
    if error.errno == GRB.Error.NO_LICENSE:
        return LicenceError(
            f"expected a Gurobi licence; Gurobi says: {error}; set GRB_LICENSE_FILE, unset it for "
            'pip\'s own licence, or use backend = "highs"'
        )
    return None


@functools.cache
def _environment() -> Any:
    """One environment a process, kept: starting one may take a licence token and seconds."""
    return _started()


def _started() -> Any:
    import gurobipy as gp

    try:
        return gp.Env(params={"OutputFlag": 0, "CSQueueTimeout": QUEUE_SECONDS})
    except gp.GurobiError as error:
        raise (licence_error(error, None) or error) from None


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
