"""What travels to a child process, and how a solve is measured there."""

from __future__ import annotations

import resource
from dataclasses import dataclass, replace
from typing import Any

from bnnray.solvers.interface import Backend, Limits, Report, Solution

STOP = "stop"
"""What the parent sends to end the running solve politely."""

BEGIN_LICENCE, END_LICENCE = "begin licence", "end licence"
"""What the parent sends to have the child take a licence, and give it back."""


@dataclass(frozen=True, eq=False)
class Request:
    """One solve, as it is sent to a child."""

    backend: Backend[Any]
    problem: Any
    limits: Limits


def measured(request: Request, report: Report) -> Solution:
    """Solves, and adds CPU time and memory of this process to the solution."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    solution = request.backend.solve(request.problem, request.limits, report)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return replace(solution, cpu_seconds=cpu, peak_rss_bytes=after.ru_maxrss * 1024)
