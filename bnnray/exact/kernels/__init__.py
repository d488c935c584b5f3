"""The compiled part of the exact engine. Importing it compiles it, the first time for a while."""

from bnnray.exact.kernels.arrays import (
    Active,
    Clauses,
    Scratch,
    Stack,
    State,
    make_active,
    make_clauses,
    make_scratch,
    make_stack,
    make_state,
)
from bnnray.exact.kernels.bounds import Ellipsoid
from bnnray.exact.kernels.branch_and_bound import DONE, FOUND, LEAF, PAUSED, advance
from bnnray.exact.kernels.certificates import certify, tighten
from bnnray.exact.kernels.clauses import imply, learn
from bnnray.exact.kernels.events import (
    BOUND,
    BRANCH,
    CERTIFICATE,
    CLAUSE,
    EACH,
    FORCED,
    PARITIES,
    PARITY,
    PART,
    PIXEL,
    POINT,
    TIGHTEN,
    note_certificate,
)
from bnnray.exact.kernels.projection import FEASIBLE, INFEASIBLE, UNDECIDED, approach
from bnnray.exact.kernels.propagation import propagate
from bnnray.exact.kernels.rounding import evaluate, nearest, on_sides, repair, round_off

__all__ = [
    "BOUND",
    "BRANCH",
    "CERTIFICATE",
    "CLAUSE",
    "DONE",
    "EACH",
    "FEASIBLE",
    "FORCED",
    "FOUND",
    "INFEASIBLE",
    "LEAF",
    "PARITIES",
    "PARITY",
    "PART",
    "PAUSED",
    "PIXEL",
    "POINT",
    "TIGHTEN",
    "UNDECIDED",
    "Active",
    "Clauses",
    "Ellipsoid",
    "Scratch",
    "Stack",
    "State",
    "advance",
    "approach",
    "certify",
    "evaluate",
    "imply",
    "learn",
    "make_active",
    "make_clauses",
    "make_scratch",
    "make_stack",
    "make_state",
    "nearest",
    "note_certificate",
    "on_sides",
    "propagate",
    "repair",
    "round_off",
    "tighten",
]
