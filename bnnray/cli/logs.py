"""``bnnray logs``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunName, RunsDir


def logs(
    run: RunName,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on as it grows, until the job is gone.")
    ] = False,
    nodes: Annotated[bool, typer.Option("--nodes", help="What Ray says on the nodes.")] = False,
    events: Annotated[
        bool, typer.Option("--events", help="What the driver and all keepers log, in order.")
    ] = False,
    host: Annotated[str, typer.Option(help="The events of this machine only.")] = "",
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Print the log of a run's latest Slurm job; of one that Slurm never had, its events.

    Example: bnnray logs khalil_mnist -f
    """
    from bnnray.results import find_run

    folder = find_run(run, runs_dir).path
    if events or host or not (nodes or _has_slurm_job(folder)):
        _print(_events(folder, host, follow=follow))
    else:
        _print(_slurm_log(folder, nodes=nodes, follow=follow))


def _print(texts: Iterable[str]) -> None:
    for text in texts:
        sys.stdout.write(text)
        sys.stdout.flush()


def _has_slurm_job(folder: Path) -> bool:
    from bnnray.submit import read_submitted

    return bool(read_submitted(folder / "slurm"))


def _slurm_log(folder: Path, *, nodes: bool, follow: bool) -> Iterator[str]:
    from bnnray.submit import follow_log, last_submitted, read_log

    submitted = last_submitted(folder)
    path = submitted.node_log if nodes else submitted.log
    yield from follow_log(submitted, path) if follow else [read_log(submitted, path)]


def _events(folder: Path, host: str, *, follow: bool) -> Iterator[str]:
    from bnnray.errors import RunFolderError
    from bnnray.logs import FOLDER, follow_events, read_events
    from bnnray.results.lease import is_dead, read_lease

    def over() -> bool:
        seen = read_lease(folder)
        return seen is None or (seen.lease is not None and is_dead(seen.lease))

    place = folder / FOLDER
    found = follow_events(place, host, over) if follow else iter(read_events(place, host=host))
    first = next(found, None)
    if first is None:
        where = f" of {host}" if host else ""
        raise RunFolderError(f"{place} has no events{where}: a run logs them from its start on")
    yield f"{first.as_text()}\n"
    yield from (f"{event.as_text()}\n" for event in found)
