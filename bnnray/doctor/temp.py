"""The folders of Ray's sockets and of its logs."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from bnnray.doctor.finding import Finding, failure, note, ok, warning
from bnnray.doctor.places import FileSystem, file_system, free_bytes, probe_folder, reason, size
from bnnray.doctor.setting import Setting

LONGEST_SOCKET = 107
"""Bytes of a path that Linux takes as a socket's address (unix(7))."""

SOCKET = "session_2026-01-02_03-04-05_678901_1234567/sockets/plasma_store"
"""The longest path that Ray makes below its folder: its start and a process of seven digits."""

ROOM = LONGEST_SOCKET - len(f"/{SOCKET}")
FEW_BYTES = 2**30
FOR_RAY = "name a short folder on this machine's own disk: export RAY_TMPDIR=/tmp"
FOR_SITE = "name another: scratch in the site profile, or BNNRAY_SCRATCH in its setup"


def check_temp(setting: Setting) -> Finding:
    """Where Ray keeps its files when ``bnnray run`` starts it."""
    return check_folder(ray_folder(), FOR_RAY)


def check_scratch(setting: Setting) -> Finding:
    """Where it keeps them inside a Slurm job."""
    scratch = os.environ.get("BNNRAY_SCRATCH") or setting.scratch
    if setting.job is None:
        return note(f"{scratch} on the nodes: inside a job, `srun -n1 bnnray doctor` looks at it")
    return check_folder(Path(scratch) / f"bnnray-{setting.job}", FOR_SITE)


def ray_folder() -> Path:
    """Ray's own choice where none is named."""
    environment = os.environ
    return Path(environment.get("RAY_TMPDIR", environment.get("TMPDIR", "/tmp"))) / "ray"


def check_folder(folder: Path, hint: str) -> Finding:
    """Whether Ray can have its sockets and logs in a folder, which need not be there.

    Args:
        folder: the folder.
        hint: what to do if not.
    """
    return judge(folder, file_system(folder), hint)


def judge(folder: Path, found: FileSystem, hint: str) -> Finding:
    """The same of a folder whose file system is known."""
    length = len(os.fsencode(folder))
    if length > ROOM:
        return failure(f"{folder}: {length} bytes; Ray's sockets leave {ROOM}", hint)
    if found.shared:
        return failure(f"{folder} is on {found.kind}, a network file system", hint)
    try:
        _bind(folder)
    except OSError as error:
        return failure(f"no socket can be made in {folder}: {reason(error)}", hint)
    room = free_bytes(folder)
    said = f"{folder} on {found.kind}, {size(room)} free"
    return ok(said) if room >= FEW_BYTES else warning(said, hint)


def _bind(folder: Path) -> None:
    with probe_folder(folder) as place, socket.socket(socket.AF_UNIX) as trial:
        trial.bind(str(place / "s"))
