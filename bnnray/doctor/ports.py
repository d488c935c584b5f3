"""The TCP ports that Ray will take."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bnnray.doctor.finding import Finding, failure, note, ok
from bnnray.doctor.setting import Setting

DASHBOARD = 8265
NEEDED = 6
"""By the batch script on the first node."""

LISTENS = "0A"


def check_ports(setting: Setting) -> Finding:
    """Ports for a job here are free; so is that at which the dashboard's tunnel ends."""
    from bnnray.submit.ports import first_port, free_ports, is_free

    job = int(setting.job or 0)
    free = list(islice(free_ports(job), NEEDED))
    if len(free) < NEEDED:
        return failure("no free ports from 20000 to 29999", "see what holds them: ss -tlnp")
    passed = [port for port in range(first_port(job), free[-1]) if port not in free]
    taken = [*passed, *([] if is_free(DASHBOARD) else [DASHBOARD])]
    if not taken:
        return ok(f"{free[0]} to {free[-1]} for Ray and {DASHBOARD} for its dashboard are free")
    return note(
        f"taken: {', '.join(map(_named, taken))}; free for Ray: {free[0]} to {free[-1]}",
        f"{DASHBOARD}: give the ssh tunnel another port of yours" if DASHBOARD in taken else "",
    )


def _named(port: int) -> str:
    name = owner(port)
    return f"{port} ({name})" if name else str(port)


def owner(port: int) -> str:
    """The process that listens at a port, such as "python3 41"; empty where it is not to be seen,
    as that of another user."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's, or gone
            if sockets & set(map(_target, (process / "fd").iterdir())):
                return f"{(process / 'comm').read_text().strip()} {process.name}"
    return ""


def _target(link: Path) -> str:
    """What a descriptor is open on; empty where it was closed meanwhile."""
    try:
        return os.readlink(link)
    except FileNotFoundError:
        return ""


def _listening(port: int) -> Iterator[str]:
    """Inodes of the sockets that listen at a port, by Linux's tables of connections (proc(5))."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == LISTENS:
                yield fields[9]
