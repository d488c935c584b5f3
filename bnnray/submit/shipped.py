"""What comes along for a user to read, copy and edit: job files, site profiles, templates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bnnray
from bnnray.errors import StorageError

SHIPPED = Path(bnnray.__file__).parent / "shipped"
FOLDERS = ("jobs", "cluster", "slurm")


def copy_out(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Copies what comes along into a folder, and never over a file that is there.

    Yields:
        Each file's new place, and whether it was written; if not, one was there.

    Raises:
        StorageError: the folder cannot be written.
    """
    for name in FOLDERS:
        for source in sorted((SHIPPED / name).iterdir()):
            target = folder / name / source.name
            yield target, _create(target, source.read_bytes())


def _create(path: Path, content: bytes) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; choose a folder that can be written"
        ) from error
    return True
