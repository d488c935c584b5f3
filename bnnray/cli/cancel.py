"""``bnnray cancel``."""

from __future__ import annotations

from typing import Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunsDir


def cancel(
    run: Annotated[str, typer.Argument(help="Name of a run, or its folder.")],
    now: Annotated[
        bool, typer.Option("--now", help="At once: what runs is lost, and done again.")
    ] = False,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """End a run's Slurm job after the units that run, within the site's grace.

    Example: bnnray cancel khalil_mnist
    """
    from bnnray.results import find_run
    from bnnray.submit import cancel as end

    job, drains = end(find_run(run, runs_dir).path, now)
    how = "drains: it ends after the units that run" if drains else "is cancelled"
    typer.echo(f"Slurm job {job.job} {how}; bnnray submit goes on with what is left")
