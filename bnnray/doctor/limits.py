"""What the system allows a user's processes: ``ulimit``."""

from __future__ import annotations

import math
import resource

from bnnray.doctor.control_groups import process_limit
from bnnray.doctor.finding import Finding, failure, note, ok, warning
from bnnray.doctor.setting import Setting

LEAST_FILES, FEW_FILES, GOOD_FILES = 1024, 4096, 65_536
"""Ray warns below the second, and raises the limit to the third where it may."""

LEAST_PROCESSES, FEW_PROCESSES = 512, 4096
"""Threads count: Ray's own processes have some hundreds."""


def check_files(setting: Setting) -> Finding:
    """``ulimit -n``."""
    soft, hard = map(_limit, resource.getrlimit(resource.RLIMIT_NOFILE))
    return judge_files(soft, hard)


def judge_files(soft: float, hard: float) -> Finding:
    """What to say about the limit of open files as it is, and as a user may raise it."""
    said = f"{_said(soft)} (ulimit -n)"
    best = min(hard, GOOD_FILES)
    hint = f"ulimit -n {best:.0f}" if best > soft else "ask the cluster's people for 65536"
    if soft < LEAST_FILES:
        return failure(f"{said}; Ray needs {LEAST_FILES} and recommends {GOOD_FILES}", hint)
    if soft < FEW_FILES:
        return warning(f"{said}; Ray recommends {GOOD_FILES}", hint)
    return ok(said) if soft >= GOOD_FILES else note(f"{said}; Ray recommends {GOOD_FILES}")


def check_processes(setting: Setting) -> Finding:
    """``ulimit -u``, and the control group's limit."""
    return judge_processes(_limit(resource.getrlimit(resource.RLIMIT_NPROC)[0]), process_limit())


def judge_processes(user: float, group: float) -> Finding:
    """What to say about the limits of processes of a user and of a control group."""
    said = f"{_said(user)} (ulimit -u)"
    if group < math.inf:
        said = f"{said}, {_said(group)} in this control group"
    least = min(user, group)
    hint = "threads count, and Ray alone has hundreds; ask the cluster's people for more"
    if least < LEAST_PROCESSES:
        return failure(said, hint)
    return ok(said) if least >= FEW_PROCESSES else warning(said, hint)


def _limit(value: int) -> float:
    return math.inf if value == resource.RLIM_INFINITY else value


def _said(limit: float) -> str:
    return "unlimited" if limit == math.inf else f"{limit:.0f}"
