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
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from bnnray.errors import SetupError
from bnnray.solvers.interface import Backend, Limits, Problem, Progress, Report, Solution
from bnnray.solvers.request import HELLO, STOP, Request, measured
from bnnray.verdicts import Status

START_SECONDS = 60.0

LONGEST_POLL = 3600.0
"""poll refuses what does not fit in 31 bits of milliseconds."""

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
        self._lock = threading.Lock()
        self._closed = False
        self._deadline = 0.0
        self._stopped = False

    def solve(self, backend: Backend, problem: Problem, limits: Limits, report: Report) -> Solution:
        """Solves in the child and returns within the limit and the grace.

        Raises:
            LicenceError: as the back end raised it.
        """
        self.prepare()
        assert self._connection is not None
        answer: Solution | Exception | None = None
        best = Solution(Status.KILLED, message="killed: the solver ignored its time limit")
        try:
            self._connection.send(Request(backend, problem, limits))
            for message in self._messages(self._connection, limits.seconds):
                if not isinstance(message, Progress):
                    answer = message
                    break
                best = _better(best, message)
                if report(message):
                    self._stop()
        except (EOFError, OSError):
            best = replace(best, status=Status.CRASHED, message=self._obituary())
        finally:
            if answer is None:
                self.kill()  # it may be busy yet, with more to say about this solve
        if isinstance(answer, Exception):
            raise answer
        return answer or best

    def _messages(self, connection: Connection, seconds: float) -> Iterator[Any]:
        """What the child says until its limit and the grace are over."""
        self._deadline = time.monotonic() + seconds + GRACE
        self._stopped = False
        while (left := self._deadline - time.monotonic()) > 0:
            if connection.poll(min(left, LONGEST_POLL)):
                yield connection.recv()

    def _stop(self) -> None:
        """Asks the child to end the solve, once; from then on it has the grace."""
        if not self._stopped and self._connection is not None:
            self._stopped = True
            self._deadline = min(self._deadline, time.monotonic() + GRACE)
            self._connection.send(STOP)

    def prepare(self) -> None:
        """Sees to it that a child waits for work, so that no solve's clock pays for its start.

        Raises:
            SetupError: a child does not start.
        """
        if self._closed:
            raise SetupError("the run is ending: no solve is started any more")
        if self._process is None or self._process.poll() is not None:
            self.kill()
            self._start()

    def kill(self) -> None:
        """Ends the child at once; the next solve starts a fresh one."""
        with self._lock:
            process, connection = self._process, self._connection
            self._process = self._connection = None
        if process is not None:
            process.kill()
            process.wait()
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Ends the child for good, also while another thread waits for it."""
        self._closed = True
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
        process = self._process
        if process is None:
            return "the solver's process was ended with the run"
        try:
            code = process.wait(GRACE)
        except subprocess.TimeoutExpired:
            return "the solver's process closed its pipe and went on; it was killed"
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
