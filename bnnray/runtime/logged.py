"""What a run tells its listener, told to the log as well."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bnnray.errors import BnnrayError, Interrupted
from bnnray.logs import Log
from bnnray.models import EpochRecord, Model
from bnnray.results import Problem, Record
from bnnray.runtime.listener import RunListener

log = Log("run")


class LoggedListener:
    """Passes on what it is told, and logs what does not come thousands of times.

    Args:
        listener: the one that is meant.
    """

    def __init__(self, listener: RunListener) -> None:
        self._listener = listener

    def note(self, text: str) -> None:
        log.info("note", text=text)
        self._listener.note(text)

    def damaged(self, problems: Sequence[Problem]) -> None:
        for problem in problems:
            log.warning("damaged_put_aside", path=problem.path, reason=problem.reason)
        self._listener.damaged(problems)

    def training(self, model: str, record: EpochRecord) -> None:
        self._listener.training(model, record)

    def trained(self, model: str, result: Model) -> None:
        accuracy = result.record["test_accuracy"]
        log.info("network_trained", model=model, test_accuracy=accuracy)
        self._listener.trained(model, result)

    def begin(self, total: int, done: int) -> None:
        log.info("units_listed", total=total, done=done, left=total - done)
        self._listener.begin(total, done)

    def finished(self, records: Sequence[Record]) -> None:
        self._listener.finished(records)


@contextmanager
def logging_failure() -> Iterator[None]:
    """Logs what ends a run before its time."""
    try:
        yield
    except Interrupted as error:
        log.info("session_interrupted", reason=error)
        raise
    except BnnrayError as error:
        log.error("session_failed", reason=error)
        raise
    except KeyboardInterrupt:
        log.error("session_failed", reason="interrupted twice")
        raise
    except Exception as error:
        log.error("session_failed", reason=error, traceback=traceback.format_exc())
        raise
