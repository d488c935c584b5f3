"""HiGHS, the free back end."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from bnnray.solvers.interface import Limits, Patience, Problem, Progress, Report, Solution
from bnnray.verdicts import Status

STATUSES = {
    "kOptimal": Status.OPTIMAL,
    "kModelEmpty": Status.OPTIMAL,
    "kInfeasible": Status.INFEASIBLE,
    "kTimeLimit": Status.TIME_LIMIT,
    "kIterationLimit": Status.ITERATION_LIMIT,
    "kMemoryLimit": Status.MEMORY_LIMIT,
    "kSolutionLimit": Status.NODE_LIMIT,
    "kInterrupt": Status.KILLED,
    "kHighsInterrupt": Status.KILLED,
    "kObjectiveBound": Status.CRASHED,
    "kObjectiveTarget": Status.CRASHED,
    "kUnbounded": Status.CRASHED,
    "kUnboundedOrInfeasible": Status.INFEASIBLE,
    "kUnknown": Status.CRASHED,
    "kNotset": Status.CRASHED,
    "kLoadError": Status.CRASHED,
    "kModelError": Status.CRASHED,
    "kPresolveError": Status.CRASHED,
    "kSolveError": Status.CRASHED,
    "kPostsolveError": Status.CRASHED,
}
"""Every HighsModelStatus by name. Ours are programs over bounded variables without objective
targets: a status that speaks of those is a failure, and "unbounded or infeasible" is infeasible."""


@dataclass(frozen=True)
class Highs:
    """The HiGHS branch-and-cut solver through highspy."""

    name: str = "highs"

    def solve(self, problem: Problem, limits: Limits, report: Report) -> Solution:
        import highspy

        began = time.monotonic()
        highs = highspy.Highs()
        _set_options(highs, problem, limits)
        highs.passModel(_to_lp(highspy, problem))
        if problem.start is not None:
            start = highspy.HighsSolution()
            start.col_value = problem.start.tolist()
            highs.setSolution(start)
        patience = Patience(limits.patience)
        _listen(highspy, highs, report, patience)
        highs.setOptionValue("time_limit", limits.left(began))
        highs.run()
        return _read(highs, patience)


def _set_options(highs: Any, problem: Problem, limits: Limits) -> None:
    options = {
        "output_flag": False,
        "threads": limits.threads,
        "random_seed": limits.seed % 2**31,
        "mip_rel_gap": 0.0,
        "mip_abs_gap": problem.model.gap,
        "primal_feasibility_tolerance": 1e-6,
        "mip_feasibility_tolerance": 1e-6,
    }
    for name, value in options.items():
        highs.setOptionValue(name, value)


def _to_lp(highspy: Any, problem: Problem) -> Any:
    model = problem.model
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = model.variables, model.rows
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = model.objective, model.lower, model.upper
    lp.row_lower_ = np.where(model.equal, model.rhs, -highspy.kHighsInf)
    lp.row_upper_ = model.rhs
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = model.matrix.indptr
    lp.a_matrix_.index_ = model.matrix.indices
    lp.a_matrix_.value_ = model.matrix.data
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    lp.integrality_ = [kinds[int(i)] for i in model.integer]
    return lp


def _listen(highspy: Any, highs: Any, report: Report, patience: Patience) -> None:
    kinds = highspy.cb.HighsCallbackType
    stop = False

    def on_event(kind: Any, _message: str, out: Any, into: Any, _user: Any) -> None:
        nonlocal stop
        if kind == kinds.kCallbackMipImprovingSolution:
            patience.renew()
            values = np.array(out.mip_solution, dtype=np.float64)
            stop |= report(_progress(out, values, out.objective_function_value))
        elif kind == kinds.kCallbackMipLogging:
            stop |= report(_progress(out, None, out.mip_primal_bound))
        elif stop or patience.look():
            into.user_interrupt = True

    highs.setCallback(on_event, None)
    highs.startCallback(kinds.kCallbackMipImprovingSolution)
    highs.startCallback(kinds.kCallbackMipLogging)
    highs.startCallback(kinds.kCallbackMipInterrupt)


def _progress(out: Any, values: Any, objective: float) -> Progress:
    return Progress(
        values=values,
        objective=float(objective),
        bound=float(out.mip_dual_bound),
        nodes=int(out.mip_node_count),
    )


def _read(highs: Any, patience: Patience) -> Solution:
    native = highs.getModelStatus()
    status = STATUSES[native.name]
    if status is Status.KILLED and patience.over:
        status = Status.TIME_LIMIT
    info = highs.getInfo()
    nodes = max(0, int(info.mip_node_count))
    if status is Status.INFEASIBLE:
        return Solution(status, bound=-math.inf, nodes=nodes)
    values = None
    if info.primal_solution_status == 2:  # a feasible point
        values = np.array(highs.getSolution().col_value, dtype=np.float64)
    objective = float(info.objective_function_value) if values is not None else -math.inf
    is_mip = int(info.mip_node_count) >= 0
    bound = float(info.mip_dual_bound) if is_mip else objective
    if status is Status.CRASHED:
        return Solution(status, nodes=nodes, message=f"HiGHS ended with {native.name}")
    return Solution(
        status=status,
        values=values,
        objective=objective,
        bound=bound if math.isfinite(bound) else math.inf,
        nodes=nodes,
    )
