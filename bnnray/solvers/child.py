"""The child process that runs solves, so that a solver that ignores its limit can be killed.

A child is started once and keeps the network and the solvers' environments loaded. The parent
sends a request; the child streams what is found and ends with a solution or an error. A child
that overruns its limit by the grace, or dies, is replaced at the next solve; what it had
streamed stays with the parent.
"""

from __future__ import annotations

import math
import multiprocessing
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing.connection import Connection

from bnnray.errors import SetupError
from bnnray.solvers.interface import Backend, Limits, Problem, Progress, Report, Solution
from bnnray.solvers.request import HELLO, STOP, Request, measured
from bnnray.verdicts import Status

START_SECONDS = 60.0

GRACE = 1.0
"""Seconds past its limit after which a solve is killed."""


class InProcess:
    """Runs solves here: nothing can be killed, nothing is started."""

    def solve(self, backend: Backend, problem: Problem, limits: Limits, report: Report) -> Solution:
        return measured(Request(backend, problem, limits), report)

    def prepare(self) -> None:
        """There is nothing to start."""

    def close(self) -> None:
        """There is nothing to end."""


class Child:
    """Runs solves in a child process; one at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def solve(self, backend: Backend, problem: Problem, limits: Limits, report: Report) -> Solution:
        """Solves in the child and returns within the limit and the grace.

        Raises:
            LicenceError: as the back end raised it.
        """
        self.prepare()
        connection = self._connection
        assert connection is not None
        deadline = time.monotonic() + limits.seconds + GRACE
        best = Solution(Status.KILLED, message="killed: the solver ignored its time limit")
        stopping = False
        try:
            connection.send(Request(backend, problem, limits))
            while connection.poll(max(0.0, deadline - time.monotonic())):
                answer = connection.recv()
                if isinstance(answer, Solution):
                    return answer
                if isinstance(answer, Exception):
                    raise answer
                best = _better(best, answer)
                if report(answer) and not stopping:
                    stopping = True
                    connection.send(STOP)
                    deadline = min(deadline, time.monotonic() + GRACE)
        except (EOFError, ConnectionError):
            return replace(best, status=Status.CRASHED, message=self._obituary())
        self.kill()
        return best

    def prepare(self) -> None:
        """Sees to it that a child waits for work, so that no solve's clock pays for its start.

        Raises:
            SetupError: a child does not start.
        """
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self._start()

    def kill(self) -> None:
        """Ends the child at once; the next solve starts a fresh one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None

    def close(self) -> None:
        """Ends the child."""
        self.kill()

    def _start(self) -> None:
        ours, theirs = multiprocessing.Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bnnray.solvers.serve", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # the terminal's Ctrl-C is for the driver alone
            )
        self._connection = ours
        try:
            if ours.poll(START_SECONDS) and ours.recv() == HELLO:
                return
        except (EOFError, ConnectionError):
            pass
        self.kill()
        raise SetupError(
            f"a solver's child process did not start within {START_SECONDS:.0f} s; "
            f"try: {sys.executable} -c 'import bnnray.solvers'"
        )

    def _obituary(self) -> str:
        assert self._process is not None
        code = self._process.wait()
        self.kill()
        if code < 0:
            return f"the solver's process was ended by {signal.Signals(-code).name}"
        return f"the solver's process ended with exit code {code}"


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
