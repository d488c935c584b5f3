"""What is known about a question, kept apart from why the search stopped."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from fractions import Fraction

from bnnray.errors import BugError


class Verdict(StrEnum):
    """What is now known about a question."""

    VULNERABLE = "vulnerable"
    ROBUST = "robust"
    UNKNOWN = "unknown"


class Proof(StrEnum):
    """What a robust verdict or a proven optimum rests on."""

    EXACT = "exact"
    SOLVER = "solver"
    NONE = "none"


class Replay(StrEnum):
    """Whether the exact network agrees with what a search claimed."""

    OK = "ok"
    DISAGREES = "disagrees"
    NONE = "none"


class Status(StrEnum):
    """Why a search stopped."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    FLIP_FOUND = "flip_found"
    LOCAL_OPTIMUM = "local_optimum"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    ITERATION_LIMIT = "iteration_limit"
    NODE_LIMIT = "node_limit"
    KILLED = "killed"
    CRASHED = "crashed"
    BAD_WITNESS = "bad_witness"
    LICENCE = "licence"
    SKIPPED = "skipped"


FAILED = frozenset({Status.CRASHED, Status.LICENCE})
"""Statuses of units that went wrong; counted apart and worth a rerun."""

HIT_TIME_LIMIT = frozenset({Status.TIME_LIMIT, Status.KILLED})
"""Statuses that a larger time limit might change."""


def hit_limit(status: Status, *, complete: bool) -> bool:
    """Whether a limit ended a search.

    Args:
        status: why it stopped.
        complete: whether the attack can prove. The iterations of one that cannot are a part of what
            was asked: it ends with them by itself.
    """
    if status is Status.ITERATION_LIMIT:
        return complete
    return status in HIT_TIME_LIMIT or status in (Status.MEMORY_LIMIT, Status.NODE_LIMIT)


def is_flip(objective: Fraction, tie: str) -> bool:
    """Whether an objective counts as a flip: above 0, or at 0 too with ``tie = "flip"``."""
    return objective > 0 or (tie == "flip" and objective == 0)


def judge(objective: Fraction | None, bound: Fraction | None, tie: str) -> Verdict:
    """The verdict that a replayed objective and a proven bound give; never a status's opinion.

    Args:
        objective: the best replayed objective, or None where nothing was replayed.
        bound: a proven upper limit of the objective, or None.
        tie: "keep" or "flip", what an objective of 0 means.

    Raises:
        BugError: a replayed objective above the proven bound.
    """
    if objective is not None and bound is not None and objective > bound:
        raise BugError(f"a replayed objective of {objective} is above the proven bound {bound}")
    if objective is not None and is_flip(objective, tie):
        return Verdict.VULNERABLE
    if bound is not None and not is_flip(bound, tie):
        return Verdict.ROBUST
    return Verdict.UNKNOWN


def weakest(proofs: Iterable[Proof]) -> Proof:
    """What a conclusion rests on that needs all of several proofs."""
    order = [Proof.NONE, Proof.SOLVER, Proof.EXACT]
    return min(proofs, key=order.index, default=Proof.EXACT)
