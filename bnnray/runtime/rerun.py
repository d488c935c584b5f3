"""Which units a run does again: a rule by name, and one pure function."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bnnray.verdicts import FAILED, HIT_TIME_LIMIT, Status, Verdict, hit_limit


class Rerun(StrEnum):
    """What is done again, beside the units without a row. Each but the first includes FAILED.

    Attributes:
        NEVER: nothing.
        FAILED: what crashed or had no licence, or hit a limit smaller than the unit has now.
        UNKNOWN: every unit whose verdict is unknown.
        LIMIT: every unit that a limit ended.
        ALL: everything.
    """

    NEVER = "never"
    FAILED = "failed"
    UNKNOWN = "unknown"
    LIMIT = "limit"
    ALL = "all"


@dataclass(frozen=True)
class Limits:
    """What a unit may use.

    Args:
        seconds: its cutoff.
        memory: cap of its slot in bytes; None without one.
    """

    seconds: float
    memory: int | None = None


@dataclass(frozen=True)
class Ended:
    """How a unit ended, as its row says.

    Args:
        status: why.
        verdict: what was known then.
        limits: that it had.
        complete: whether its attack can prove.
    """

    status: Status
    verdict: Verdict
    limits: Limits
    complete: bool


def is_due(rule: Rerun, ended: Ended | None, limits: Limits) -> bool:
    """Whether a unit is to be run.

    Args:
        rule: what is done again.
        ended: how it ended before; None for a unit without a row.
        limits: that it has now.
    """
    if ended is None:
        return True
    match rule:
        case Rerun.NEVER:
            return False
        case Rerun.FAILED:
            return _failed(ended, limits)
        case Rerun.UNKNOWN:
            return _failed(ended, limits) or ended.verdict is Verdict.UNKNOWN
        case Rerun.LIMIT:
            return _failed(ended, limits) or hit_limit(ended.status, complete=ended.complete)
        case Rerun.ALL:
            return True


def _failed(ended: Ended, limits: Limits) -> bool:
    return (
        ended.status in FAILED or _has_more_time(ended, limits) or _has_more_memory(ended, limits)
    )


def _has_more_time(ended: Ended, limits: Limits) -> bool:
    return ended.status in HIT_TIME_LIMIT and ended.limits.seconds < limits.seconds


def _has_more_memory(ended: Ended, limits: Limits) -> bool:
    before, now = ended.limits.memory, limits.memory
    grown = before is not None and (now is None or before < now)
    return ended.status is Status.MEMORY_LIMIT and grown
