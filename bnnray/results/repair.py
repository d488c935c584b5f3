"""What killed writers and torn disks left in a run folder, put out of the way."""

from __future__ import annotations

from pathlib import Path

from bnnray.errors import StorageError
from bnnray.logs import FOLDER
from bnnray.results.folder import RunFolder, is_unfinished
from bnnray.results.parts import Place, Problem, sound_parts
from bnnray.results.reading import damaged_parts


def repair(run: RunFolder) -> list[Problem]:
    """Removes unfinished files and puts part files that cannot be read into archive/damaged.

    Every row is read, as some damage shows only there. Only for who holds the run: a living writer
    would lose the file that it writes.

    Returns:
        The files that were moved, by their new paths.

    Raises:
        StorageError: the folder cannot be written, or a file in it not be opened.
    """
    places = [*run.live.values(), *run.archive.values()]
    try:
        for path in _unfinished(run, places):
            path.unlink(missing_ok=True)
        return [_put_away(run, problem) for problem in _problems(places)]
    except OSError as error:
        raise StorageError(
            f"cannot tidy the run folder {run.path}: {error.strerror}; make it writable"
        ) from error


def _unfinished(run: RunFolder, places: list[Place]) -> list[Path]:
    """As :func:`bnnray.files.write_file` names them; the lease beside the own files is not ours."""
    folders = [run.models, run.path / FOLDER, *(place.folder for place in places)]
    found = [path for folder in folders for path in folder.glob(".*.tmp")]
    return found + [path for path in run.path.glob(".*.tmp") if is_unfinished(path)]


def _problems(places: list[Place]) -> list[Problem]:
    every = [sound_parts(place) for place in places]
    return [p for parts in every for p in parts.problems] + damaged_parts(every)


def _put_away(run: RunFolder, problem: Problem) -> Problem:
    if not problem.damaged:
        raise StorageError(
            f"cannot read {problem.path}: {problem.reason}; make it readable, then run the same "
            "command again"
        )
    target = run.damaged / problem.path.relative_to(run.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    problem.path.replace(target)
    return Problem(target, problem.reason)
