"""The folder of the runs: writing to it, its file system, its room, its clock."""

from __future__ import annotations

import os
import time
from pathlib import Path

from bnnray.doctor.finding import Finding, failure, note, ok, warning
from bnnray.doctor.places import (
    FileSystem,
    file_system,
    nearest,
    probe_folder,
    reason,
    size,
)
from bnnray.doctor.setting import Setting
from bnnray.errors import StorageError
from bnnray.files import write_file

ELSEWHERE = "make it writable, or choose another place: --runs-dir or BNNRAY_RUNS"
CONTENT = b"bnnray doctor\n"
SLOW_SECONDS = 5.0
"""As often as a run writes."""

LEAST_BYTES, FEW_BYTES = 64 * 2**20, 2**30
LEAST_FILES, FEW_FILES = 100, 10_000
SKEW_SECONDS = 2.0
"""Some file systems keep times in steps as large."""


def check_writing(setting: Setting) -> Finding:
    """A file is written, synced, renamed and read back, as each part of the results is."""
    folder = setting.runs_dir
    began = time.monotonic()
    try:
        with probe_folder(folder) as place:
            write_file(place / "probe", lambda file: file.write(CONTENT))
            if (place / "probe").read_bytes() != CONTENT:
                return failure(f"{folder}: a file came back with another content", ELSEWHERE)
    except (OSError, StorageError) as error:
        return failure(f"cannot write to {folder}: {reason(error)}", ELSEWHERE)
    seconds = time.monotonic() - began
    there = "" if folder.exists() else " (not there yet)"
    said = f"{folder}{there}: written and renamed in {1000 * seconds:.0f} ms"
    slow = "a run writes every 5 s; a faster file system serves it better"
    return ok(said) if seconds < SLOW_SECONDS else warning(said, slow)


def check_file_system(setting: Setting) -> Finding:
    """What kind the folder's file system is, and whether that kind keeps and shares the results."""
    several = setting.nodes > 1 or int(os.environ.get("SLURM_JOB_NUM_NODES") or 1) > 1
    return judge(file_system(setting.runs_dir), setting.wants_slurm, several)


def judge(found: FileSystem, slurm: bool, several: bool) -> Finding:
    """What to say about the file system of the runs.

    Args:
        found: it.
        slurm: whether Slurm is to run jobs.
        several: of several nodes each.
    """
    said = f"{found.kind} at {found.mount}"
    if found.passing:
        return warning(f"{said}: gone with this machine or container", ELSEWHERE)
    if found.shared or found.kind == "unknown" or not slurm:
        return ok(said)
    said = f"{said}, as a rule a disk of this machine alone"
    hint = "the nodes of a job and the login node must see one runs folder"
    return warning(said, hint) if several else note(said, hint)


def check_space(setting: Setting) -> Finding:
    """Room for bytes and files."""
    found = os.statvfs(nearest(setting.runs_dir))
    room, files = found.f_bavail * found.f_frsize, found.f_favail
    counted = found.f_files > 0  # some file systems have no limit of files, and count none
    said = f"{size(room)}{f' and {files:,} files' if counted else ''} free"
    if room < LEAST_BYTES or (counted and files < LEAST_FILES):
        return failure(said, "make room, or choose another place: --runs-dir or BNNRAY_RUNS")
    if room < FEW_BYTES or (counted and files < FEW_FILES):
        return warning(said, "make room before a large run")
    return ok(said)


def check_clock(setting: Setting) -> Finding:
    """The clock of the folder's file system against this machine's."""
    try:
        with probe_folder(setting.runs_dir) as place:
            return judge_clock(*_times(place / "probe"))
    except (OSError, StorageError):
        return note("not known, as nothing can be written there")


def judge_clock(before: float, stamp: float, after: float) -> Finding:
    """What to say about a file's time.

    Args:
        before, after: this machine's clock around its writing, in seconds.
        stamp: the time that the file system gave it.
    """
    skew = min(0.0, stamp - before) + max(0.0, stamp - after)
    if abs(skew) <= SKEW_SECONDS:
        return ok("the file system's clock and this machine's agree")
    side = "ahead of" if skew > 0 else "behind"
    return warning(
        f"the file system's clock is {abs(skew):.0f} s {side} this machine's",
        "no run depends on it, but times in results will; one of them lacks NTP",
    )


def _times(path: Path) -> tuple[float, float, float]:
    before = time.time()
    write_file(path, lambda file: file.write(CONTENT))
    after = time.time()
    return before, path.stat().st_mtime, after
