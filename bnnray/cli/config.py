"""``bnnray config``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, Overrides
from bnnray.cli.output import AsJson, print_json


def config(
    job: Annotated[Path, typer.Argument(help="The job file.")],
    resolved: Annotated[
        bool, typer.Option("--resolved", help="Print every value and where it came from.")
    ] = False,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Check a job file; with --resolved or --json, print every value and where it came from.

    Example: bnnray config jobs/quickstart.toml --resolved --set data.points=5
    """
    from bnnray.job import load_job

    loaded = load_job(job, overrides or [])
    rows = [*loaded.values(), *_folders()]
    if as_json:
        print_json([dict(zip(("place", "value", "origin"), row, strict=True)) for row in rows])
        return
    if not resolved:
        typer.echo(f"{job} is a valid job: {loaded.job.name}")
        return
    width = max(len(place) for place, _, _ in rows)
    for place, value, origin in rows:
        typer.echo(f"{place:{width}}  {value!r}  # {origin}")


def _folders() -> list[tuple[str, str, str]]:
    found = []
    for place, variable, default in (
        ("runs_dir", "BNNRAY_RUNS", str(DEFAULT_RUNS)),
        ("data_dir", "BNNRAY_DATA", ""),
    ):
        value = os.environ.get(variable)
        origin = f"environment {variable}" if value else "default"
        found.append((place, value or default, origin))
    return found
