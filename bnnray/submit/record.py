"""Which Slurm jobs a run folder has had."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bnnray.errors import RunFolderError, StorageError
from bnnray.files import write_file

RECORD = "submitted.json"


@dataclass(frozen=True)
class Submitted:
    """A Slurm job that was submitted for a run folder.

    Args:
        folder: the run folder's, for logs.
        job: the Slurm job's number.
        login_host: where ssh tunnels begin.
        at: when, in UTC.
    """

    folder: Path
    job: str
    login_host: str
    at: str

    @property
    def log(self) -> Path:
        """What the batch script and the driver say."""
        return self.folder / f"slurm-{self.job}.out"

    @property
    def node_log(self) -> Path:
        """What Ray says on the nodes."""
        return self.folder / f"{self.job}.nodes.log"

    @property
    def exit_code(self) -> int | None:
        """Of the driver; None unless the job came to its own end."""
        text = self._read("exit")
        return int(text) if text.isdecimal() else None

    @property
    def dashboard(self) -> tuple[str, str] | None:
        """Address and port of Ray's dashboard, while it is up."""
        words = self._read("dashboard").split()
        return (words[0], words[1]) if len(words) == 2 else None

    @property
    def token(self) -> str:
        """What Ray's dashboard asks for; empty unless it is up."""
        return self._read("token")

    def _read(self, suffix: str) -> str:
        try:
            return (self.folder / f"{self.job}.{suffix}").read_text().strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise StorageError(f"cannot read {error.filename}: {error.strerror}") from error


def note_submitted(folder: Path, job: str, login_host: str) -> Submitted:
    """Adds a Slurm job to the record of a run's folder ``slurm``.

    Raises:
        StorageError: it cannot be written.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    submitted = Submitted(folder, job, login_host, now)
    entries = [_entry(s) for s in [*read_submitted(folder), submitted]]
    text = json.dumps(entries, indent=2)
    write_file(folder / RECORD, lambda file: file.write(f"{text}\n".encode()))
    return submitted


def _entry(submitted: Submitted) -> dict[str, str]:
    return {"job": submitted.job, "login_host": submitted.login_host, "at": submitted.at}


def read_submitted(folder: Path) -> Sequence[Submitted]:
    """The Slurm jobs of a run's folder ``slurm``, the oldest first.

    Raises:
        StorageError: the record is there and cannot be read.
    """
    path = folder / RECORD
    try:
        return [Submitted(folder, **entry) for entry in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(f"cannot read {path}: {error}; remove it if no job runs") from error


def last_submitted(run: Path) -> Submitted:
    """The latest Slurm job of a run folder.

    Raises:
        RunFolderError: there has been none.
    """
    found = read_submitted(run / "slurm")
    if not found:
        raise RunFolderError(f"{run} has no Slurm job: it was never submitted by bnnray submit")
    return found[-1]
