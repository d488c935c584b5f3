"""The runs in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bnnray.errors import BnnrayError
from bnnray.report.status import run_status
from bnnray.results import RunFolder


@dataclass(frozen=True)
class ListedRun:
    """One run.

    Args:
        name: of its folder.
        state: as :class:`bnnray.report.RunState`, or "unreadable".
        done, total: units.
        flips, proofs: units with one.
        changed: when a file of it was written last, local time.
        problem: why it cannot be read; empty where it can.
    """

    name: str
    state: str
    done: int
    total: int
    flips: int
    proofs: int
    changed: datetime
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """As a JSON object; the time in ISO 8601."""
        return {**asdict(self), "changed": self.changed.isoformat(timespec="seconds")}


def list_runs(folder: Path) -> list[ListedRun]:
    """The runs in a folder, the newest first."""
    found = [_listed(path.parent) for path in folder.glob("*/run.json")]
    return sorted(found, key=lambda run: (run.changed, run.name), reverse=True)


def _listed(path: Path) -> ListedRun:
    changed = datetime.fromtimestamp(max(_times(path)))
    try:
        status = run_status(RunFolder(path))
    except BnnrayError as error:
        return ListedRun(path.name, "unreadable", 0, 0, 0, 0, changed, str(error))
    return ListedRun(
        name=path.name,
        state=status.state,
        done=status.done,
        total=status.total,
        flips=sum(a.flips for a in status.attacks),
        proofs=sum(a.proofs for a in status.attacks),
        changed=changed,
    )


def _times(path: Path) -> Iterator[float]:
    for place in (path, path / "run.json", path / "results"):
        if place.exists():
            yield place.stat().st_mtime
