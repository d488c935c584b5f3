"""One driver a run folder: taking its lease, keeping it, noticing that it is lost.

The file is created exclusively and then only rewritten in place, by its holder. Whoever takes
over a stale one moves exactly that file away first. So a holder that was suspended can never
write over its successor's: it writes to the file that was moved.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bnnray.errors import Interrupted, SetupError, StorageError
from bnnray.results import Record, Sink
from bnnray.results.lease import (
    LEASE,
    Lease,
    boot_id,
    parse_lease,
    pid_namespace,
    process_start,
    read_content,
)
from bnnray.runtime.drain import draining
from bnnray.runtime.lease_file import create, read_patiently, remove
from bnnray.runtime.lease_times import LeaseTimes
from bnnray.runtime.lease_watch import Note, Watch


@contextmanager
def hold_lease(folder: Path, note: Note, times: LeaseTimes | None = None) -> Iterator[HeldLease]:
    """Holds the lease of a run folder; gives it back in the end.

    Args:
        folder: the run folder; it must be there.
        note: told that it waits, and that it takes over from a driver that died.
        times: others than usual.

    Raises:
        RunFolderError: another driver holds it.
        Interrupted: a signal came while it looked whether another driver is alive.
        StorageError: the folder cannot be written.
    """
    times = times or LeaseTimes()
    path = folder / LEASE
    with draining() as drain:
        lease = _take(path, note, times, lambda: drain.requested)
    held = HeldLease(path, lease, times)
    try:
        if drain.requested:
            raise Interrupted("interrupted before anything was changed")
        yield held
    finally:
        held.release()


def refuse_if_in_use(folder: Path, times: LeaseTimes | None = None) -> None:
    """For a command that changes a run's files: refuses while a driver may be running.

    It is quick, but where the lease names a Slurm job that is gone: then it looks on for 15 s.

    Raises:
        RunFolderError: there is a lease whose driver is not known to be dead.
        StorageError: it cannot be read.
    """
    seen = read_content(folder / LEASE)
    if seen is not None:
        Watch(folder / LEASE, seen, times or LeaseTimes(), lambda: False).refuse_unless_dead()


class HeldLease:
    """A lease of this process, rewritten by a thread until it is released.

    Args:
        path: of the lease file.
        lease: what this process wrote there.
        times: when to rewrite it, and when it is stale.
    """

    def __init__(self, path: Path, lease: Lease, times: LeaseTimes) -> None:
        self._path = path
        self._lease = lease
        self._times = times
        self._confirmed = time.monotonic()
        self._why_lost = ""
        self._error = ""
        self._one = threading.Lock()
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> bool:
        """Whether the folder may be another driver's by now; then nothing more must be written."""
        if not self._why_lost and self._overdue():
            self._rewrite()  # the process may have been suspended, and nobody else was there
            if not self._why_lost and self._overdue():
                reason = f" ({self._error})" if self._error else ""
                self._why_lost = (
                    f"{LEASE} could not be rewritten for {self._times.stale:g} s{reason}"
                )
        return bool(self._why_lost)

    def check(self) -> None:
        """Asks whether the lease is still this driver's.

        Raises:
            SetupError: it is not.
        """
        if self.lost:
            raise SetupError(
                f"stopped, without writing any more to {self._path.parent}: {self._why_lost}; what "
                "was written before counts, and the same command does what is left once no other "
                "driver does"
            )

    def release(self) -> None:
        """Gives the lease back, unless it is another's."""
        self._released.set()
        self._thread.join(timeout=self._times.renew)
        with suppress(OSError, StorageError):  # what stays behind is stale in a minute
            if self._is_ours():
                remove(self._path, self._wrote)

    def _keep(self) -> None:
        while not self._released.wait(self._times.renew) and not self._why_lost:
            self._rewrite()

    def _rewrite(self) -> None:
        if not self._one.acquire(timeout=self._times.renew):
            return  # the other thread hangs in the file system
        try:
            began = time.monotonic()
            self._advance()
            if self._is_ours():
                self._confirmed = began
            else:
                self._why_lost = f"{self._successor()} took it over while this driver stood still"
        except (OSError, StorageError) as error:
            self._error = str(error)
        finally:
            self._one.release()

    def _advance(self) -> None:
        """One more on the counter; who moved the file away just before sees that it moves."""
        with suppress(FileNotFoundError), self._path.open("r+b") as file:
            if self._wrote(file.read()):
                self._lease = replace(self._lease, counter=self._lease.counter + 1)
                file.seek(0)
                file.write(self._lease.encode())
                file.flush()
                os.fsync(file.fileno())

    def _is_ours(self) -> bool:
        content = read_patiently(self._path)
        return content is not None and self._wrote(content)

    def _wrote(self, content: bytes) -> bool:
        return _is_of(content, self._lease)

    def _successor(self) -> str:
        lease = parse_lease(read_content(self._path) or b"")
        return lease.holder if lease else "somebody"

    def _overdue(self) -> bool:
        return time.monotonic() - self._confirmed >= self._times.stale


class LeasedSink:
    """A sink that writes nothing once the lease is lost.

    Args:
        sink: where records go.
        lease: of the run folder.
    """

    def __init__(self, sink: Sink, lease: HeldLease) -> None:
        self._sink = sink
        self._lease = lease

    def append(self, records: Sequence[Record]) -> None:
        """Takes records.

        Raises:
            SetupError: the lease is lost.
        """
        self._lease.check()
        self._sink.append(records)

    def flush(self) -> None:
        """Makes all that was taken final.

        Raises:
            SetupError: the lease is lost.
        """
        self._lease.check()
        self._sink.flush()

    @property
    def unwritten(self) -> int:
        """Records that were taken and are not known to be final."""
        return self._sink.unwritten


def _take(path: Path, note: Note, times: LeaseTimes, stop: Callable[[], bool]) -> Lease:
    mine = _new_lease()
    contested = False
    while True:
        if create(path, mine.encode()) and not (contested and _is_moved(path, mine, times)):
            return mine
        contested = True
        seen = read_patiently(path)
        if seen is None:
            continue
        why = Watch(path, seen, times, stop).wait(note)
        if why and remove(path, seen.__eq__):
            note(f"taking over the run from {why}")


def _is_moved(path: Path, mine: Lease, times: LeaseTimes) -> bool:
    """Whether another observer of the stale lease moved the new one away by mistake."""
    time.sleep(times.settle)
    content = read_patiently(path)
    return content is None or not _is_of(content, mine)


def _is_of(content: bytes, lease: Lease) -> bool:
    found = parse_lease(content)
    return found is not None and found.token == lease.token


def _new_lease() -> Lease:
    return Lease(
        token=uuid.uuid4().hex,
        host=platform.node(),
        boot_id=boot_id(),
        pid=os.getpid(),
        process_start=process_start(os.getpid()),
        pid_namespace=pid_namespace(),
        slurm_job=os.environ.get("SLURM_JOB_ID", ""),
        counter=0,
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
