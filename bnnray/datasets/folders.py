"""Where the files of a data set are searched for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bnnray.errors import DataError

ENVIRONMENT_VARIABLE = "BNNRAY_DATA"


@dataclass(frozen=True)
class Sought:
    """The files of one split.

    Args:
        title: the data set and split, for messages.
        files: their names; all must be in one folder.
        subfolders: where they may be within a data folder, first choice first.
        endings: what may follow a name, first choice first.
    """

    title: str
    files: tuple[str, ...]
    subfolders: tuple[str, ...]
    endings: tuple[str, ...] = ("",)


def data_folders(data_dir: Path | None = None) -> tuple[Path, ...]:
    """The data folders, first choice first: ``data_dir``, $BNNRAY_DATA, the user's cache."""
    from platformdirs import user_cache_path

    named = os.environ.get(ENVIRONMENT_VARIABLE)
    candidates = (data_dir, Path(named) if named else None, user_cache_path("bnnray") / "data")
    return tuple(dict.fromkeys(folder for folder in candidates if folder is not None))


def find_files(sought: Sought, data_dir: Path | None) -> tuple[Path, ...]:
    """The sought files, in order, from the first folder that has them all.

    Raises:
        DataError: no folder has them all, or one cannot be looked into.
    """
    folders = [root / sub for root in data_folders(data_dir) for sub in sought.subfolders]
    found: dict[Path, tuple[Path, ...]] = {}
    for folder in folders:
        found[folder] = _files_in(folder, sought)
        if len(found[folder]) == len(sought.files):
            return found[folder]
    raise DataError(_missing(sought, found))


def locate(sought: Sought, data_dir: Path | None) -> Path | None:
    """The first folder that has all of the sought files; None where none has.

    Raises:
        DataError: a folder cannot be looked into.
    """
    folders = (root / sub for root in data_folders(data_dir) for sub in sought.subfolders)
    return next((f for f in folders if len(_files_in(f, sought)) == len(sought.files)), None)


def read_file(path: Path) -> bytes:
    """The content of a file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(_unreadable(path, error)) from error


def _files_in(folder: Path, sought: Sought) -> tuple[Path, ...]:
    """Those of the sought files that the folder has."""
    choices = ([folder / (file + ending) for ending in sought.endings] for file in sought.files)
    first = (next(filter(_exists, paths), None) for paths in choices)
    return tuple(path for path in first if path is not None)


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise DataError(_unreadable(path, error)) from error
    return True


def _unreadable(path: Path, error: OSError) -> str:
    return (
        f"{path}: expected a readable file; got {error.strerror or error}; "
        "correct its permissions or replace it"
    )


def _missing(sought: Sought, found: dict[Path, tuple[Path, ...]]) -> str:
    endings = " or ".join(f"with {ending}" for ending in sought.endings if ending)
    part = [str(path) for paths in found.values() for path in paths]
    return (
        f"{sought.title}: expected in one folder {_listed(sought.files)}"
        f"{f' (each also {endings})' if endings else ''}; "
        f"found {f'only {_listed(part)}' if part else 'none of them'}; "
        f"looked in {_listed(found)}; put the files in one of these folders, or name the folder "
        f"that has them with --data-dir or the environment variable {ENVIRONMENT_VARIABLE}"
    )


def _listed(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))
