"""MILP and SAT back ends, and the child process that runs them."""

from bnnray.errors import UsageError, unknown_name
from bnnray.solvers.child import MODULES as CHILD_MODULES
from bnnray.solvers.child import Child, InProcess
from bnnray.solvers.gurobi import Gurobi, check_licence
from bnnray.solvers.highs import Highs
from bnnray.solvers.interface import (
    Backend,
    LicenceUse,
    Limits,
    Problem,
    Progress,
    Report,
    SatProblem,
    Solution,
    Solver,
)
from bnnray.solvers.sat import SAT_SOLVERS, Sat
from bnnray.solvers.scripted import Scripted

BACKENDS: dict[str, type[Highs] | type[Gurobi]] = {"highs": Highs, "gurobi": Gurobi}
"""MILP back ends by the name that a job file uses."""


def make_backend(name: str) -> Backend[Problem]:
    """The back end of a name.

    Raises:
        UsageError: an unknown name.
    """
    if name not in BACKENDS:
        raise UsageError(unknown_name("back end", name, BACKENDS))
    return BACKENDS[name]()


__all__ = [
    "BACKENDS",
    "CHILD_MODULES",
    "SAT_SOLVERS",
    "Backend",
    "Child",
    "Gurobi",
    "Highs",
    "InProcess",
    "LicenceUse",
    "Limits",
    "Problem",
    "Progress",
    "Report",
    "Sat",
    "SatProblem",
    "Scripted",
    "Solution",
    "Solver",
    "check_licence",
    "make_backend",
]
