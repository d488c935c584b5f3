"""Folders and the file systems under them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4"}
    | {"orangefs", "panfs", "pvfs2", "smb3", "wekafs"}
    | {"fuse.ceph", "fuse.ceph-fuse", "fuse.glusterfs", "fuse.juicefs", "fuse.rclone", "fuse.sshfs"}
)
CONTAINER = frozenset({"fuse.fuse-overlayfs", "overlay"})
MEMORY = frozenset({"ramfs", "tmpfs"})
MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class FileSystem:
    """Where a folder lies.

    Args:
        kind: as the system names it, such as "ext4" or "nfs4"; "unknown" where it does not tell.
        mount: its first folder.
    """

    kind: str
    mount: Path

    @property
    def shared(self) -> bool:
        """Whether it is one of a network, which other machines may see."""
        return self.kind in NETWORK

    @property
    def passing(self) -> bool:
        """Whether it is gone when the machine or the container ends."""
        return self.kind in MEMORY | CONTAINER


def file_system(folder: Path, mounts: Path = MOUNTS) -> FileSystem:
    """The file system of a folder, by the fields of Linux's mountinfo (proc(5)).

    Args:
        folder: need not be there; then of its nearest parent that is.
        mounts: the table of mounts.
    """
    place = nearest(folder).resolve()
    found = FileSystem("unknown", Path("/"))
    if not mounts.exists():
        return found
    for line in mounts.read_text(errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        mount = Path(_unescaped(before.split()[4]))
        if place.is_relative_to(mount) and len(mount.parts) >= len(found.mount.parts):
            found = FileSystem(after.split()[0], mount)  # of two on one folder the last is seen
    return found


def nearest(folder: Path) -> Path:
    """The folder, or the nearest of its parents that is there."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


@contextmanager
def probe_folder(folder: Path) -> Iterator[Path]:
    """A folder to try things in, in a folder or the nearest parent that is there; gone then."""
    place = Path(tempfile.mkdtemp(prefix=".bnnray-doctor-", dir=nearest(folder)))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def reason(error: BaseException) -> str:
    """The system's words for why something failed."""
    cause = error.__cause__ or error
    return (cause.strerror if isinstance(cause, OSError) else None) or str(error)


def size(count: float) -> str:
    """A number of bytes for people."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def free_bytes(folder: Path) -> int:
    """What a user may still write to a folder's file system."""
    found = os.statvfs(nearest(folder))
    return found.f_bavail * found.f_frsize


def _unescaped(name: str) -> str:
    """A name in which spaces, tabs, line ends and backslashes are three octal digits."""
    for code in ("040", "011", "012", "134"):
        name = name.replace(f"\\{code}", chr(int(code, 8)))
    return name
