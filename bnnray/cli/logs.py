"""``bnnray logs``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunsDir


def logs(
    run: Annotated[str, typer.Argument(help="Name of a run, or its folder.")],
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on as it grows, until the job is gone.")
    ] = False,
    nodes: Annotated[bool, typer.Option("--nodes", help="What Ray says on the nodes.")] = False,
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Print the log of a run's latest Slurm job.

    Example: bnnray logs khalil_mnist -f
    """
    from bnnray.results import find_run
    from bnnray.submit import follow_log, last_submitted, read_log

    submitted = last_submitted(find_run(run, runs_dir).path)
    path = submitted.node_log if nodes else submitted.log
    for text in follow_log(submitted, path) if follow else [read_log(submitted, path)]:
        sys.stdout.write(text)
        sys.stdout.flush()
