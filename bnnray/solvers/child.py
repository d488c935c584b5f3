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
from contextlib import suppress
from dataclasses import replace
from typing import Any

from bnnray.errors import LicenceError, LicenceServerAway, LicenceTaken, LicenceWait
from bnnray.logs import Log
from bnnray.processes import MemoryWatch, Process, format_bytes, watching
from bnnray.solvers.interface import Backend, LicenceUse, Limits, Progress, Report, Solution, T
from bnnray.solvers.request import BEGIN_LICENCE, END_LICENCE, STOP, Request, measured
from bnnray.solvers.serve import serve
from bnnray.verdicts import Status

GRACE = 0.5
"""Seconds past its limit after which a solve is killed."""

BEGIN_SECONDS, END_SECONDS = 30.0, 0.5
"""How long it may take to get a licence, and to give it back, before the child is killed."""

LONGEST_POLL = 3600.0
"""poll refuses what does not fit in 31 bits of milliseconds."""

TRIES = 3
"""How often a solve is begun whose process dies."""

MODULES = ("bnnray.solvers.serve", "bnnray.encodings", "highspy", "gurobipy")
"""What a nursery of such processes should load."""

log = Log("solvers")


class InProcess:
    """Runs solves here: nothing can be killed, nothing is started."""

    def solve(self, backend: Backend[T], problem: T, limits: Limits, report: Report) -> Solution:
        return measured(Request(backend, problem, limits), report)

    def prepare(self, *, licensed: bool = False) -> None:
        """There is nothing to start."""


class Child:
    """Runs solves in a child process; one at a time.

    Args:
        nursery: address of the one that forks it.
        memory: cap of the child's resident memory in bytes.
        licence: what to do about a solver's.
    """

    def __init__(
        self, nursery: str, memory: float = math.inf, licence: LicenceUse | None = None
    ) -> None:
        self._nursery = nursery
        self._memory = memory
        self._licence = licence or LicenceUse()
        self._process: Process | None = None

    def solve(self, backend: Backend[T], problem: T, limits: Limits, report: Report) -> Solution:
        """Solves in the child and returns within the limit and the grace.

        A solve whose process dies is begun again in the time that is left, as the machine may be
        to blame; after three deaths the solver is.

        Raises:
            LicenceError: as the back end raised it.
            LicenceWait: the same, where a licence that cannot be had now is waited for.
            ProcessError: no child can be started.
        """
        best = Solution(Status.TIME_LIMIT)
        deadline = time.monotonic() + limits.seconds
        for _ in range(TRIES):
            left = replace(limits, seconds=deadline - time.monotonic())
            if left.seconds <= 0:
                break
            self.prepare()
            assert self._process is not None
            talk = _Talk(self._process, left.seconds, report, best)
            try:
                with watching(self._process, self._memory) as watch:
                    answer = talk.hold(Request(backend, problem, left))
            except LicenceTaken as refusal:
                if self._licence.wait:
                    raise LicenceWait(refusal) from None
                raise
            finally:
                if not talk.answered:
                    self.close()  # it may be busy yet, with more to say about this solve
            if answer is not None:
                return answer
            best = talk.ended(watch, self._memory)
            if best.status is not Status.CRASHED:
                break
        return best

    def prepare(self, *, licensed: bool = False) -> None:
        """Sees to it that a child waits for work, so that no solve's clock pays for its start.

        Where a licence is waited for, the child of a search that may need one has it from then on;
        where it is refused for good, the search will hear of it.

        Raises:
            LicenceWait: there is none now.
            ProcessError: a child does not start.
        """
        process = self._process
        if process is not None and (_has_ended(process) or 2 * process.memory() > self._memory):
            self.close()
        if self._process is None:
            self._process = Process(self._nursery, serve)
        if licensed and self._licence.wait:
            refusal = self._tell(BEGIN_LICENCE, BEGIN_SECONDS)
            if isinstance(refusal, LicenceTaken):
                raise LicenceWait(refusal)

    def release(self) -> None:
        """Has the child give a licence back, where none is kept."""
        if self._process is not None and not self._licence.keep:
            self._tell(END_LICENCE, END_SECONDS)

    def _tell(self, word: str, seconds: float) -> LicenceError | None:
        """What the idle child says to a word about licences; it is ended if it says nothing."""
        assert self._process is not None
        connection = self._process.connection
        try:
            connection.send(word)
            if connection.poll(seconds):
                refusal: LicenceError | None = connection.recv()
                return refusal
        except (EOFError, OSError):
            self.close()  # it has died; if that is no chance, the solve will say so
            return None
        self.close()
        return LicenceServerAway(f"Gurobi's licence server was silent for {seconds:g} s")

    def close(self) -> None:
        """Ends the child at once; the next solve starts a fresh one."""
        if self._process is not None:
            self._process.close()
            self._process = None


class _Talk:
    """One solve's conversation with a child.

    Args:
        process: the child.
        seconds: limit of the solve.
        report: is told of what the child streams.
        best: what was streamed by an earlier child.
    """

    def __init__(self, process: Process, seconds: float, report: Report, best: Solution) -> None:
        self._process = process
        self._deadline = time.monotonic() + seconds + GRACE
        self._report = report
        self._best = best
        self._stopped = False
        self._obituary = ""
        self.answered = False

    def hold(self, request: Request) -> Solution | None:
        """The child's answer; None if it died or had to be killed.

        Raises:
            Exception: as the back end raised it.
        """
        messages = self._until_dead(request)
        for message in messages:
            if isinstance(message, Progress):
                self._best = _better(self._best, message)
                if self._report(message):
                    self._stop()
                continue
            self.answered = True
            if isinstance(message, Exception):
                raise message
            return message
        return None

    def ended(self, watch: MemoryWatch, cap: float) -> Solution:
        """The best that was streamed, and why its solve ended without an answer."""
        best = replace(self._best, peak_rss_bytes=max(self._best.peak_rss_bytes, watch.peak))
        if watch.over:
            message = f"killed: the solver took more memory than {format_bytes(cap)}"
            return replace(best, status=Status.MEMORY_LIMIT, message=message)
        if self._obituary:
            message = f"the solver's process {self._obituary}"
            log.warning("solver_died", reason=message, stderr=self._process.last_words)
            return replace(best, status=Status.CRASHED, message=message)
        message = "killed: the solver ignored its time limit"
        log.debug("solver_killed", reason=message)
        return replace(best, status=Status.KILLED, message=message)

    def _until_dead(self, request: Request) -> Iterator[Any]:
        """What the child says until its time is over or it has died."""
        try:
            self._process.connection.send(request)
            while (left := self._deadline - time.monotonic()) > 0:
                if self._process.connection.poll(min(left, LONGEST_POLL)):
                    yield self._process.connection.recv()
        except (EOFError, OSError):
            self._obituary = self._process.obituary()
            return
        with suppress(EOFError, OSError):
            yield from self._process.rest()

    def _stop(self) -> None:
        """Asks the child to end the solve, once; from then on it has the grace."""
        if not self._stopped:
            self._stopped = True
            self._deadline = min(self._deadline, time.monotonic() + GRACE)
            with suppress(OSError):  # it is gone, which the next message says
                self._process.connection.send(STOP)


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
