"""Writing a file in one step: complete, or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from bnnray.errors import StorageError


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Writes a file under a name that no reader picks up, syncs it and renames it.

    Args:
        path: replaced if it is there; its folder is made if it is not.
        write: writes the content.

    Raises:
        StorageError: the file cannot be written; nothing is left of the attempt.
    """
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror or error}; make room or the folder writable, "
            "then run the same command again"
        ) from error


def check_writable(path: Path) -> None:
    """Sees before long work that a file can be written in the end.

    Raises:
        StorageError: its folder is not there, or cannot be written.
    """
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK) or path.is_dir():
        raise StorageError(
            f"cannot write {path}: expected a name in a folder that is there and writable"
        )


def _sync_folder(folder: Path) -> None:
    """Makes a rename survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
