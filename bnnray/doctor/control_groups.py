"""What this process's control groups allow it, of version 1 and 2 of Linux's (cgroups(7)).

A limit of a group holds for those below it too, so the smallest up to the root counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path("/")
NO_LIMIT = 2**60
"""Version 1 writes a number near 2**63 where there is none."""


def memory_limit(root: Path = ROOT) -> float:
    """Bytes; infinite where there is no limit.

    Args:
        root: under which ``proc`` is.
    """
    return _least("memory", ("memory.max", "memory.limit_in_bytes"), _number, root)


def process_limit(root: Path = ROOT) -> float:
    """Processes and threads; infinite where there is no limit."""
    return _least("pids", ("pids.max",), _number, root)


def core_quota(root: Path = ROOT) -> float:
    """Cores' worth of time; infinite where there is no quota."""
    return _least("cpu", ("cpu.max", "cpu.cfs_quota_us"), _cores, root)


def _least(
    controller: str, files: tuple[str, ...], read: Callable[[Path], float], root: Path
) -> float:
    paths = (group / file for group in _groups(controller, root) for file in files)
    return min((read(path) for path in paths if path.exists()), default=math.inf)


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """This process's group of a controller, and those above it."""
    for names, group in _memberships(root):
        if names in ("", controller) or controller in names.split(","):
            for mount, top in _mounts(names, root):
                place = Path(group)
                below = place.relative_to(top) if place.is_relative_to(top) else Path()
                yield from (mount / p for p in (below, *below.parents))


def _memberships(root: Path) -> Iterator[tuple[str, str]]:
    """Controllers and group of each hierarchy; version 2 has one, and names no controllers."""
    path = root / "proc/self/cgroup"
    for line in path.read_text().splitlines() if path.exists() else []:
        _, names, group = line.split(":", 2)
        yield names, group


def _mounts(names: str, root: Path) -> Iterator[tuple[Path, Path]]:
    """Where a hierarchy is mounted, and which of its groups is seen there."""
    path = root / "proc/self/mountinfo"
    for line in path.read_text(errors="replace").splitlines() if path.exists() else []:
        before, _, after = line.partition(" - ")
        fields, (kind, _, options) = before.split(), after.split()[:3]
        if _is_of(names, kind, options):
            yield root / fields[4].lstrip("/"), Path(fields[3])


def _is_of(names: str, kind: str, options: str) -> bool:
    if not names:
        return kind == "cgroup2"
    return kind == "cgroup" and set(names.split(",")) <= set(options.split(","))


def _number(path: Path) -> float:
    text = path.read_text().strip()
    return math.inf if text == "max" or int(text) >= NO_LIMIT else int(text)


def _cores(path: Path) -> float:
    words = path.read_text().split()
    if len(words) == 1:  # version 1: microseconds, and the period in a file of its own
        words.append(path.with_name("cpu.cfs_period_us").read_text())
    quota, period = words
    return math.inf if quota in ("max", "-1") else int(quota) / int(period)
