"""``bnnray jobs``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bnnray.cli.output import AsJson, print_json, print_table


def jobs(
    folder: Annotated[Path, typer.Argument(help="Where to look.")] = Path("jobs"),
    as_json: AsJson = False,
) -> None:
    """List the job files at hand, each with its first comment line.

    Example: bnnray jobs
    """
    from bnnray.errors import UsageError
    from bnnray.job import list_jobs

    if not folder.is_dir():
        raise UsageError(
            f"expected a folder with job files, got {folder}; `bnnray init` copies some here"
        )
    found = list_jobs(folder)
    if as_json:
        print_json([{"path": str(job.path), "about": job.about} for job in found])
    elif not found:
        typer.echo(f"no job files in {folder}")
    else:
        print_table(["job", "about"], [[str(job.path), job.about] for job in found])
