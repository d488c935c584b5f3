"""The fake back end: it plays a script, so that everything above runs without a solver."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

import numpy as np

from bnnray.solvers.interface import Limits, Problem, Progress, Report, Solution
from bnnray.verdicts import Status


@dataclass(frozen=True)
class Scripted:
    """Reports each progress in turn, then returns a solution, unless told to misbehave.

    Args:
        steps: reported one after the other.
        ending: what is returned.
        allocate: bytes to take and hold before the ending.
        sleep: seconds to sleep before the ending, whatever the limits say.
        exit_code: ends the process at once instead of returning.
        error: raised instead of returning.
    """

    steps: tuple[Progress, ...] = ()
    ending: Solution = field(default_factory=lambda: Solution(Status.OPTIMAL))
    allocate: int = 0
    sleep: float = 0.0
    exit_code: int | None = None
    error: Exception | None = None
    name: str = "scripted"

    def solve(self, problem: Problem, limits: Limits, report: Report) -> Solution:
        for step in self.steps:
            if report(step):
                return Solution(Status.KILLED, step.values, step.objective, step.bound)
        hoard = np.ones(self.allocate // 8)
        time.sleep(self.sleep)
        del hoard
        if self.exit_code is not None:
            os._exit(self.exit_code)
        if self.error is not None:
            raise self.error
        return self.ending
