"""Finding out whether the driver behind another's lease is alive."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum, auto
from pathlib import Path

from bnnray.errors import Interrupted, RunFolderError
from bnnray.results.lease import Lease, holder_of, is_dead, parse_lease
from bnnray.runtime.lease_file import read_patiently
from bnnray.runtime.lease_times import LeaseTimes
from bnnray.runtime.slurm_jobs import job_is_gone

POLL_SECONDS = 0.2

Note = Callable[[str], None]
"""Is told what a person should know."""


class Look(Enum):
    """What became of a lease that was looked at."""

    STILL = auto()
    GIVEN_BACK = auto()
    DEAD = auto()


class Watch:
    """Looks at a lease until it is known whether its driver lives.

    Args:
        path: of the lease file.
        seen: its content at the first look.
        times: of leases.
        stop: asked several times a second, whether to give up.
    """

    def __init__(
        self, path: Path, seen: bytes, times: LeaseTimes, stop: Callable[[], bool]
    ) -> None:
        self._path = path
        self._seen = seen
        self._lease = parse_lease(seen)
        self._who = holder_of(self._lease)
        self._times = times
        self._stop = stop

    def wait(self, note: Note) -> str:
        """Waits until the lease is stale.

        Returns:
            Why it is; empty if it was given back meanwhile.

        Raises:
            RunFolderError: its driver lives.
            Interrupted: it was told to stop.
        """
        if self._is_dead():
            return f"{self._who}, which died"
        note(
            f"{self._path.parent} is in use by {self._who}; looking for up to "
            f"{self._times.stale:g} s whether that driver is alive"
        )
        began = time.monotonic()
        look = self._look(began + self._times.silence)
        if look is Look.STILL and self._job_is_gone():
            return f"{self._who}, which Slurm does not have any more"
        if look is Look.STILL:
            look = self._look(began + self._times.stale)
        return {
            Look.STILL: f"{self._who}, which gave no sign of life for {self._times.stale:g} s",
            Look.DEAD: f"{self._who}, which died",
            Look.GIVEN_BACK: "",
        }[look]

    def refuse_unless_dead(self) -> None:
        """A shorter look: only at what this machine and Slurm know.

        Where several clusters share a folder, another's Slurm does not know the job either. So
        such a lease must stand still too.

        Raises:
            RunFolderError: its driver is alive, or may be.
        """
        if self._is_dead():
            return
        if not self._job_is_gone():
            raise RunFolderError(
                f"{self._path.parent} is in use by {self._who}; wait until it is done; "
                "if it died, run its job again, which takes the folder over"
            )
        self._look(time.monotonic() + self._times.silence)

    def _look(self, until: float) -> Look:
        while True:
            if self._stop():
                raise Interrupted(
                    "interrupted while looking whether another driver is alive; nothing was changed"
                )
            looked = time.monotonic()
            content = read_patiently(self._path)
            if content is None:
                return Look.GIVEN_BACK
            if content != self._seen:
                raise self._refusal(parse_lease(content))
            if self._is_dead():
                return Look.DEAD
            if looked >= until:
                return Look.STILL
            time.sleep(min(POLL_SECONDS, until - looked))

    def _is_dead(self) -> bool:
        return self._lease is not None and is_dead(self._lease)

    def _job_is_gone(self) -> bool:
        job = self._lease.slurm_job if self._lease else ""
        return bool(job) and job_is_gone(job, self._stop)

    def _refusal(self, lease: Lease | None) -> RunFolderError:
        folder, lease = self._path.parent, lease or self._lease
        return RunFolderError(
            f"{folder} is in use by {holder_of(lease)}, which is alive; wait until it is done "
            f"(bnnray status {folder}), or end it first: {_how_to_end(lease)}"
        )


def _how_to_end(lease: Lease | None) -> str:
    if lease and lease.slurm_job:
        return f"scancel {lease.slurm_job}"
    return f"kill -INT {lease.pid} there" if lease else "Ctrl-C there"
