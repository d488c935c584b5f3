"""The run folder: what is where, and whose it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnnray.errors import RunFolderError, StorageError
from bnnray.files import write_file
from bnnray.logs import FOLDER
from bnnray.results.lease import LEASE
from bnnray.results.parts import Place
from bnnray.results.schema import PARTED

OWN_FILES = ("job.toml", "run.json", "units.parquet")


class RunFolder:
    """The folder of one job.

    Args:
        path: runs/<name>.

    Attributes:
        live: where the parts of each table lie.
        archive: where the rows of each table lie that do not count any more.
        damaged: where files are kept that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.models = path / "models"
        self.units = path / "units.parquet"
        self.live = {table: Place(table, path / table) for table in PARTED}
        archive = path / "archive"
        self.archive = {table: Place(table, archive / table) for table in PARTED}
        self.archive["results"] = Place("archived", archive / "results")
        self.damaged = archive / "damaged"

    def claim(self, job: str) -> None:
        """Makes the folder, or takes up an earlier run of the same job.

        Raises:
            RunFolderError: the folder is another job's, or something else's.
            StorageError: it cannot be made or written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            found = sorted(p.name for p in self.path.iterdir() if not _is_passing(p))
        except OSError as error:
            raise StorageError(
                f"cannot use the run folder {self.path}: {error.strerror}; choose a writable "
                "place with --runs-dir"
            ) from error
        if not os.access(self.path, os.W_OK):
            raise StorageError(
                f"cannot write to the run folder {self.path}; choose a writable place with "
                "--runs-dir"
            )
        owner = self._owner(job)
        if owner is None and found:
            raise RunFolderError(
                f"{self.path} is not a run folder of bnnray (it holds {found[0]} and no "
                "run.json); give the job another name or choose another --runs-dir"
            )
        if owner not in (None, job):
            raise RunFolderError(
                f"{self.path} belongs to the job {owner!r}, not {job!r}; give the job another "
                "name or choose another --runs-dir"
            )

    def write_text(self, name: str, text: str) -> None:
        """Replaces a text file in one step.

        Raises:
            StorageError: the folder cannot be written.
        """
        write_file(self.path / name, lambda file: file.write(text.encode()))

    def write_provenance(self, provenance: Mapping[str, Any]) -> None:
        """Writes run.json, which also marks the folder as this job's."""
        self.write_text("run.json", json.dumps(provenance, indent=2, default=str) + "\n")

    def provenance(self) -> dict[str, Any]:
        """What run.json says; nothing where it is not there, or is no JSON object.

        Raises:
            StorageError: it cannot be opened.
        """
        path = self.path / "run.json"
        try:
            found = json.loads(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        except OSError as error:
            raise StorageError(f"cannot read {path}: {error.strerror}; make it readable") from error
        return found if isinstance(found, dict) else {}

    def sessions(self) -> list[dict[str, Any]]:
        """What run.json says about the times that the job was run, the oldest first."""
        found = self.provenance().get("sessions")
        return [s for s in found if isinstance(s, dict)] if isinstance(found, list) else []

    def parts(self, table: str) -> list[Path]:
        """The finished part files of a table, oldest first."""
        return self.live[table].parts()

    def _owner(self, job: str) -> str | None:
        found = self.provenance()
        owner = found.get("job")
        if isinstance(owner, str) or not (self.path / "run.json").exists():
            return owner
        raise RunFolderError(
            f"cannot read the job's name in {self.path / 'run.json'}: the file is damaged or "
            f"foreign; if this folder is the job's, put {json.dumps({'job': job})} there, else "
            "give the job another name or choose another --runs-dir"
        )


def is_unfinished(path: Path) -> bool:
    """Whether a file in the run folder itself is what :func:`bnnray.files.write_file` left."""
    return path.suffix == ".tmp" and path.name.startswith(tuple(f".{n}-" for n in OWN_FILES))


def _is_passing(path: Path) -> bool:
    """What may be there before run.json is."""
    return LEASE in path.name or path.name == FOLDER or is_unfinished(path)


def find_run(name: str, runs_dir: Path) -> RunFolder:
    """The run folder that a user names: a path to one, or a name under the runs folder.

    Raises:
        RunFolderError: there is none.
    """
    for path in (runs_dir / name, Path(name)):
        if (path / "run.json").is_file():
            return RunFolder(path)
    known = sorted(p.parent.name for p in runs_dir.glob("*/run.json"))
    have = f"there are: {', '.join(known)}" if known else "there are none yet"
    raise RunFolderError(
        f"no run {name!r} in {runs_dir} and no run folder at that path; {have}; "
        "see --runs-dir and BNNRAY_RUNS"
    )
