"""``bnnray report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bnnray.cli.options import DEFAULT_RUNS, DataDir, RunName, RunsDir
from bnnray.cli.output import AsJson
from bnnray.cli.warn import LEFT_OUT, warn_of_damaged


def report(
    run: RunName,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path(
        "report.html"
    ),
    figures: Annotated[
        Path | None, typer.Option(help="Folder for each figure as PNG and PDF, for a paper.")
    ] = None,
    runs_dir: RunsDir = DEFAULT_RUNS,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write one HTML file with statistics and figures, also while the run goes on.

    It needs no network and no other file. --json prints the numbers instead.

    Example: bnnray report quickstart -o report.html --figures figures
    """
    from bnnray.cli.output import print_json
    from bnnray.files import check_writable
    from bnnray.report import make_report
    from bnnray.results import find_run

    folder = find_run(run, runs_dir)
    if not as_json:
        check_writable(output)
    made = make_report(folder, data_dir)
    warn_of_damaged(made.status.problems, LEFT_OUT)
    written = [] if figures is None else made.write_figures(figures)
    if as_json:
        print_json(made.as_json())
        return
    made.write(output)
    typer.echo(f"{output}: {len(made.drawings)} figures of {made.status.done} units")
    if figures is not None:
        typer.echo(f"{figures}: {len(written)} files")
    for kind in made.missing:
        typer.echo(f"left out: {kind.title}: it needs {kind.needs}", err=True)
    if made.contradictions:
        typer.echo(
            f"bnnray: warning: {len(made.contradictions)} contradictions; see bnnray compare {run}",
            err=True,
        )
