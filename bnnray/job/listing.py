"""The job files at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ListedJob:
    """A job file.

    Args:
        path: of it.
        about: its first line, if that is a comment.
    """

    path: Path
    about: str


def list_jobs(folder: Path) -> list[ListedJob]:
    """The job files in a folder, by name; only their first lines are read."""
    return [ListedJob(path, _about(path)) for path in sorted(folder.glob("*.toml"))]


def _about(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return first.removeprefix("#").strip() if first.startswith("#") else ""
