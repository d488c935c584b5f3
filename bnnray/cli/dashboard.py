"""``bnnray dashboard``."""

from __future__ import annotations

from typing import Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunsDir


def dashboard(
    run: Annotated[str, typer.Argument(help="Name of a run, or its folder.")],
    runs_dir: RunsDir = DEFAULT_RUNS,
) -> None:
    """Print how to reach Ray's dashboard of a run that Slurm runs: an ssh tunnel and a token.

    Example: bnnray dashboard khalil_mnist
    """
    from bnnray.results import find_run
    from bnnray.submit import last_submitted, tunnel

    submitted = last_submitted(find_run(run, runs_dir).path)
    typer.echo(f"on your own machine: {tunnel(submitted)}")
    typer.echo("then open http://localhost:8265; it asks for this token:")
    typer.echo(submitted.token)
