"""The lease of a run folder: what its file says, and whether the process that wrote it is gone.

One driver holds a run folder at a time; how it takes and keeps the lease is in
``bnnray/runtime/lease.py``. Everybody else only reads it.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from bnnray.errors import StorageError

LEASE = "lease.json"
_DEAD_STATES = ("Z", "X")


@dataclass(frozen=True)
class Lease:
    """Who holds a run folder.

    Args:
        token: random; tells two holders apart.
        host: name of the machine.
        boot_id: of that machine since its start; empty where the system has none.
        pid: of the driver.
        process_start: when the driver began, in ticks since the machine's start, so that a
            number that came round again is no holder; empty where the system does not say.
        pid_namespace: in which pid means something; empty where there are none.
        slurm_job: number of the Slurm job; empty outside.
        counter: rewritten, one larger, while the driver lives.
        taken_at: in UTC, for people only; clocks of machines are never compared.
    """

    token: str
    host: str
    boot_id: str
    pid: int
    process_start: str
    pid_namespace: str
    slurm_job: str
    counter: int
    taken_at: str

    @property
    def holder(self) -> str:
        """The driver in words."""
        job = f", Slurm job {self.slurm_job}" if self.slurm_job else ""
        return f"process {self.pid} on {self.host}{job}"

    def encode(self) -> bytes:
        """The file's content; it never gets shorter as the counter grows."""
        return (json.dumps(asdict(self), indent=2) + "\n").encode()


@dataclass(frozen=True)
class SeenLease:
    """A lease file as it was found.

    Args:
        lease: what it says; None if it cannot be understood.
        age: seconds since it was last written, by the clocks of this machine and the file's: a
            hint only.
    """

    lease: Lease | None
    age: float

    @property
    def holder(self) -> str:
        """The driver in words."""
        return holder_of(self.lease)


def holder_of(lease: Lease | None) -> str:
    """A driver in words, also one whose lease cannot be understood."""
    return lease.holder if lease else f"a driver whose {LEASE} cannot be read"


def read_lease(folder: Path) -> SeenLease | None:
    """The lease of a run folder; None if there is none.

    Raises:
        StorageError: the file cannot be opened.
    """
    path = folder / LEASE
    content = read_content(path)
    if content is None:
        return None
    try:
        age = max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return None
    return SeenLease(parse_lease(content), age)


def read_content(path: Path) -> bytes | None:
    """The bytes of a lease file; None if there is none.

    Raises:
        StorageError: it cannot be opened.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(
            f"cannot read {path}: {error.strerror}; make it readable, or delete it if no driver "
            "runs on this folder"
        ) from error


def parse_lease(content: bytes) -> Lease | None:
    """What a lease file says; None for one that is torn or foreign."""
    try:
        found = json.loads(content)
        lease = Lease(**{f.name: found[f.name] for f in fields(Lease)})
    except (ValueError, KeyError, TypeError):
        return None
    return lease if isinstance(lease.pid, int) and isinstance(lease.counter, int) else None


def is_dead(lease: Lease) -> bool:
    """Whether the driver ran on this machine and is certainly gone."""
    machine = (lease.boot_id, lease.pid_namespace)
    if "" in machine or machine != (boot_id(), pid_namespace()):
        return False
    began = process_start(lease.pid)
    return began != lease.process_start if began else not _may_be_hidden(lease.pid)


def boot_id() -> str:
    """Tells machines, and their restarts, apart; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """In which process numbers mean something, such as a container; empty where there are none."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def process_start(pid: int) -> str:
    """When a process began, in ticks since the machine's start; empty for none or a dead one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, ValueError):
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in _DEAD_STATES else rest[18]


def _may_be_hidden(pid: int) -> bool:
    """Some systems hide the processes of other users, which cannot be signalled either."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        pass
    return False
