"""The child process's side: python -m bnnray.solvers.serve FILE_DESCRIPTOR."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from multiprocessing.connection import Connection

from bnnray.solvers.interface import Progress, Report, Solution
from bnnray.solvers.request import HELLO, STOP, Request, measured


def serve(connection: Connection) -> None:
    """Answers requests until the parent is gone."""
    try:
        connection.send(HELLO)
        while True:
            message = connection.recv()
            if message != STOP:  # else it came when the solve had just ended
                connection.send(_answer(message, connection))
    except (EOFError, ConnectionError):
        return


def _answer(request: Request, connection: Connection) -> Solution | Exception:
    try:
        return measured(request, _reporter(connection))
    except Exception as error:  # whatever a solver raises is the parent's to judge
        return error


def _reporter(connection: Connection) -> Report:
    stopped = False

    def report(progress: Progress) -> bool:
        nonlocal stopped
        connection.send(progress)
        while not stopped and connection.poll():
            stopped = connection.recv() == STOP
        return stopped

    return report


def _die_with_parent() -> None:
    """Asks Linux to kill this process when the parent ends, however it ends."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


if __name__ == "__main__":
    if sys.platform == "linux":
        _die_with_parent()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    serve(Connection(int(sys.argv[1])))
