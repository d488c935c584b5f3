"""The child process's side: it answers requests one after the other."""

from __future__ import annotations

import pickle
import traceback
from multiprocessing.connection import Connection

from bnnray.processes import forget_words
from bnnray.solvers.interface import Progress, Report, Solution
from bnnray.solvers.request import STOP, Request, measured
from bnnray.verdicts import Status


def serve(connection: Connection) -> None:
    """Answers requests until the parent is gone."""
    try:
        while True:
            message = connection.recv()
            if message != STOP:  # else it came when the solve had just ended
                forget_words()
                connection.send(_answer(message, connection))
    except (EOFError, ConnectionError):
        return


def _answer(request: Request, connection: Connection) -> Solution | Exception:
    try:
        return measured(request, _reporter(connection))
    except MemoryError:
        return Solution(Status.MEMORY_LIMIT, message="the solver found no more memory")
    except Exception as error:  # whatever a solver raises is the parent's to judge
        return _portable(error)


def _portable(error: Exception) -> Exception:
    """The error, or one that says the same where it cannot travel; with its traceback as a note,
    as that of itself ends at the process."""
    note = "in the solver's process:\n" + "".join(traceback.format_tb(error.__traceback__))
    error.add_note(note)
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
        error.add_note(note)
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
