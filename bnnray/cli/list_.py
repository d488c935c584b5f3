"""``bnnray list``."""

from __future__ import annotations

import typer

from bnnray.cli.options import DEFAULT_RUNS, RunsDir
from bnnray.cli.output import AsJson, print_json, print_table


def list_(runs_dir: RunsDir = DEFAULT_RUNS, as_json: AsJson = False) -> None:
    """List the runs in the runs folder, the newest first.

    Example: bnnray list
    """
    from bnnray.report import list_runs

    runs = list_runs(runs_dir)
    if as_json:
        print_json([run.as_json() for run in runs])
    elif not runs:
        typer.echo(f"no runs in {runs_dir}; start one: bnnray run jobs/quickstart.toml")
    else:
        columns = ["run", "state", "done", "of", "flips", "proofs", "changed"]
        rows = [
            [r.name, r.state, r.done, r.total, r.flips, r.proofs, f"{r.changed:%Y-%m-%d %H:%M}"]
            for r in runs
        ]
        print_table(columns, rows, right=["done", "of", "flips", "proofs"])
