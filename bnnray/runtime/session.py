"""What run.json keeps of each time that a job was run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bnnray.results import RunFolder
from bnnray.runtime.driver import Done
from bnnray.runtime.provenance import invocation
from bnnray.runtime.records import now


class Session:
    """One time that a job is run; those before it stay in run.json.

    What run.json says about the latest stays too, until :meth:`describe`.

    Args:
        folder: claimed.
        job: its name.

    Attributes:
        number: from 1 on.
    """

    def __init__(self, folder: RunFolder, job: str) -> None:
        self._folder = folder
        self._former = folder.sessions()
        self.number = len(self._former) + 1
        self._provenance: Mapping[str, Any] = {**folder.provenance(), "job": job}
        self._entry: dict[str, Any] = {**invocation(), "started_at": f"{now()}Z"}
        self._write()

    def describe(self, provenance: Mapping[str, Any]) -> None:
        """Writes what is attacked.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._provenance = provenance
        self._write()

    def end(self, done: Done, left: int) -> None:
        """Writes what came of it; without this it ended before its attacks, or was killed.

        Args:
            done: what was done.
            left: units that are not.

        Raises:
            StorageError: the folder cannot be written.
        """
        slots = done.slots
        self._entry |= {
            "finished_at": f"{now()}Z",
            "units": done.units,
            "failed": done.failed,
            "retried": done.retried,
            "licence_waits": done.licence_waits,
            "left": left,
            "seconds": round(slots.seconds, 3),
            "slots": {
                "count": slots.count,
                "busy_percent": round(slots.busy_percent, 2),
                "tail_seconds": round(slots.tail_seconds, 3),
            },
        }
        self._write()

    def _write(self) -> None:
        sessions = [*self._former, self._entry]
        self._folder.write_provenance({**self._provenance, "sessions": sessions})
