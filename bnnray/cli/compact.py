"""``bnnray compact``."""

from __future__ import annotations

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunName, RunsDir
from bnnray.cli.warn import warn_of_damaged


def compact(
    run: RunName,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Merge the many files of a run into few; what is in them stays the same.

    Example: bnnray compact quickstart
    """
    from bnnray.results import compact as merge
    from bnnray.results import find_run
    from bnnray.runtime.lease import hold_lease, refuse_if_in_use

    folder = find_run(run, runs_dir)
    refuse_if_in_use(folder.path)
    with hold_lease(folder.path, _note):
        done = merge(folder)
    warn_of_damaged(done.problems, "left alone; the next bnnray run moves it away")
    typer.echo(f"{done.before} files became {done.after}")


def _note(text: str) -> None:
    typer.echo(text, err=True)
