"""The child process that runs solves, so that a solver that ignores its limits can be killed.

A child is started once and keeps the solvers' environments loaded. The parent sends a request;
the child streams what is found and ends with a solution or an error. A child that overruns its
time by the grace, or its memory, is killed; one that dies of itself is replaced and the solve
done again. What was streamed stays with the parent.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bnnray.processes import Process, format_bytes
from bnnray.solvers.interface import Backend, Limits, Problem, Progress, Report, Solution
from bnnray.solvers.request import STOP, Request, measured
from bnnray.solvers.serve import serve
from bnnray.verdicts import Status

GRACE = 0.5
"""Seconds past its limit after which a solve is killed."""

LOOK_SECONDS = 0.05
"""How often a child's memory is looked at."""

LONGEST_POLL = 3600.0
"""poll refuses what does not fit in 31 bits of milliseconds."""

TRIES = 3
"""How often a solve is begun whose process dies."""

MODULES = ("bnnray.solvers.serve", "bnnray.encodings", "highspy", "gurobipy")
"""What a nursery of such processes should load."""


class InProcess:
    """Runs solves here: nothing can be killed, nothing is started."""

    def solve(self, backend: Backend, problem: Problem, limits: Limits, report: Report) -> Solution:
        return measured(Request(backend, problem, limits), report)

    def prepare(self) -> None:
        """There is nothing to start."""


class Child:
    """Runs solves in a child process; one at a time.

    Args:
        nursery: address of the one that forks it.
        memory: cap of the child's resident memory in bytes.
    """

    def __init__(self, nursery: str, memory: float = math.inf) -> None:
        self._nursery = nursery
        self._memory = memory
        self._process: Process | None = None

    def solve(self, backend: Backend, problem: Problem, limits: Limits, report: Report) -> Solution:
        """Solves in the child and returns within the limit and the grace.

        A solve whose process dies is begun again in the time that is left, as the machine may be
        to blame; after three deaths the solver is.

        Raises:
            LicenceError: as the back end raised it.
        """
        solution = Solution(Status.TIME_LIMIT)
        deadline = time.monotonic() + limits.seconds
        for _ in range(TRIES):
            left = replace(limits, seconds=deadline - time.monotonic())
            if left.seconds <= 0:
                break
            self.prepare()
            try:
                return self._solve_once(Request(backend, problem, left), report)
            except _Died as death:
                solution = death.solution
        return solution

    def prepare(self) -> None:
        """Sees to it that a child waits for work, so that no solve's clock pays for its start.

        Raises:
            SetupError: a child does not start.
        """
        process = self._process
        if process is not None and (_has_ended(process) or 2 * process.memory() > self._memory):
            self.close()
        if self._process is None:
            self._process = Process(self._nursery, serve)

    def close(self) -> None:
        """Ends the child at once; the next solve starts a fresh one."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def _solve_once(self, request: Request, report: Report) -> Solution:
        process = self._process
        assert process is not None
        talk = _Talk(process, request.limits.seconds, self._memory)
        answer: Solution | Exception | None = None
        best = Solution(Status.CRASHED)
        try:
            process.connection.send(request)
            for message in talk.messages():
                if not isinstance(message, Progress):
                    answer = message
                    break
                best = _better(best, message)
                if report(message):
                    talk.stop()
        except (EOFError, OSError):
            message = f"the solver's process {process.obituary()}"
            raise _Died(replace(best, message=message)) from None
        finally:
            if answer is None:
                self.close()  # it may be busy yet, with more to say about this solve
        if isinstance(answer, Exception):
            raise answer
        return answer or talk.ended(best)


class _Died(Exception):
    """The child died in a solve; what it had streamed."""

    def __init__(self, solution: Solution) -> None:
        super().__init__(solution.message)
        self.solution = solution


class _Talk:
    """What a child says during one solve, until its limits are over."""

    def __init__(self, process: Process, seconds: float, memory: float) -> None:
        self._process = process
        self._deadline = time.monotonic() + seconds + GRACE
        self._memory = memory
        self._look = 0.0
        self._stopped = False
        self._too_large = False

    def messages(self) -> Iterator[Any]:
        """Yields messages until time or memory is over."""
        longest = LONGEST_POLL if self._memory == math.inf else LOOK_SECONDS
        while (left := self._deadline - time.monotonic()) > 0 and not self._outgrown():
            if self._process.connection.poll(min(left, longest)):
                yield self._process.connection.recv()

    def stop(self) -> None:
        """Asks the child to end the solve, once; from then on it has the grace."""
        if not self._stopped:
            self._stopped = True
            self._deadline = min(self._deadline, time.monotonic() + GRACE)
            self._process.connection.send(STOP)

    def ended(self, best: Solution) -> Solution:
        """The best that was streamed, and why its solve was killed."""
        if self._too_large:
            cap = format_bytes(self._memory)
            return replace(
                best,
                status=Status.MEMORY_LIMIT,
                message=f"killed: the solver took more memory than {cap}",
            )
        return replace(
            best, status=Status.KILLED, message="killed: the solver ignored its time limit"
        )

    def _outgrown(self) -> bool:
        if self._memory < math.inf and time.monotonic() >= self._look:
            self._look = time.monotonic() + LOOK_SECONDS
            self._too_large = self._process.memory() > self._memory
        return self._too_large


def _has_ended(idle: Process) -> bool:
    """An idle child has nothing to say but its end."""
    return idle.connection.poll()


def _better(best: Solution, progress: Progress) -> Solution:
    bound = min(best.bound, progress.bound) if not math.isnan(progress.bound) else best.bound
    if progress.values is None or progress.objective <= best.objective:
        return replace(best, bound=bound, nodes=progress.nodes)
    return replace(
        best,
        values=progress.values,
        objective=progress.objective,
        bound=bound,
        nodes=progress.nodes,
    )
