"""One solve for a search, on the back end that its attack asks for."""

from __future__ import annotations

import time

from bnnray.attacks.search import Search
from bnnray.errors import LicenceError, LicenceTaken, ModelTooLarge
from bnnray.solvers import Limits, Problem, Report, Solution, make_backend


def solve(
    search: Search, backend: str, problem: Problem, limits: Limits, report: Report
) -> Solution:
    """Solves a problem and counts the effort.

    Args:
        search: whose solver and effort.
        backend: a name, or "auto": Gurobi, and HiGHS where Gurobi has no licence for it; not where
            it has one that is taken, as the back end must not depend on the moment.
        problem, limits, report: as back ends take them.

    Raises:
        LicenceError: the back end that was named has no licence.
        LicenceTaken: there is a licence that cannot be had now.
    """
    began = time.monotonic()
    search.effort.measure(problem.model.variables, problem.model.rows)
    try:
        name = search.fallback if backend == "auto" else backend
        solution = search.solver.solve(make_backend(name), problem, limits, report)
    except LicenceError as error:
        if backend != "auto" or isinstance(error, LicenceTaken):
            raise
        name = "highs"
        if isinstance(error, ModelTooLarge):
            search.message = str(error)
        else:
            search.fallback = name  # asking for a licence again may take seconds each time
        solution = search.solver.solve(make_backend(name), problem, limits, report)
    search.effort.backend = name
    search.effort.add(solution, time.monotonic() - began)
    return solution
