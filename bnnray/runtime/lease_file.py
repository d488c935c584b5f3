"""The three things that are done to a lease file besides rewriting it in place.

Each holds on NFS too: exclusive creation and renaming are single steps there, links and locks
need not be.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from bnnray.errors import StorageError
from bnnray.results.lease import read_content

_LOOKS = 5
_BETWEEN_LOOKS = 0.1


def create(path: Path, content: bytes) -> bool:
    """Makes the file unless it is there; of several processes one does.

    Raises:
        StorageError: the folder cannot be written.
    """
    try:
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; make room or the folder writable, then run "
            "the same command again"
        ) from error
    return True


def remove(path: Path, wanted: Callable[[bytes], bool]) -> bool:
    """Deletes the file if it is the one that is wanted gone, which is certain only once it moved.

    Raises:
        StorageError: the folder cannot be written.
    """
    away = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.rename(away)
        content = away.read_bytes()
        removed = wanted(content)
        if not removed:
            create(path, content)
        away.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(
            f"cannot remove {path}: {error.strerror}; make the folder writable, then run the same "
            "command again"
        ) from error
    return removed


def read_patiently(path: Path) -> bytes | None:
    """The file's content; None only where it stays away, as :func:`remove` may put it back.

    Raises:
        StorageError: it cannot be opened.
    """
    for _ in range(_LOOKS):
        content = read_content(path)
        if content is not None:
            return content
        time.sleep(_BETWEEN_LOOKS)
    return None
