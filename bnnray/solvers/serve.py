"""The child process's side: it answers requests one after the other."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection

from bnnray.errors import LicenceError
from bnnray.processes import forget_words
from bnnray.solvers.gurobi import begin_environment, end_environment
from bnnray.solvers.interface import Progress, Report, Solution
from bnnray.solvers.request import BEGIN_LICENCE, END_LICENCE, STOP, Request, measured
from bnnray.verdicts import Status

ABOUT_LICENCE: Mapping[str, Callable[[], None]] = {
    BEGIN_LICENCE: begin_environment,
    END_LICENCE: end_environment,
}


def serve(connection: Connection) -> None:
    """Answers requests until the parent is gone."""
    try:
        while True:
            message = connection.recv()
            if message in ABOUT_LICENCE:
                connection.send(_refusal(ABOUT_LICENCE[message]))
            elif message != STOP:  # else it came when the solve had just ended
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


def _refusal(step: Callable[[], None]) -> LicenceError | None:
    try:
        step()
    except LicenceError as error:
        return error
    except Exception:
        return None  # the solve meets it again, and tells it in its own way
    return None


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
